"""Money and where it is held: ISO 4217 amounts, ISO 13616 accounts, ISO 9362 institutions, wallets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.check_digits import iban_holds
from schemas.alerts.fields import Amount, Label, Part, RuledPart
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

Bic = Annotated[str, StringConstraints(pattern=r"^[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$")]
"""A financial institution (ISO 9362)."""

_FORM: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


class Sum(Part):
    """A sum of money in the currency's own unit, not in cents: ``12500.00`` and ``CAD`` (ISO 4217)."""

    amount: Amount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Account(RuledPart):
    """Where money is held: an account at an institution, a card, a wallet of virtual assets."""

    kind: Literal["iban", "domestic-account", "payment-card", "virtual-asset-wallet", "payment-service", "other"]
    number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 @._:+-]{0,127}$"), IDENTIFYING]
    jurisdiction: JurisdictionField | None = None
    institution: Label | None = None
    bic: Bic | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that an IBAN is none."""
        if self.kind == "iban" and not _is_iban(self.number):
            yield _NO_IBAN.at("number")


def _is_iban(number: str) -> bool:
    return _FORM.fullmatch(number) is not None and iban_holds(number)


_NO_IBAN: Final = Rule(
    "no-iban",
    Bilingual(
        fr="Ce numéro n'est pas un IBAN : la forme ou les chiffres de contrôle ne concordent pas.",
        en="This number is no IBAN: its form or its check digits do not hold.",
    ),
)

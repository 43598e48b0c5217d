"""Money of crime and of terrorism, by FATF's designated offences; accounts and wallets that it went through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import CapTime, Code, Part, many
from schemas.alerts.header import TypeName
from schemas.alerts.money import Account, Sum
from schemas.alerts.organisations import Organisation
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Days
from schemas.bilingual import Bilingual
from schemas.ids import AlertType

Offence = Literal[
    "money-laundering",
    "terrorist-financing",
    "proliferation-financing",
    "sanctions-evasion",
    "fraud",
    "business-email-compromise",
    "investment-fraud",
    "grandparent-scam",
    "identity-fraud",
    "corruption",
    "tax-crime",
    "insider-trading",
    "counterfeiting-currency",
    "trade-based-laundering",
    "payment-card-crime",
    "ransom-payment",
]
"""FATF's designated categories of offences (Recommendations, glossary), those that a cross-border alert is about."""


class Transfer(Part):
    """Money that moved; ``source`` and ``target`` where each is known."""

    at: CapTime
    value: Sum
    method: Literal[
        "wire", "cash", "cheque", "virtual-asset", "card", "money-order", "hawala", "bulk-cash", "e-transfer"
    ]
    source: Account | None = None
    target: Account | None = None
    state: Literal["sent", "held", "frozen", "recalled", "returned"] = "sent"


class FinancialCrime(Matter):
    """The offence, the money, the accounts and those involved. ``predicate`` is where laundered money came from."""

    offences: Annotated[tuple[Offence, ...], many(16, least=1)]
    stage: Literal["placement", "layering", "integration"] | None = None
    predicate: (
        Literal["drugs", "fraud", "corruption", "trafficking-in-persons", "firearms", "tax", "cybercrime", "other"]
        | None
    ) = None
    listing: Code | None = None
    total: Sum | None = None
    period: Days | None = None
    accounts: Annotated[tuple[Account, ...], many(128)] = ()
    transfers: Annotated[tuple[Transfer, ...], many(512)] = ()
    involved: Annotated[tuple[Involved, ...], many(64)] = ()
    organisations: Annotated[tuple[Organisation, ...], many(64)] = ()
    request: Literal["information", "freeze", "recall-of-funds", "production-order", "joint-investigation"] | None = (
        None
    )

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.stage is not None and _LAUNDERING.isdisjoint(self.offences):
            yield _STAGE_OF_NO_LAUNDERING.at("stage")
        if "sanctions-evasion" in self.offences and self.listing is None:
            yield _NO_LISTING.at("listing")
        if self.request in ("freeze", "recall-of-funds") and not (self.accounts or self.transfers):
            yield _NOTHING_TO_FREEZE.at("accounts")


class FinancialCrimeAlert(AlertAboutPerson):
    """Money of crime moves between jurisdictions."""

    title: ClassVar[Bilingual] = Bilingual(fr="Criminalité financière", en="Financial crime")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/financial-crime/v1"))]
    body: FinancialCrime


_LAUNDERING: Final = frozenset({"money-laundering", "trade-based-laundering"})
_STAGE_OF_NO_LAUNDERING: Final = Rule(
    "stage-of-no-laundering",
    Bilingual(fr="Seul le blanchiment a des étapes.", en="Laundering alone has stages."),
)
_NO_LISTING: Final = Rule(
    "listing-missing",
    Bilingual(
        fr="Qui contourne des sanctions contourne celles d'une liste, qui doit être nommée.",
        en="Sanctions that are evaded are those of a list, which must be named.",
    ),
)
_NOTHING_TO_FREEZE: Final = Rule(
    "nothing-to-freeze",
    Bilingual(
        fr="Un gel ou un rappel de fonds doit dire de quel compte ou de quel transfert.",
        en="A freeze or a recall of funds must say of which account or transfer.",
    ),
)

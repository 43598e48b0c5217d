# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Firearms as police files know them: the fields of NCIC's Gun File, ATF Form 3312.1 and the RCMP's FRT, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import Code, Label, RuledPart
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

SerialNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9 ./*-]{0,31}$")]


class Firearm(RuledPart):
    """A firearm; what is not known is left out (NCIC SER, TYP, MAK, CAL, MOD; FRT, the RCMP's reference number)."""

    kind: Literal[
        "pistol",
        "revolver",
        "rifle",
        "shotgun",
        "submachine-gun",
        "machine-gun",
        "combination",
        "receiver",
        "silencer",
        "conversion-device",
        "other",
    ]
    serialState: Literal["legible", "partly-legible", "restored", "obliterated", "never-had-one"]
    serialNumber: Annotated[SerialNumber | None, IDENTIFYING] = None
    make: Label | None = None
    model: Label | None = None
    calibre: Label | None = None
    action: (
        Literal["semi-automatic", "automatic", "bolt", "lever", "pump", "break", "single-shot", "revolving"] | None
    ) = None
    barrelMm: Annotated[int, Field(ge=10, le=2_000)] | None = None
    madeIn: JurisdictionField | None = None
    importer: Label | None = None
    frt: Code | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that the number and what is said of it contradict one another."""
        if self.serialState in ("legible", "partly-legible", "restored") and self.serialNumber is None:
            yield _SERIAL_MISSING.at("serialNumber")
        if self.serialState in ("obliterated", "never-had-one") and self.serialNumber is not None:
            yield _SERIAL_IMPOSSIBLE.at("serialNumber")


_SERIAL_MISSING: Final = Rule(
    "serial-number-missing",
    Bilingual(
        fr="Un numéro de série qui se lit doit être donné.", en="A serial number that can be read must be given."
    ),
)
_SERIAL_IMPOSSIBLE: Final = Rule(
    "serial-number-of-none",
    Bilingual(
        fr="Une arme dont le numéro est oblitéré ou inexistant n'en a pas.",
        en="A firearm whose serial number is obliterated, or that never had one, has none to give.",
    ),
)

"""Organisations and facilities: companies, groups, laboratories, ports; none of them is a person."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.check_digits import gs1_holds, mod_97_holds
from schemas.alerts.fields import Code, Label, Part, keeps
from schemas.alerts.rules import Rule
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

_LEI_DIGITS: Final = Rule(
    "lei-check-digits",
    Bilingual(
        fr="Les chiffres de contrôle de cet identifiant d'entité juridique ne concordent pas.",
        en="The check digits of this legal entity identifier do not hold.",
    ),
)
_GLN_DIGIT: Final = Rule(
    "gln-check-digit",
    Bilingual(
        fr="Le chiffre de contrôle de ce code lieu-fonction ne concorde pas.",
        en="The check digit of this global location number does not hold.",
    ),
)

Lei = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{18}[0-9]{2}$"), keeps(_LEI_DIGITS, mod_97_holds)]
"""A legal entity identifier (ISO 17442)."""

Gln = Annotated[str, StringConstraints(pattern=r"^[0-9]{13}$"), keeps(_GLN_DIGIT, gs1_holds)]
"""A global location number of a party or a place (GS1 General Specifications, section 2.4)."""


Sector = Literal[
    "energy-and-utilities",
    "finance",
    "food",
    "transportation",
    "government",
    "information-and-communication",
    "health",
    "water",
    "safety",
    "manufacturing",
    "place-of-worship",
    "school",
    "public-gathering",
    "diplomatic",
    "police-or-military",
    "border",
]
"""The ten sectors of Canada's National Strategy for Critical Infrastructure, and targets that are no infrastructure."""


class Organisation(Part):
    """A company, a charity, an agency; somebody who trades alone is a person, not one of these.

    ``registration`` is its number in the register of its jurisdiction.
    """

    name: Label
    jurisdiction: JurisdictionField
    kind: Literal["company", "charity", "public-body", "trust", "shell-company", "front", "other"]
    registration: Code | None = None
    lei: Lei | None = None
    gln: Gln | None = None


class Laboratory(Part):
    """A laboratory; ``clia`` is its number under the Clinical Laboratory Improvement Amendments (42 CFR 493)."""

    name: Label
    jurisdiction: JurisdictionField
    clia: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}D[0-9]{7}$")] | None = None
    network: Literal["LRN", "CPHLN", "PulseNet", "NAHLN", "CAHSN", "other"] | None = None

# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Substances: drugs, contaminants, precursors; by what people call them and by CAS number."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.check_digits import cas_holds
from schemas.alerts.fields import Amount, BilingualText, Part, Percent, keeps
from schemas.alerts.rules import Rule
from schemas.bilingual import Bilingual

_CAS_DIGIT: Final = Rule(
    "cas-check-digit",
    Bilingual(
        fr="Le chiffre de contrôle de ce numéro CAS ne concorde pas.",
        en="The check digit of this CAS number does not hold.",
    ),
)

CasNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,6}-[0-9]{2}-[0-9]$"), keeps(_CAS_DIGIT, cas_holds)]
"""A substance in the registry of the Chemical Abstracts Service: ``437-38-7`` is fentanyl."""

DrugClass = Literal[
    "fentanyl",
    "fentanyl-analogue",
    "nitazene",
    "heroin",
    "other-opioid",
    "cocaine",
    "methamphetamine",
    "amphetamine",
    "mdma",
    "benzodiazepine",
    "xylazine",
    "medetomidine",
    "cannabis",
    "synthetic-cannabinoid",
    "cathinone",
    "hallucinogen",
    "ketamine",
    "precursor",
    "cutting-agent",
    "pharmaceutical",
    "other",
    "unknown",
]
"""UNODC's groups, and those that the United States and Canada watch by themselves."""


class Substance(Part):
    """A substance and how sure one is of it (ANSI/ASTM E2329: a presumptive test identifies nothing)."""

    drugClass: DrugClass
    name: BilingualText | None = None
    cas: CasNumber | None = None
    identified: Literal["suspected", "field-test", "laboratory"]
    purityPercent: Percent | None = None


class Quantity(Part):
    """How much of something there was; ``unit`` is a mass, a volume or a count of doses, plants or packages."""

    amount: Amount
    unit: Literal["g", "kg", "mL", "L", "tablets", "doses", "plants", "packages"]

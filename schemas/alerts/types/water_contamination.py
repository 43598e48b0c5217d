# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Contamination of water: drinking water (40 CFR 141, subpart Q; Québec's Q-2, r. 40), lakes, rivers; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import Amount, BilingualText, CapTime, Code, Count, Label, Part, RuledPart, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import Coding
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.substances import CasNumber
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Advice = Literal["none", "boil", "do-not-drink", "do-not-use", "no-bathing", "no-fishing", "no-livestock-watering"]


class Contaminant(RuledPart):
    """What is in the water; ``limit`` is the guideline it is compared with, in the same unit."""

    kind: Literal["microbial", "chemical", "petroleum", "radiological", "cyanobacteria", "physical", "unknown"]
    name: BilingualText
    cas: CasNumber | None = None
    organism: Coding | None = None
    value: Amount | None = None
    limit: Amount | None = None
    unit: Literal["mg/L", "ug/L", "ng/L", "CFU/100mL", "cells/mL", "Bq/L", "NTU"] | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that a figure has no unit."""
        if self.unit is None and (self.value is not None or self.limit is not None):
            yield _WITHOUT_UNIT.at("unit")


class Spill(Part):
    """What got into the water and how much of it, in litres."""

    source: Literal["vessel", "train", "truck", "pipeline", "tank", "sewer", "mine", "farm", "industry", "unknown"]
    litres: Amount | None = None
    stopped: bool | None = None


class WaterSystem(Part):
    """A waterworks by its number: PWSID in the United States, installation number in Québec."""

    number: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}[0-9]{7}|X[0-9]{7}|[0-9]{7,12})$")]
    name: Label
    jurisdiction: JurisdictionField
    populationServed: Count | None = None
    plumeArrives: CapTime | None = None
    intake: Literal["open", "closed", "alternative-source"] | None = None


class WaterContamination(Body):
    """Which water, what is in it since when, who draws from it downstream, and what people are told."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    waterBody: Label
    kind: Literal["river", "lake", "reservoir", "groundwater", "sea", "distribution-network", "beach"]
    state: Literal["suspected", "confirmed", "contained", "over", "unfounded"]
    period: Period
    contaminants: Annotated[tuple[Contaminant, ...], many(64, least=1)]
    spill: Spill | None = None
    localities: Annotated[tuple[Locality, ...], many(128)] = ()
    flowsTo: Annotated[tuple[JurisdictionField, ...], many(16)] = ()
    flowKmPerDay: Annotated[int, Field(ge=0, le=1_000)] | None = None
    systems: Annotated[tuple[WaterSystem, ...], many(256)] = ()
    advice: Annotated[tuple[Advice, ...], many(7, least=1)]
    illnesses: Count | None = None
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if "boil" in self.advice and any(each.kind in _CONCENTRATED for each in self.contaminants):
            yield _BOILING_HARMS.at("advice")
        if "none" in self.advice and len(self.advice) > 1:
            yield _NONE_AND_SOME.at("advice")


class WaterContaminationAlert(Alert):
    """Water is not fit for its use."""

    title: ClassVar[Bilingual] = Bilingual(fr="Contamination de l'eau", en="Water contamination")

    type: Annotated[AlertType, TypeName(AlertType("environment/water-contamination/v1"))]
    body: WaterContamination


_CONCENTRATED: Final = ("chemical", "petroleum", "radiological", "cyanobacteria")
"""What boiling concentrates or releases instead of killing it."""

_WITHOUT_UNIT: Final = Rule(
    "unit-missing", Bilingual(fr="Une valeur ne va pas sans son unité.", en="A value does not go without its unit.")
)
_BOILING_HARMS: Final = Rule(
    "boiling-harms",
    Bilingual(
        fr="Faire bouillir l'eau concentre ce contaminant; il faut un autre avis.",
        en="Boiling the water concentrates this contaminant; the advice must be another.",
    ),
)
_NONE_AND_SOME: Final = Rule(
    "none-and-some",
    Bilingual(fr="« none » exclut toute autre valeur.", en="“none” excludes every other value."),
)

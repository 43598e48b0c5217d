# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Agents of bioterrorism, by the CDC's categories and the Laboratory Response Network's levels; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Code, Count, Date, Part, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import Coding, RecordId
from schemas.alerts.organisations import Laboratory
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import PART_ABOVE_WHOLE, BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Detection(Part):
    """How sure one is and by whom; the LRN's reference laboratories confirm what sentinels presume."""

    on: Date
    method: Literal["air-sampler", "clinical-specimen", "powder-or-parcel", "animal", "food-or-water", "environmental"]
    level: Literal["field-screen", "sentinel-presumptive", "reference-confirmed", "national-confirmed", "ruled-out"]
    laboratory: Laboratory | None = None
    samples: Count | None = None
    positive: Count | None = None
    sequenceId: Code | None = None


class BioterrorismAgent(Body):
    """The agent, where and how it was detected, who may be exposed (in number), and what is done."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    agent: Coding
    category: Literal["A", "B", "C", "unclassified"]
    selectAgent: bool
    state: Literal["suspected", "credible", "confirmed", "ruled-out"]
    release: Literal["deliberate", "accidental", "natural", "laboratory", "undetermined"]
    dispersal: Literal["aerosol", "food", "water", "mail", "vector", "contact", "unknown"]
    detections: Annotated[tuple[Detection, ...], many(256, least=1)]
    localities: Annotated[tuple[Locality, ...], many(64)] = ()
    exposed: Count | None = None
    ill: Count | None = None
    deaths: Count | None = None
    measures: Annotated[
        tuple[
            Literal[
                "isolate",
                "quarantine",
                "prophylaxis",
                "vaccinate",
                "antitoxin",
                "decontaminate",
                "close-site",
                "stockpile-requested",
                "enhanced-surveillance",
                "specimen-to-reference-laboratory",
            ],
            ...,
        ],
        many(10),
    ] = ()
    lawEnforcementNotified: bool = False
    notifiedUnderIhr: bool = False
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.state == "confirmed" and not any(each.level in _CONFIRMING for each in self.detections):
            yield _UNCONFIRMED.at("state")
        if self.release == "deliberate" and not self.lawEnforcementNotified:
            yield _POLICE_UNTOLD.at("lawEnforcementNotified")
        for number, each in enumerate(self.detections):
            if each.samples is not None and each.positive is not None and each.positive > each.samples:
                yield PART_ABOVE_WHOLE.at("detections", number, "positive")


class BioterrorismAgentAlert(Alert):
    """An agent of bioterrorism was found, or may have been released."""

    title: ClassVar[Bilingual] = Bilingual(fr="Agent de bioterrorisme", en="Bioterrorism agent")

    type: Annotated[AlertType, TypeName(AlertType("public-health/bioterrorism-agent/v1"))]
    body: BioterrorismAgent


_CONFIRMING: Final = ("reference-confirmed", "national-confirmed")
_UNCONFIRMED: Final = Rule(
    "confirmed-by-none",
    Bilingual(
        fr="Seul un laboratoire de référence ou national confirme un agent.",
        en="Only a reference or national laboratory confirms an agent.",
    ),
)
_POLICE_UNTOLD: Final = Rule(
    "police-untold",
    Bilingual(
        fr="Une dissémination délibérée se signale à la police.", en="A deliberate release is reported to police."
    ),
)

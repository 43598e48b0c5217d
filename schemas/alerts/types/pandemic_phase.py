# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Phases of a pandemic: WHO's Pandemic Influenza Risk Management (2017) and PISA's severity; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Code, Date, Part, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import Coding
from schemas.alerts.persons import Contact
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Phase = Literal["interpandemic", "alert", "pandemic", "transition"]
Rating = Literal["no-activity", "low", "moderate", "high", "extraordinary", "not-assessed"]


class Severity(Part):
    """WHO's Pandemic Influenza Severity Assessment: its three indicators."""

    transmissibility: Rating
    seriousness: Rating
    impact: Rating


class PandemicPhase(Body):
    """The phase that a jurisdiction declares, from when, of which pathogen, and what it asks of others."""

    declaringJurisdiction: JurisdictionField
    declaration: Code
    pathogen: Coding
    variant: Code | None = None
    phase: Phase
    previousPhase: Phase | None = None
    effective: Date
    emergencyOfInternationalConcern: bool
    severity: Severity | None = None
    spread: Literal["none", "sporadic", "clusters", "community", "widespread"] | None = None
    measures: Annotated[
        tuple[
            Literal[
                "surveillance",
                "border-screening",
                "travel-advice",
                "vaccination",
                "antivirals",
                "masks",
                "gatherings-limited",
                "schools-closed",
                "remote-work",
                "hospital-surge",
                "measures-lifted",
            ],
            ...,
        ],
        many(11),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.previousPhase == self.phase:
            yield _NO_CHANGE.at("previousPhase")
        if self.phase == "pandemic" and self.spread in ("none", "sporadic"):
            yield _PANDEMIC_WITHOUT_SPREAD.at("spread")
        if self.phase == "interpandemic" and self.emergencyOfInternationalConcern:
            yield _CALM_EMERGENCY.at("emergencyOfInternationalConcern")


class PandemicPhaseAlert(Alert):
    """The phase of a pandemic changes."""

    title: ClassVar[Bilingual] = Bilingual(fr="Phase de pandémie", en="Pandemic phase")

    type: Annotated[AlertType, TypeName(AlertType("public-health/pandemic-phase/v1"))]
    body: PandemicPhase


_NO_CHANGE: Final = Rule(
    "phase-unchanged",
    Bilingual(fr="La phase précédente est une autre que celle-ci.", en="The previous phase is another than this one."),
)
_PANDEMIC_WITHOUT_SPREAD: Final = Rule(
    "pandemic-without-spread",
    Bilingual(
        fr="Une pandémie ne va pas sans transmission soutenue.", en="A pandemic does not go without sustained spread."
    ),
)
_CALM_EMERGENCY: Final = Rule(
    "emergency-between-pandemics",
    Bilingual(
        fr="Une urgence de santé publique de portée internationale n'est pas une période interpandémique.",
        en="A public health emergency of international concern is no interpandemic phase.",
    ),
)

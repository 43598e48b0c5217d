# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Diseases of animals, as WOAH's WAHIS takes them (Terrestrial Animal Health Code, article 1.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.about import AlertAboutBelongings
from schemas.alerts.fields import Code, Count, Date, Label, Line, RuledPart, Words, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.health import Coding, RecordId
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.organisations import Laboratory
from schemas.alerts.persons import Contact
from schemas.alerts.places import Point
from schemas.alerts.rules import PART_ABOVE_WHOLE, BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Animals(RuledPart):
    """Animals of one species in one outbreak, counted as WAHIS counts them."""

    species: Literal[
        "cattle", "swine", "sheep", "goats", "horses", "poultry", "wild-birds", "cervids", "bees", "fish", "shellfish",
        "dogs", "cats", "bats", "raccoons", "skunks", "foxes", "mink", "rabbits", "camelids", "other",
    ]  # fmt: skip
    wild: bool = False
    susceptible: Count | None = None
    cases: Count
    deaths: Count = 0
    killedAndDisposed: Count = 0
    slaughtered: Count = 0

    def rules(self) -> Iterator[BrokenRule]:
        """Yield what does not add up."""
        if self.deaths > self.cases:
            yield PART_ABOVE_WHOLE.at("deaths")
        if self.susceptible is not None:
            if self.cases > self.susceptible:
                yield PART_ABOVE_WHOLE.at("cases")
            if self.deaths + self.killedAndDisposed + self.slaughtered > self.susceptible:
                yield PART_ABOVE_WHOLE.at("killedAndDisposed")


class Premises(RuledPart):
    """Where the animals are. ``premisesId``, the address and the point lead to who keeps them."""

    kind: Literal["farm", "backyard", "market", "slaughterhouse", "zoo", "laboratory", "apiary", "wild", "transport"]
    jurisdiction: JurisdictionField
    municipality: Label | None = None
    premisesId: Annotated[Code | None, IDENTIFYING] = None
    keeper: Annotated[Annotated[Line, StringConstraints(min_length=1)] | None, IDENTIFYING] = None
    address: Annotated[Words | None, IDENTIFYING] = None
    point: Annotated[Point | None, IDENTIFYING] = None


class AnimalOutbreak(RuledPart):
    """An outbreak at one place: cases that are one event, from ``began`` until ``ended``."""

    localId: RecordId
    premises: Premises
    began: Date
    ended: Date | None = None
    animals: Annotated[tuple[Animals, ...], many(32, least=1)]

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that it ends before it begins."""
        if self.ended is not None and self.ended < self.began:
            yield _ENDED_BEFORE.at("ended")


class AnimalDisease(Body):
    """The disease, why it is notified, where it is, and which measures are taken."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    disease: Coding
    agent: Coding | None = None
    state: Literal["suspected", "confirmed", "contained", "resolved", "ruled-out"]
    reason: Literal[
        "first-occurrence",
        "recurrence",
        "new-strain",
        "sudden-change",
        "emerging-disease",
        "unusual-host",
        "endemic",
    ]
    zoonotic: bool
    humanCases: Count | None = None
    outbreaks: Annotated[tuple[AnimalOutbreak, ...], many(128)] = ()
    laboratory: Laboratory | None = None
    controlZoneKm: Count | None = None
    measures: Annotated[
        tuple[
            Literal[
                "quarantine",
                "movement-control",
                "stamping-out",
                "disinfection",
                "vaccination",
                "vaccination-prohibited",
                "screening",
                "traceability",
                "zoning",
                "wildlife-control",
                "import-ban",
            ],
            ...,
        ],
        many(11),
    ] = ()
    notifiedToWoah: bool = False
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.humanCases and not self.zoonotic:
            yield _HUMANS_WITHOUT_ZOONOSIS.at("zoonotic")
        if self.state == "resolved":
            for number, outbreak in enumerate(self.outbreaks):
                if outbreak.ended is None:
                    yield _RESOLVED_AND_GOING_ON.at("outbreaks", number, "ended")


class AnimalDiseaseAlert(AlertAboutBelongings):
    """Animals are ill with a disease that crosses borders."""

    title: ClassVar[Bilingual] = Bilingual(fr="Maladie animale", en="Animal disease")

    type: Annotated[AlertType, TypeName(AlertType("public-health/animal-disease/v1"))]
    body: AnimalDisease


_ENDED_BEFORE: Final = Rule(
    "ended-before-begun",
    Bilingual(fr="Un foyer ne peut s'éteindre avant d'apparaître.", en="An outbreak can't end before it begins."),
)
_HUMANS_WITHOUT_ZOONOSIS: Final = Rule(
    "human-cases-without-zoonosis",
    Bilingual(
        fr="Une maladie qui a atteint des humains est une zoonose.", en="A disease that reached humans is a zoonosis."
    ),
)
_RESOLVED_AND_GOING_ON: Final = Rule(
    "resolved-and-going-on",
    Bilingual(
        fr="Un événement n'est résolu que si chaque foyer a pris fin.",
        en="An event is resolved only when every outbreak has ended.",
    ),
)

"""Crimes against immigration law: smuggling of migrants (UN Protocol, 2000, articles 3 and 6) and fraud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.cargo import Mode
from schemas.alerts.documents import ReportedDocument
from schemas.alerts.fields import Part, many
from schemas.alerts.header import TypeName
from schemas.alerts.marks import HEALTH
from schemas.alerts.money import Sum
from schemas.alerts.places import Crossing, Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import PART_ABOVE_WHOLE, BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Headcount = Annotated[int, Field(ge=0, le=10_000)]


class Group(Part):
    """Persons who were smuggled together; ``minors`` and ``unaccompanied`` are among ``persons``."""

    persons: Annotated[int, Field(ge=1, le=10_000)]
    minors: Headcount = 0
    unaccompanied: Headcount = 0
    citizenships: Annotated[tuple[JurisdictionField, ...], many(32)] = ()
    state: Literal["expected", "in-transit", "found", "missing", "in-custody", "returned", "deceased"]
    distress: Annotated[
        tuple[
            Literal[
                "hypothermia", "frostbite", "dehydration", "injury", "drowning", "pregnancy", "suffocation", "other"
            ],
            ...,
        ],
        many(8),
        HEALTH,
    ] = ()


class ImmigrationCrime(Matter):
    """The offence, who profits from it, who is moved, along which way."""

    offence: Literal[
        "migrant-smuggling",
        "entry-between-ports",
        "document-fraud",
        "visa-fraud",
        "marriage-fraud",
        "unauthorised-consultant",
        "unlawful-employment",
        "return-after-removal",
        "inadmissible-on-security-grounds",
    ]
    direction: Literal["northbound", "southbound", "inbound-from-abroad", "outbound", "within"]
    groups: Annotated[tuple[Group, ...], many(64)] = ()
    involved: Annotated[tuple[Involved, ...], many(64)] = ()
    documents: Annotated[tuple[ReportedDocument, ...], many(64)] = ()
    modes: Annotated[tuple[Mode, ...], many(10)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(32)] = ()
    scenes: Annotated[tuple[Scene, ...], many(64)] = ()
    crossings: Annotated[tuple[Crossing, ...], many(32)] = ()
    window: Period | None = None
    fee: Sum | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        for number, group in enumerate(self.groups):
            if group.minors > group.persons:
                yield PART_ABOVE_WHOLE.at("groups", number, "minors")
            if group.unaccompanied > group.minors:
                yield PART_ABOVE_WHOLE.at("groups", number, "unaccompanied")
        if self.offence == "document-fraud" and not self.documents:
            yield _WITHOUT_DOCUMENT.at("documents")


class ImmigrationCrimeAlert(AlertAboutPerson):
    """Somebody is moved across a border, or stays, against the law, and others profit."""

    title: ClassVar[Bilingual] = Bilingual(fr="Infraction en matière d'immigration", en="Immigration crime")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/immigration-crime/v1"))]
    body: ImmigrationCrime


_WITHOUT_DOCUMENT: Final = Rule(
    "fraud-without-document",
    Bilingual(fr="Une fraude documentaire porte sur un document.", en="Document fraud is about a document."),
)

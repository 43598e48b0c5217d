# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Persons wanted on a warrant, as entered in NCIC's Wanted Person File and in CPIC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import BilingualText, Date, Line, Part, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.persons import Contact, Narrative, Person, RecordNumber, Sighting
from schemas.alerts.rules import BrokenRule
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Offence(Part):
    """What the warrant is for (NCIC OFF); ``statute`` cites the law, such as ``Code criminel, art. 344``."""

    description: BilingualText
    statute: Line | None = None


class Warrant(Part):
    """An order of a court to arrest (NCIC WNO, DOW, EXL)."""

    number: Annotated[Line, IDENTIFYING]
    kind: Literal["arrest", "bench", "committal", "extradition", "parole-violation", "probation-violation", "other"]
    issued: Date
    court: Line
    jurisdiction: JurisdictionField
    offences: Annotated[tuple[Offence, ...], many(32, least=1)]
    extradition: Literal["full", "limited", "surrounding-jurisdictions", "none", "pending"]


class WantedPerson(Body):
    """The person, the warrants, and what an officer must know before an arrest."""

    person: Person
    warrants: Annotated[tuple[Warrant, ...], many(32, least=1)]
    circumstances: Narrative
    cautions: Annotated[
        tuple[
            Literal[
                "armed-and-dangerous",
                "violent",
                "escape-risk",
                "explosives-expertise",
                "martial-arts",
                "drug-use",
                "sexually-violent",
                "other",
            ],
            ...,
        ],
        many(8),
    ] = ()
    cautionNote: Narrative | None = None
    lastSeen: Sighting | None = None
    likelyDestinations: Annotated[tuple[JurisdictionField, ...], many(16)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(16)] = ()
    caseNumber: Line | None = None
    records: Annotated[tuple[RecordNumber, ...], many(16)] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.person.name is None:
            yield _NAMELESS


class WantedPersonAlert(AlertAboutPerson):
    """A person is wanted on a warrant."""

    title: ClassVar[Bilingual] = Bilingual(fr="Personne recherchée", en="Wanted person")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/wanted-person/v1"))]
    body: WantedPerson


_NAMELESS: Final = BrokenRule(
    ("person", "name"),
    "person-not-named",
    Bilingual(fr="Un mandat vise une personne nommée.", en="A warrant is for a person with a name."),
)

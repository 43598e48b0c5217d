# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Missing persons, as entered in NCIC's Missing Person File and in CPIC; a child abduction has ``amber`` true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Line, Part, many
from schemas.alerts.header import Body, TypeName, instant
from schemas.alerts.persons import Contact, Narrative, Person, RecordNumber, Sighting
from schemas.alerts.rules import BrokenRule
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType

ADULT: Final = 18
"""Age, in years, from which no AMBER alert is issued, in Canada and in the United States."""


class Companion(Part):
    """Somebody believed to be with the missing person; ``suspect`` where believed to have taken them."""

    person: Person
    relationship: Literal["parent", "relative", "acquaintance", "stranger", "unknown"]
    suspect: bool = False


class MissingPerson(Body):
    """Who is missing, since when and where from. ``category`` is NCIC's (MKE)."""

    amber: bool
    category: Literal["disability", "endangered", "involuntary", "juvenile", "catastrophe", "other"]
    person: Person
    lastSeen: Sighting
    circumstances: Narrative
    clothing: Narrative | None = None
    companions: Annotated[tuple[Companion, ...], many(16)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(16)] = ()
    caseNumber: Line | None = None
    records: Annotated[tuple[RecordNumber, ...], many(16)] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.amber:
            age = _age(self.person, on=instant(self.lastSeen.at).date())
            if age is None:
                yield _AGELESS
            elif age >= ADULT:
                yield _OF_AGE


class MissingPersonAlert(AlertAboutPerson):
    """A person is missing."""

    title: ClassVar[Bilingual] = Bilingual(fr="Personne disparue", en="Missing person")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/missing-person/v1"))]
    body: MissingPerson


def _age(person: Person, *, on: date) -> int | None:
    if person.birthDate is None:
        return person.age
    born = date.fromisoformat(person.birthDate)
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


_AGELESS: Final = BrokenRule(
    ("person",),
    "amber-without-age",
    Bilingual(
        fr="Une alerte AMBER exige l'âge ou la date de naissance de l'enfant.",
        en="An AMBER alert needs the child's age or date of birth.",
    ),
)
_OF_AGE: Final = BrokenRule(
    ("amber",),
    "amber-for-adult",
    Bilingual(fr="Une alerte AMBER ne vise que les moins de 18 ans.", en="An AMBER alert is for those under 18 only."),
)

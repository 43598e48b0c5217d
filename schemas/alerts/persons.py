# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Persons as police files know them: the fields of NCIC's person files and of NIEM's Person, in words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import CapTime, Date, Line, Part, Words, many
from schemas.alerts.marks import HEALTH, IDENTIFYING
from schemas.alerts.resources import Resource
from schemas.ids import JurisdictionField

Eyes = Literal["black", "blue", "brown", "grey", "green", "hazel", "maroon", "pink", "multicoloured", "unknown"]
Hair = Literal[
    "bald",
    "black",
    "blond",
    "blue",
    "brown",
    "green",
    "grey",
    "orange",
    "pink",
    "purple",
    "red",
    "sandy",
    "white",
    "unknown",
]
MedicalCaution = Literal[
    "allergies",
    "alcohol-dependence",
    "cognitive-impairment",
    "diabetes",
    "epilepsy",
    "haemophilia",
    "heart-condition",
    "medication-required",
    "suicide-risk",
    "other",
]
"""What an officer must know of a person's health (NCIC CMC, its medical half)."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\p{Cc}\uFFFE\uFFFF]*$")]


Narrative = Annotated[Words, IDENTIFYING, HEALTH]
"""What is known or happened, in free words: they may name a person and tell of a person's health."""


class PersonName(Part):
    """A person's name as written in its documents (NCIC NAM)."""

    surname: Name
    given: Name | None = None
    middle: Name | None = None
    suffix: Name | None = None


class BodyMark(Part):
    """A scar, a mark or a tattoo (NCIC SMT)."""

    kind: Literal["scar", "birthmark", "tattoo", "piercing", "amputation", "prosthesis", "other"]
    place: Line
    description: Words | None = None


class IdentityDocument(Part):
    """A number that an authority gave a person (NCIC OLN, FBI, SOC, MNU)."""

    kind: Literal[
        "driver-licence",
        "passport",
        "health-insurance",
        "social-insurance",
        "fingerprint-file",
        "immigration-file",
        "military",
        "other",
    ]
    number: Annotated[Line, StringConstraints(min_length=1, max_length=64), IDENTIFYING]
    jurisdiction: JurisdictionField
    expires: Date | None = None


class Person(Part):
    """A person; what is not known is left out. ``age`` in years, ``heightCm`` and ``weightKg`` in their units."""

    name: Annotated[PersonName | None, IDENTIFYING] = None
    aliases: Annotated[tuple[PersonName, ...], many(32), IDENTIFYING] = ()
    birthDate: Annotated[Date | None, IDENTIFYING] = None
    age: Annotated[int, Field(ge=0, le=130)] | None = None
    sex: Literal["female", "male", "other", "unknown"] | None = None
    heightCm: Annotated[int, Field(ge=20, le=280)] | None = None
    weightKg: Annotated[int, Field(ge=1, le=500)] | None = None
    eyes: Eyes | None = None
    hair: Hair | None = None
    appearance: Annotated[Words | None, IDENTIFYING] = None
    marks: Annotated[tuple[BodyMark, ...], many(64), IDENTIFYING] = ()
    languages: Annotated[tuple[Line, ...], many(16)] = ()
    citizenships: Annotated[tuple[JurisdictionField, ...], many(8)] = ()
    documents: Annotated[tuple[IdentityDocument, ...], many(32), IDENTIFYING] = ()
    address: Annotated[Words | None, IDENTIFYING] = None
    phone: Annotated[Line | None, IDENTIFYING] = None
    photographs: Annotated[tuple[Resource, ...], many(8), IDENTIFYING] = ()
    medical: Annotated[tuple[MedicalCaution, ...], many(10), HEALTH] = ()
    medicalNote: Narrative | None = None


class Sighting(Part):
    """Where and when somebody or something was last seen."""

    at: CapTime
    place: Annotated[Words, IDENTIFYING]
    jurisdiction: JurisdictionField | None = None
    direction: Line | None = None


class RecordNumber(Part):
    """The same matter in a police file: National Crime Information Center, CPIC, CRPQ, INTERPOL."""

    system: Literal["NCIC", "CPIC", "CRPQ", "INTERPOL", "other"]
    number: Annotated[Line, StringConstraints(min_length=1, max_length=64), IDENTIFYING]


class Contact(Part):
    """Who answers for the alert, around the clock: a unit and its numbers, not an officer and theirs."""

    unit: Line
    phone: Line
    email: Line | None = None

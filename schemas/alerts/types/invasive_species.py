# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Invasive species: Darwin Core terms for what was seen, the CBD's pathways (UNEP/CBD/SBSTTA/18/9); no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import Code, Count, Date, Label, Part, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Taxon(Part):
    """A species by its scientific name, its names in both languages, and its numbers in ITIS and GBIF."""

    scientificName: Annotated[
        str, StringConstraints(pattern=r"^[A-Z][a-z-]{1,60}( [a-z\xD7][a-z-]{0,60}){0,3}$", max_length=200)
    ]
    vernacularFr: Label | None = None
    vernacularEn: Label | None = None
    tsn: Annotated[int, Field(ge=1, le=99_999_999)] | None = None
    gbif: Annotated[int, Field(ge=1, le=9_999_999_999)] | None = None
    group: Literal["plant", "insect", "mollusc", "crustacean", "fish", "mammal", "bird", "pathogen", "fungus", "other"]


class Occurrence(Part):
    """What was found on a day at a place (Darwin Core ``occurrenceStatus``, ``basisOfRecord``)."""

    eventDate: Date
    locality: Locality
    status: Literal["present", "absent"]
    basis: Literal["human-observation", "machine-observation", "preserved-specimen", "environmental-dna", "trap"]
    verified: Literal["expert", "laboratory", "photograph", "unverified"]
    individuals: Count | None = None
    areaSquareMetres: Count | None = None
    lifeStage: Literal["egg", "larva", "juvenile", "adult", "seed", "vegetative", "mixed"] | None = None


class InvasiveSpecies(Body):
    """The species, how far it has come and which way, what it endangers and what is done."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    taxon: Taxon
    establishment: Literal["absent", "intercepted", "introduced", "established", "spreading", "eradicated"]
    firstRecord: bool
    pathway: Literal["release", "escape", "contaminant", "stowaway", "corridor", "unaided", "unknown"]
    vector: (
        Literal[
            "recreational-boat", "ballast-water", "firewood", "nursery-stock", "pallets", "bait", "aquarium", "other"
        ]
        | None
    ) = None
    occurrences: Annotated[tuple[Occurrence, ...], many(512)] = ()
    threatens: Annotated[
        tuple[
            Literal["forest", "crops", "fisheries", "drinking-water", "infrastructure", "biodiversity", "human-health"],
            ...,
        ],
        many(7, least=1),
    ]
    regulated: Literal["quarantine-pest", "prohibited", "restricted", "not-regulated"] | None = None
    measures: Annotated[
        tuple[
            Literal[
                "survey",
                "quarantine-zone",
                "movement-ban",
                "boat-wash",
                "mechanical-removal",
                "pesticide",
                "biological-control",
                "trapping",
                "public-reporting",
            ],
            ...,
        ],
        many(9),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.establishment in _PRESENT and not any(each.status == "present" for each in self.occurrences):
            yield _PRESENT_UNSEEN.at("occurrences")
        for number, each in enumerate(self.occurrences):
            if each.status == "absent" and each.individuals:
                yield _ABSENT_AND_COUNTED.at("occurrences", number, "individuals")


class InvasiveSpeciesAlert(Alert):
    """A species spreads where it does harm."""

    title: ClassVar[Bilingual] = Bilingual(fr="Espèce envahissante", en="Invasive species")

    type: Annotated[AlertType, TypeName(AlertType("environment/invasive-species/v1"))]
    body: InvasiveSpecies


_PRESENT: Final = ("intercepted", "introduced", "established", "spreading")
_PRESENT_UNSEEN: Final = Rule(
    "present-unseen",
    Bilingual(
        fr="Une espèce présente l'a été au moins une fois constatée.",
        en="A species that is present was found at least once.",
    ),
)
_ABSENT_AND_COUNTED: Final = Rule(
    "absent-and-counted",
    Bilingual(fr="On ne compte pas d'individus là où il n'y en a pas.", en="None are counted where there are none."),
)

# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Outbreaks and clusters of disease: counts and places, no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import BilingualText, Count, Date, Line, Part, Words, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import Coding, RecordId
from schemas.alerts.persons import Contact
from schemas.alerts.rules import BrokenRule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Counts(Part):
    """How many cases of each classification there are so far; ``hospitalised`` and ``deaths`` are among them."""

    suspect: Count = 0
    probable: Count = 0
    confirmed: Count = 0
    hospitalised: Count | None = None
    deaths: Count | None = None


class Locality(Part):
    """Where cases were reported."""

    jurisdiction: JurisdictionField
    name: Line | None = None
    counts: Counts | None = None


class Outbreak(Body):
    """An outbreak, known by its local record id and the jurisdiction that reports it; the counts are as of ``asOf``."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    state: Literal["suspected", "confirmed", "under-control", "over", "not-an-outbreak"]
    condition: Coding
    agent: Coding | None = None
    caseDefinition: BilingualText | None = None
    asOf: Date
    counts: Counts
    firstOnset: Date | None = None
    lastOnset: Date | None = None
    transmission: Literal[
        "person-to-person",
        "food-borne",
        "water-borne",
        "vector-borne",
        "zoonotic",
        "airborne",
        "health-care",
        "environmental",
        "unknown",
    ]
    settings: Annotated[
        tuple[
            Literal[
                "household",
                "school",
                "day-care",
                "long-term-care",
                "hospital",
                "restaurant",
                "workplace",
                "correctional",
                "shelter",
                "camp",
                "gathering",
                "travel",
                "community",
                "other",
            ],
            ...,
        ],
        many(14),
    ] = ()
    suspectedSource: Words | None = None
    clusterId: Line | None = None
    localities: Annotated[tuple[Locality, ...], many(256)] = ()
    measures: Words | None = None
    requests: Words | None = None
    notifiedUnderIhr: bool = False
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.firstOnset is not None and self.lastOnset is not None and self.lastOnset < self.firstOnset:
            yield _ONSETS_REVERSED


class OutbreakAlert(Alert):
    """A disease occurs more often than it should."""

    title: ClassVar[Bilingual] = Bilingual(fr="Éclosion", en="Outbreak")

    type: Annotated[AlertType, TypeName(AlertType("public-health/outbreak/v1"))]
    body: Outbreak


_ONSETS_REVERSED: Final = BrokenRule(
    ("lastOnset",),
    "onsets-reversed",
    Bilingual(
        fr="Le dernier début des symptômes ne peut précéder le premier.",
        en="The last onset of symptoms can't come before the first.",
    ),
)

# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Threats of terrorism as ITAC and NTAS tell them, rated by the Admiralty code (AJP-2.1); no persons.

Whoever is part of a threat is a wanted person, a document or an officer-safety matter, in an alert of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Code, Part, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.organisations import Sector
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Level = Literal["very-low", "low", "medium", "high", "critical"]
"""Canada's National Terrorism Threat Levels (ITAC)."""


class Rating(Part):
    """The Admiralty code: the source from A (reliable), what it says from 1 (confirmed); F and 6 can't be told."""

    source: Literal["A", "B", "C", "D", "E", "F"]
    information: Literal["1", "2", "3", "4", "5", "6"]


class TerrorismThreat(Body):
    """What may be attacked, how, where and when, and how far that is known."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    state: Literal["emerging", "credible", "imminent", "under-way", "averted", "unfounded"]
    level: Level
    previousLevel: Level | None = None
    rating: Rating
    motive: Literal[
        "religiously-motivated",
        "politically-motivated",
        "ideologically-motivated",
        "state-sponsored",
        "mixed",
        "unknown",
    ]
    tactics: Annotated[
        tuple[
            Literal[
                "explosive-device",
                "vehicle-borne-explosive",
                "vehicle-ramming",
                "armed-assault",
                "edged-weapon",
                "arson",
                "hostage-taking",
                "assassination",
                "chemical",
                "biological",
                "radiological",
                "nuclear",
                "cyber",
                "drone",
                "sabotage",
                "hoax",
            ],
            ...,
        ],
        many(16, least=1),
    ]
    sectors: Annotated[tuple[Sector, ...], many(16)] = ()
    localities: Annotated[tuple[Locality, ...], many(64)] = ()
    window: Period | None = None
    measures: Annotated[
        tuple[
            Literal[
                "raise-patrols",
                "screen-at-border",
                "harden-sites",
                "cancel-gatherings",
                "warn-operators",
                "collect-information",
                "stand-by-response",
            ],
            ...,
        ],
        many(7),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.state in ("imminent", "under-way") and not (self.localities or self.sectors):
            yield _IMMINENT_NOWHERE.at("localities")
        if self.state in ("credible", "imminent") and self.rating.information == "5":
            yield _IMPROBABLE.at("rating", "information")


class TerrorismThreatAlert(Alert):
    """An attack is threatened."""

    title: ClassVar[Bilingual] = Bilingual(fr="Menace terroriste", en="Terrorism threat")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/terrorism-threat/v1"))]
    body: TerrorismThreat


_IMMINENT_NOWHERE: Final = Rule(
    "imminent-nowhere",
    Bilingual(
        fr="Une menace imminente ou en cours doit dire quel lieu ou quel secteur elle vise.",
        en="A threat that is imminent or under way must say which place or sector it is aimed at.",
    ),
)
_IMPROBABLE: Final = Rule(
    "improbable-and-credible",
    Bilingual(
        fr="Une information cotée 5 (improbable) ne rend pas une menace crédible.",
        en="Information rated 5 (improbable) makes no threat credible.",
    ),
)

# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Incidents at crossings of the land border: closures, delays, traffic; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.fields import Code, RuledPart, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.persons import Contact
from schemas.alerts.places import Crossing
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Lane = Literal[
    "traveller", "commercial", "trusted-traveller", "trusted-trader", "bus", "rail", "pedestrian", "oversize"
]


class Traffic(RuledPart):
    """One direction of one crossing: how it stands, and for which lanes; ``delayMinutes`` is the wait at the booths."""

    crossing: Crossing
    into: JurisdictionField
    state: Literal["open", "restricted", "closed"]
    lanes: Annotated[tuple[Lane, ...], many(8)] = ()
    delayMinutes: Annotated[int, Field(ge=0, le=2_880)] | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield what does not go together."""
        if self.into not in self.crossing.jurisdictions:
            yield _INTO_ELSEWHERE.at("into")
        if self.state == "closed" and self.delayMinutes is not None:
            yield _DELAY_WHERE_CLOSED.at("delayMinutes")


class BorderIncident(Body):
    """What happened, since when and until when, how traffic stands, and where it can go instead."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    kind: Literal[
        "closure",
        "delay",
        "collision",
        "evacuation",
        "suspicious-object",
        "system-outage",
        "blockade",
        "dangerous-goods",
        "gunfire",
        "irregular-crossing",
        "port-running",
        "weather",
        "staffing",
        "bridge-or-road-damage",
        "animal-health-control",
    ]
    state: Literal["under-way", "expected", "over"]
    period: Period
    traffic: Annotated[tuple[Traffic, ...], many(128, least=1)]
    detours: Annotated[tuple[Crossing, ...], many(16)] = ()
    casualties: Annotated[int, Field(ge=0, le=10_000)] | None = None
    services: Annotated[
        tuple[Literal["ambulance", "fire", "police", "hazmat", "bomb-disposal", "customs-standby", "road-crew"], ...],
        many(7),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.state == "over" and self.period.until is None:
            yield _OVER_WITHOUT_END.at("period")
        closed = {each.crossing.name for each in self.traffic if each.state == "closed"}
        for number, detour in enumerate(self.detours):
            if detour.name in closed:
                yield _DETOUR_CLOSED.at("detours", number)


class BorderIncidentAlert(Alert):
    """Something hinders the traffic at the border."""

    title: ClassVar[Bilingual] = Bilingual(fr="Incident à la frontière", en="Border incident")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/border-incident/v1"))]
    body: BorderIncident


_INTO_ELSEWHERE: Final = Rule(
    "into-elsewhere",
    Bilingual(
        fr="Ce territoire n'est pas de ceux que ce poste frontalier relie.",
        en="This jurisdiction is none of those that the crossing joins.",
    ),
)
_DELAY_WHERE_CLOSED: Final = Rule(
    "delay-where-closed",
    Bilingual(fr="On n'attend pas à un poste fermé.", en="There is no wait at a crossing that is closed."),
)
_OVER_WITHOUT_END: Final = Rule(
    "over-without-end",
    Bilingual(fr="Un incident terminé doit dire sa fin.", en="An incident that is over must say its end."),
)
_DETOUR_CLOSED: Final = Rule(
    "detour-closed",
    Bilingual(
        fr="Un détour ne passe pas par un poste fermé.", en="A detour does not lead to a crossing that is closed."
    ),
)

# ruff: noqa: N815 - CAP 1.2 gives its members their names
"""An alert's header, its info blocks and how it may be handled: what every type of alert has.

Names, enumerations, order and meaning are CAP 1.2's (OASIS, 1 July 2010, section 3.2); ``type``, ``expires`` of the
header, ``handling`` and ``body`` are ours. Objects are frozen: an alert is what its sender signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import GetCoreSchemaHandler, StringConstraints, model_validator
from pydantic_core import CoreSchema, core_schema

from schemas.alerts import geometry
from schemas.alerts.fields import (
    CAP_TIME,
    IDENTIFIER,
    BilingualText,
    CapTime,
    Decimal,
    Identifier,
    LanguageTag,
    Line,
    ListedName,
    Part,
    Token,
    Uri,
    Words,
    many,
)
from schemas.alerts.rules import BrokenRule, BrokenRulesError
from schemas.bilingual import Bilingual
from schemas.ids import PARTICIPANT_PATTERN, AlertType, AlertTypeField, ParticipantField, ParticipantId

Status: TypeAlias = Literal["Actual", "Exercise", "System", "Test", "Draft"]
MsgType: TypeAlias = Literal["Alert", "Update", "Cancel", "Ack", "Error"]
Scope: TypeAlias = Literal["Public", "Restricted", "Private"]
Category: TypeAlias = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]
ResponseType: TypeAlias = Literal[
    "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"
]
Urgency: TypeAlias = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity: TypeAlias = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty: TypeAlias = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]

Tlp: TypeAlias = Literal["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]
"""The labels of TLP 2.0 (FIRST, August 2022)."""

HandlingCode: TypeAlias = Literal["H0", "H1", "H2", "H3"]
"""H0: to prevent and combat crime only. H1: no evidential use without consent. H2: no onward dissemination without
consent. H3: other, said in ``caveat``."""

ReferenceText = Annotated[
    str, StringConstraints(pattern=f"{PARTICIPANT_PATTERN[:-1]},{IDENTIFIER},{CAP_TIME}$", max_length=320)
]
"""An earlier alert, as CAP writes it: ``sender,identifier,sent``."""


class NamedValue(Part):
    """A value of a list that the sender names: a geocode, a parameter, an event code (CAP 1.2 section 3.2.2)."""

    valueName: Line
    value: Words


class Geocode(NamedValue):
    """A place by a code of a published list, such as ``SGC`` (Canada) or ``SAME`` (United States)."""


class Area(Part):
    """Where an info block applies: the union of all that is named (CAP 1.2 section 3.2.4)."""

    areaDesc: Words
    polygon: Annotated[tuple[geometry.Polygon, ...], many(512)] = ()
    circle: Annotated[tuple[geometry.Circle, ...], many(512)] = ()
    geocode: Annotated[tuple[Geocode, ...], many(4_096)] = ()
    altitude: Decimal | None = None
    ceiling: Decimal | None = None


class Info(Part):
    """What is happening, in one language (CAP 1.2 section 3.2.2). Without ``language`` it is ``en-US``."""

    language: LanguageTag | None = None
    category: Annotated[tuple[Category, ...], many(12, least=1)]
    event: Line
    responseType: Annotated[tuple[ResponseType, ...], many(9)] = ()
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: Line | None = None
    effective: CapTime | None = None
    onset: CapTime | None = None
    expires: CapTime | None = None
    senderName: Line | None = None
    headline: Line | None = None
    description: Words | None = None
    instruction: Words | None = None
    web: Uri | None = None
    contact: Line | None = None
    area: Annotated[tuple[Area, ...], many(1_024)] = ()


class Handling(Part):
    """What a recipient may do with the alert: its TLP label, handling codes, the purpose it is given for."""

    tlp: Tlp
    codes: Annotated[tuple[HandlingCode, ...], many(4)] = ()
    purpose: Token
    caveat: BilingualText | None = None


class Body(Part):
    """What an alert of one type says beyond its header and info; one subclass a type."""

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold; paths start at the body."""
        yield from ()


@dataclass(frozen=True, slots=True)
class TypeName:
    """Says which ``type`` a class of alerts is."""

    name: AlertType

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept this name alone."""
        return core_schema.literal_schema([self.name])


class Alert(Part):
    """An alert in the native form; the catalogue knows the subclass of each type.

    ``addresses`` narrows who receives and never widens it. ``expires`` holds for info blocks that have none.
    """

    title: ClassVar[Bilingual]

    type: AlertTypeField
    identifier: Identifier
    sender: ParticipantField
    sent: CapTime
    status: Status
    msgType: MsgType
    source: Line | None = None
    scope: Scope
    restriction: Words | None = None
    addresses: Annotated[tuple[ListedName, ...], many(256)] = ()
    code: Annotated[tuple[Line, ...], many(64)] = ()
    note: Words | None = None
    references: Annotated[tuple[ReferenceText, ...], many(1_024)] = ()
    incidents: Annotated[tuple[ListedName, ...], many(256)] = ()
    expires: CapTime | None = None
    handling: Handling
    info: Annotated[tuple[Info, ...], many(64)] = ()
    body: Body

    def rules(self) -> Iterator[BrokenRule]:
        """Yield every rule among several members that does not hold."""
        if self.msgType != "Alert" and not self.references:
            yield _WITHOUT_REFERENCES
        if self.scope == "Private" and not self.addresses:
            yield _WITHOUT_ADDRESSES
        if self.expires is not None and instant(self.expires) < instant(self.sent):
            yield _EXPIRES_BEFORE_SENT
        if self.handling.caveat is None and "H3" in self.handling.codes:
            yield _WITHOUT_CAVEAT
        if any(area.polygon or area.ceiling is not None for info in self.info for area in info.area):
            yield from self._area_rules()
        for rule in self.body.rules():
            yield BrokenRule(("body", *rule.path), rule.code, rule.reason)

    def advice(self) -> tuple[Bilingual, ...]:
        """Return what the sender may want to look at again although nothing forbids it."""
        return ()

    def _area_rules(self) -> Iterator[BrokenRule]:
        places = [(block, number) for block, info in enumerate(self.info) for number in range(len(info.area))]
        areas = [self.info[block].area[number] for block, number in places]
        for (block, number), area in zip(places, areas, strict=True):
            if area.ceiling is not None and area.altitude is None:
                place = ("info", block, "area", number, "ceiling")
                yield BrokenRule(place, "ceiling-without-altitude", _CEILING_WITHOUT_ALTITUDE)
        for position, index, flaw in geometry.flaws([area.polygon for area in areas]):
            block, number = places[position]
            path = ("info", block, "area", number, "polygon", index)
            yield BrokenRule(path, flaw.value, geometry.SENTENCES[flaw])

    @model_validator(mode="after")
    def _hold_rules(self) -> Self:
        broken = tuple(self.rules())
        if broken:
            raise BrokenRulesError(broken)
        return self


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an earlier alert; ``sent`` in CAP's form."""

    sender: ParticipantId
    identifier: str
    sent: str


def read_references(references: Iterable[str]) -> tuple[Reference, ...]:
    """Return the names in an alert's ``references``, in order (CAP 1.2 section 3.2.1).

    Raises ``ValueError`` for a text that is not ``sender,identifier,sent``, which no alert has.
    """
    names = []
    for text in references:
        sender, identifier, sent = text.split(",")
        names.append(Reference(ParticipantId(sender), identifier, sent))
    return tuple(names)


def instant(cap_time: str) -> datetime:
    """Return the instant of a time in CAP's form, ``2026-01-17T14:05:09-05:00``, with its offset.

    Raises ``ValueError`` for a text that names none.
    """
    return datetime.fromisoformat(cap_time)


_WITHOUT_REFERENCES: Final = BrokenRule(
    ("references",),
    "references-missing",
    Bilingual(
        fr="Une mise à jour, une annulation, un accusé de réception ou un avis d'erreur doit dire de quelle alerte.",
        en="An Update, Cancel, Ack or Error must say which alert it is about.",
    ),
)
_WITHOUT_ADDRESSES: Final = BrokenRule(
    ("addresses",),
    "addresses-missing",
    Bilingual(
        fr="Une alerte de portée Private doit nommer ses destinataires.",
        en="An alert of scope Private must name its addresses.",
    ),
)
_EXPIRES_BEFORE_SENT: Final = BrokenRule(
    ("expires",),
    "expires-before-sent",
    Bilingual(fr="Une alerte ne peut expirer avant d'être émise.", en="An alert can't expire before it is sent."),
)
_WITHOUT_CAVEAT: Final = BrokenRule(
    ("handling", "caveat"),
    "caveat-missing",
    Bilingual(
        fr="Le code H3 exige que la restriction soit dite en toutes lettres.",
        en="Code H3 needs its restriction in words.",
    ),
)
_CEILING_WITHOUT_ALTITUDE: Final = Bilingual(
    fr="Un plafond (ceiling) ne va pas sans altitude.", en="A ceiling does not go without an altitude."
)

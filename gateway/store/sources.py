"""Sources: the alerts of other senders that an alert passes on, and how its sender may handle them.

An alert names its sources in ``references``; whatever its sender's own earlier alerts passed on that it refers to, it
passes on too, and so it does with what its sources passed on in their turn. A Cancel says only that these are over:
what they passed on is none of its sources.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.release import Source, SourceHandling
from gateway.sealing.marks import Marks
from gateway.store.handling import read_handling
from gateway.store.names import name_mark, name_marks
from gateway.store.tables import alerts, citations, dispatches
from gateway.store.terms import read_terms
from schemas.alerts.header import Alert, read_references
from schemas.ids import AlertId, ParticipantId

Name: TypeAlias = tuple[ParticipantId, bytes]
"""What an alert is known by: its sender, and the mark of both (``gateway.store.names``)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What an alert passes on: ``cited`` is all of it, sorted by name, ``binding`` what it must answer for.

    What it names comes first in ``binding``, what that passed on in its turn after it, each in alphabetical order and
    once: of two that nothing tells apart, one says it all. ``threads`` are those of its sender's own alerts to which
    it refers.
    """

    cited: tuple[Name, ...]
    binding: tuple[Source, ...]
    threads: tuple[AlertId, ...] = ()


NO_SOURCES: Final = Sources((), ())


async def find_sources(
    connection: AsyncConnection, marks: Marks, alert: Alert, *, before: int | None = None
) -> Sources:
    """Return what an alert passes on; with ``before``, an index of the log, as it was then.

    Only what was released to the alert's sender counts as received by it. Of what a source passed on, the alert's
    sender knows only by it: it is to be handled as that source is.
    """
    if not alert.references:
        return NO_SOURCES
    references = read_references(alert.references)
    named: set[Name] = {
        (each.sender, name_mark(marks, each.sender, each.identifier))
        for each in references
        if each.sender != alert.sender
    }
    own = {each.identifier for each in references if each.sender == alert.sender}
    threads = await _threads(connection, name_marks(marks, alert.sender, own), before)
    inherited = await _inherited(connection, threads, before)
    if not named | inherited:
        return Sources((), (), threads)
    received = await _received(connection, alert.sender, named | inherited, before)
    carried = await _carried(connection, alert.sender, received)
    cited = named | inherited | carried.keys()
    asked = cited - inherited if alert.msgType == "Cancel" else cited
    direct = {_source(name, received.get(name)) for name in asked - carried.keys()}
    beyond = {carried[name] for name in asked & carried.keys()}
    return Sources(tuple(sorted(cited)), (*sorted(direct, key=_order), *sorted(beyond, key=_order)), threads)


async def _threads(connection: AsyncConnection, own: Sequence[bytes], before: int | None) -> tuple[AlertId, ...]:
    """Return the threads of a sender's own alerts, by their marks."""
    if not own:
        return ()
    statement = select(alerts.c.thread).where(alerts.c.name.in_(own))
    found = await connection.scalars(statement if before is None else statement.where(alerts.c.log_index < before))
    return tuple(sorted({AlertId(each) for each in found}))


async def _inherited(connection: AsyncConnection, threads: Sequence[AlertId], before: int | None) -> set[Name]:
    """Return what the alerts of some threads passed on."""
    if not threads:
        return set()
    statement = (
        select(citations.c.sender, citations.c.name)
        .join(alerts, alerts.c.alert_id == citations.c.alert_id)
        .where(alerts.c.thread.in_(threads))
    )
    rows = await connection.execute(statement if before is None else statement.where(alerts.c.log_index < before))
    return {(ParticipantId(row.sender), row.name) for row in rows}


@dataclass(frozen=True, slots=True)
class _Copy:
    """An alert as somebody received it."""

    alert_id: AlertId
    handling: SourceHandling


async def _received(
    connection: AsyncConnection, recipient: ParticipantId, names: Collection[Name], before: int | None
) -> Mapping[Name, _Copy]:
    statement = (
        select(alerts.c.alert_id, alerts.c.sender, alerts.c.name, alerts.c.handling, dispatches.c.terms)
        .join(dispatches, dispatches.c.alert_id == alerts.c.alert_id)
        .where(dispatches.c.recipient == recipient, dispatches.c.released.is_not(None))
    )
    if before is not None:
        statement = statement.where(dispatches.c.released < before)
    found: dict[Name, _Copy] = {}
    wanted = sorted(name for _, name in names)
    for first in range(0, len(wanted), _AT_ONCE):
        some = alerts.c.name.in_(wanted[first : first + _AT_ONCE])
        for row in await connection.execute(statement.where(some)):
            copy = _Copy(AlertId(row.alert_id), _handling(row.handling, row.terms))
            found[ParticipantId(row.sender), row.name] = copy
    return found


_AT_ONCE: Final = 10_000
"""Names that one statement looks for: databases bound its parameters at 32,766. An alert names 1,024 at most, and what
its thread passed on comes to it."""


async def _carried(
    connection: AsyncConnection, recipient: ParticipantId, received: Mapping[Name, _Copy]
) -> Mapping[Name, Source]:
    """Return what received alerts of others passed on in their turn, of which nothing else was received."""
    of = {copy.alert_id: name for name, copy in received.items()}
    if not of:
        return {}
    rows = await connection.execute(
        select(citations.c.alert_id, citations.c.sender, citations.c.name).where(
            citations.c.alert_id.in_(sorted(of)), citations.c.sender != recipient
        )
    )
    by: defaultdict[Name, list[Name]] = defaultdict(list)
    for row in rows:
        by[ParticipantId(row.sender), row.name].append(of[AlertId(row.alert_id)])
    return {
        name: Source(
            name[0],
            "",
            min((received[each] for each in carriers), key=lambda copy: copy.alert_id).handling,
            tuple(sorted({sender for sender, _ in carriers})),
        )
        for name, carriers in by.items()
        if name not in received
    }


def _source(name: Name, copy: _Copy | None) -> Source:
    return Source(name[0], "", None) if copy is None else Source(name[0], copy.alert_id, copy.handling)


def _order(source: Source) -> tuple[str, str, tuple[str, ...], str]:
    handling = source.handling
    label = "" if handling is None else f"{handling.tlp} {sorted(handling.codes)} {handling.onward.value}"
    return source.sender, source.known_as, source.through, label


def _handling(stored: str, terms: str | None) -> SourceHandling:
    handling = read_handling(stored)
    return SourceHandling(tlp=handling["tlp"], codes=frozenset(handling["codes"]), onward=read_terms(terms).onward)

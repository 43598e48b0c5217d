"""Sources: the alerts of other senders that an alert passes on, and how its sender may handle them.

An alert names its sources in ``references``; whatever its sender's own earlier alerts passed on that it refers to, it
passes on too, and so it does with what its sources passed on in their turn. A Cancel says only that these are over:
what they passed on is none of its sources.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson
from sqlalchemy import ColumnElement, FromClause, Text, bindparam, column, func, select
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.release import Source, SourceHandling
from gateway.store.handling import read_handling
from gateway.store.tables import alerts, citations, dispatches
from gateway.store.terms import read_terms
from schemas.alerts.header import Alert, Reference, read_references
from schemas.ids import AlertId, ParticipantId

Name: TypeAlias = tuple[ParticipantId, str]
"""What an alert is known by: its sender and identifier."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What an alert passes on: ``cited`` is all of it, sorted by name, ``binding`` what it must answer for.

    What it names comes first in ``binding``, what that passed on in its turn after it. ``threads`` are those of its
    sender's own alerts to which it refers.
    """

    cited: tuple[Name, ...]
    binding: tuple[Source, ...]
    threads: tuple[AlertId, ...] = ()


NO_SOURCES: Final = Sources((), ())


async def find_sources(connection: AsyncConnection, alert: Alert, *, before: int | None = None) -> Sources:
    """Return what an alert passes on; with ``before``, an index of the log, as it was then.

    Only what was released to the alert's sender counts as received by it. Of what a source passed on, the alert's
    sender knows only by it: it is to be handled as that source is.
    """
    if not alert.references:
        return NO_SOURCES
    references = read_references(alert.references)
    named: set[Name] = {(each.sender, each.identifier) for each in references if each.sender != alert.sender}
    threads = await _threads(connection, alert.sender, references, before)
    inherited = await _inherited(connection, threads, before)
    if not named | inherited:
        return Sources((), (), threads)
    received = await _received(connection, alert.sender, named | inherited, before)
    carried = await _carried(connection, alert.sender, received)
    cited = named | inherited | carried.keys()
    asked = cited - inherited if alert.msgType == "Cancel" else cited
    direct = [Source(*name, _handling_of(received.get(name))) for name in sorted(asked - carried.keys())]
    beyond = [carried[name] for name in sorted(asked & carried.keys())]
    return Sources(tuple(sorted(cited)), (*direct, *beyond), threads)


async def _threads(
    connection: AsyncConnection, sender: ParticipantId, references: Iterable[Reference], before: int | None
) -> tuple[AlertId, ...]:
    """Return the threads of a sender's own alerts among some references."""
    own = sorted({each.identifier for each in references if each.sender == sender})
    if not own:
        return ()
    statement = select(alerts.c.thread).where(alerts.c.sender == sender, alerts.c.identifier.in_(own))
    found = await connection.scalars(statement if before is None else statement.where(alerts.c.log_index < before))
    return tuple(sorted({AlertId(each) for each in found}))


async def _inherited(connection: AsyncConnection, threads: Sequence[AlertId], before: int | None) -> set[Name]:
    """Return what the alerts of some threads passed on."""
    if not threads:
        return set()
    statement = (
        select(citations.c.sender, citations.c.identifier)
        .join(alerts, alerts.c.alert_id == citations.c.alert_id)
        .where(alerts.c.thread.in_(threads))
    )
    rows = await connection.execute(statement if before is None else statement.where(alerts.c.log_index < before))
    return {(ParticipantId(row.sender), row.identifier) for row in rows}


@dataclass(frozen=True, slots=True)
class _Copy:
    """An alert as somebody received it."""

    alert_id: AlertId
    handling: SourceHandling


async def _received(
    connection: AsyncConnection, recipient: ParticipantId, names: Collection[Name], before: int | None
) -> Mapping[Name, _Copy]:
    wanted, sender, identifier = _names_of(connection)
    statement = (
        select(alerts.c.alert_id, alerts.c.sender, alerts.c.identifier, alerts.c.handling, dispatches.c.terms)
        .select_from(wanted)
        .join(alerts, (alerts.c.sender == sender) & (alerts.c.identifier == identifier))
        .join(dispatches, dispatches.c.alert_id == alerts.c.alert_id)
        .where(dispatches.c.recipient == recipient, dispatches.c.released.is_not(None))
    )
    rows = await connection.execute(
        statement if before is None else statement.where(dispatches.c.released < before),
        {"names": orjson.dumps(sorted(names)).decode()},
    )
    return {
        (ParticipantId(row.sender), row.identifier): _Copy(AlertId(row.alert_id), _handling(row.handling, row.terms))
        for row in rows
    }


def _names_of(connection: AsyncConnection) -> tuple[FromClause, ColumnElement[str], ColumnElement[str]]:
    """Return the pairs of the JSON array ``names`` as rows, with both of their columns.

    One statement for any number of names, whoever made them up: a list of pairs SQLite looks for by reading the whole
    table, and a look-up for each sender would take seconds for an alert that cites a thousand.
    """
    names = bindparam("names", type_=Text)
    if connection.dialect.name == "sqlite":
        pairs = func.json_each(names).table_valued("value", name="wanted")
        return pairs, func.json_extract(pairs.c.value, "$[0]"), func.json_extract(pairs.c.value, "$[1]")
    wanted = func.jsonb_array_elements(cast_to(names, JSONB)).table_valued(column("value", JSONB), name="wanted")
    return wanted, wanted.c.value[0].astext, wanted.c.value[1].astext


async def _carried(
    connection: AsyncConnection, recipient: ParticipantId, received: Mapping[Name, _Copy]
) -> Mapping[Name, Source]:
    """Return what received alerts of others passed on in their turn, of which nothing else was received."""
    of = {copy.alert_id: name for name, copy in received.items()}
    if not of:
        return {}
    rows = await connection.execute(
        select(citations.c.alert_id, citations.c.sender, citations.c.identifier).where(
            citations.c.alert_id.in_(sorted(of)), citations.c.sender != recipient
        )
    )
    by: defaultdict[Name, list[Name]] = defaultdict(list)
    for row in rows:
        by[ParticipantId(row.sender), row.identifier].append(of[AlertId(row.alert_id)])
    return {
        name: Source(*name, received[min(carriers)].handling, tuple(sorted({sender for sender, _ in carriers})))
        for name, carriers in by.items()
        if name not in received
    }


def _handling_of(copy: _Copy | None) -> SourceHandling | None:
    return None if copy is None else copy.handling


def _handling(stored: str, terms: str | None) -> SourceHandling:
    handling = read_handling(stored)
    return SourceHandling(tlp=handling["tlp"], codes=frozenset(handling["codes"]), onward=read_terms(terms).onward)

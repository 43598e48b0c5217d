"""Sources: the alerts of other senders that an alert passes on, and how its sender may handle them.

An alert names its sources in ``references``; whatever its sender's own earlier alerts passed on that it refers to, it
passes on too. A Cancel says only that these are over: what they passed on is none of its sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.release import Source, SourceHandling
from gateway.store.tables import alerts, citations, dispatches
from gateway.store.terms import read_terms
from schemas.alerts.header import Alert, Reference, read_references
from schemas.ids import ParticipantId
from schemas.submission import read_submission


@dataclass(frozen=True, slots=True)
class Sources:
    """What an alert passes on, sorted by name: ``cited`` is all of it, ``binding`` what it must answer for."""

    cited: tuple[tuple[ParticipantId, str], ...]
    binding: tuple[Source, ...]


NO_SOURCES: Final = Sources((), ())


async def find_sources(connection: AsyncConnection, alert: Alert, *, before: int | None = None) -> Sources:
    """Return what an alert passes on; with ``before``, an index of the log, as it was then.

    Only what was released to the alert's sender counts as received by it.
    """
    if not alert.references:
        return NO_SOURCES
    references = read_references(alert.references)
    named = {(each.sender, each.identifier) for each in references if each.sender != alert.sender}
    inherited = await _inherited(connection, alert.sender, references, before)
    cited = tuple(sorted(named | inherited))
    if not cited:
        return NO_SOURCES
    binding = sorted(named - inherited) if alert.msgType == "Cancel" else cited
    received: dict[tuple[ParticipantId, str], SourceHandling] = {}
    for sender in {sender for sender, _ in binding}:
        identifiers = [identifier for each, identifier in binding if each == sender]
        received.update(await _received(connection, alert.sender, sender, identifiers, before))
    return Sources(cited, tuple(Source(*name, received.get(name)) for name in binding))


async def _inherited(
    connection: AsyncConnection, sender: ParticipantId, references: Iterable[Reference], before: int | None
) -> set[tuple[ParticipantId, str]]:
    """Return what a sender's own earlier alerts passed on, and those of their threads."""
    own = sorted({each.identifier for each in references if each.sender == sender})
    if not own:
        return set()
    threads = select(alerts.c.thread).where(alerts.c.sender == sender, alerts.c.identifier.in_(own))
    statement = (
        select(citations.c.sender, citations.c.identifier)
        .join(alerts, alerts.c.alert_id == citations.c.alert_id)
        .where(alerts.c.thread.in_(threads))
    )
    rows = await connection.execute(statement if before is None else statement.where(alerts.c.log_index < before))
    return {(ParticipantId(row.sender), row.identifier) for row in rows}


async def _received(
    connection: AsyncConnection,
    recipient: ParticipantId,
    sender: ParticipantId,
    identifiers: Sequence[str],
    before: int | None,
) -> Mapping[tuple[ParticipantId, str], SourceHandling]:
    # one look-up for each sender: SQLite finds pairs of values in a list by reading the whole table
    statement = (
        select(alerts.c.identifier, alerts.c.submission, dispatches.c.terms)
        .join(dispatches, dispatches.c.alert_id == alerts.c.alert_id)
        .where(
            alerts.c.sender == sender,
            alerts.c.identifier.in_(identifiers),
            dispatches.c.recipient == recipient,
            dispatches.c.released.is_not(None),
        )
    )
    rows = await connection.execute(statement if before is None else statement.where(dispatches.c.released < before))
    return {(sender, row.identifier): _handling(row.submission, row.terms) for row in rows}


def _handling(submission: bytes, terms: str | None) -> SourceHandling:
    document = cast("Mapping[str, Any]", read_submission(submission).document())
    handling = document["handling"]
    return SourceHandling(
        tlp=handling["tlp"], codes=frozenset(handling.get("codes", ())), onward=read_terms(terms).onward
    )

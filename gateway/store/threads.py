"""Threads: which alert an Update or Cancel belongs to, and whom its thread has reached."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables import alerts, dispatches
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, AlertId, ParticipantId


@dataclass(frozen=True, slots=True)
class Thread:
    """The first alert's id, and for each participant that the thread reached the clause that last let it through."""

    first: AlertId
    reached: dict[ParticipantId, ClauseRef]


async def find_thread(
    connection: AsyncConnection, *, sender: ParticipantId, identifiers: Collection[str]
) -> Thread | None:
    """Return the thread of the earliest known alert of ``sender`` among ``identifiers``; None where none is known.

    Where the references name alerts of several threads, everyone whom any of those reached counts as reached.
    """
    known = await connection.execute(
        select(alerts.c.thread)
        .where(alerts.c.sender == sender, alerts.c.identifier.in_(sorted(set(identifiers))))
        .order_by(alerts.c.log_index)
    )
    threads = list(dict.fromkeys(known.scalars()))
    if not threads:
        return None
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.agreement, dispatches.c.version, dispatches.c.clause)
        .where(dispatches.c.thread.in_(threads))
        .order_by(dispatches.c.log_index)
    )
    return Thread(
        first=AlertId(threads[0]),
        reached={
            ParticipantId(row.recipient): ClauseRef(AgreementId(row.agreement), row.version, row.clause) for row in rows
        },
    )

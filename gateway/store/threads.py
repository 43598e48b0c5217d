"""Threads: which alert an Update or Cancel belongs to, and whom its thread has reached."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.sealing.marks import Marks
from gateway.store.names import name_marks
from gateway.store.tables import alerts, dispatches
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, AlertId, ParticipantId


@dataclass(frozen=True, slots=True)
class Thread:
    """The first alert's id, and for each participant that the thread reached the clause that last let it through.

    What is held reaches nobody until it is released.
    """

    first: AlertId
    reached: dict[ParticipantId, ClauseRef]


async def find_thread(
    connection: AsyncConnection,
    marks: Marks,
    *,
    sender: ParticipantId,
    identifiers: Collection[str],
    before: int | None = None,
) -> Thread | None:
    """Return the thread of the earliest known alert of ``sender`` among ``identifiers``; None where none is known.

    Where the references name alerts of several threads, everyone whom any of those reached counts as reached. With
    ``before``, an index of the log, it is the thread as it was then.
    """
    cited = (
        select(alerts.c.thread)
        .where(alerts.c.name.in_(name_marks(marks, sender, identifiers)))
        .order_by(alerts.c.log_index)
    )
    known = await connection.execute(cited if before is None else cited.where(alerts.c.log_index < before))
    threads = list(dict.fromkeys(known.scalars()))
    if not threads:
        return None
    sent = (
        select(dispatches.c.recipient, dispatches.c.agreement, dispatches.c.version, dispatches.c.clause)
        .where(dispatches.c.thread.in_(threads), dispatches.c.released.is_not(None))
        .order_by(dispatches.c.log_index)
    )
    rows = await connection.execute(sent if before is None else sent.where(dispatches.c.released < before))
    return Thread(
        first=AlertId(threads[0]),
        reached={
            ParticipantId(row.recipient): ClauseRef(AgreementId(row.agreement), row.version, row.clause) for row in rows
        },
    )

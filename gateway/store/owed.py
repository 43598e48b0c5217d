"""Acknowledgements that a clause requires by a deadline: which are overdue, and the evidence that they are.

What is late is said once. A recipient may still acknowledge afterwards, and then the log says both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from gateway.store.committer import Batch
from gateway.store.dispatches import DELIVERED, OPEN, evidence_of, rows_of
from gateway.store.tables import dispatches
from schemas.ids import DeliveryId, ParticipantId
from schemas.timestamps import utc_text_of_ms

_OWING: Final = (*OPEN, DELIVERED)
"""The states in which an acknowledgement is owed; how any other came about says that there will be none."""


async def overdue_acknowledgements(connection: AsyncConnection, *, now_ms: int, limit: int) -> Sequence[DeliveryId]:
    """Return dispatches whose acknowledgement was due by now and has not come, the longest overdue first.

    Those that ended meanwhile are among them: the writer takes note that nothing is owed, so that they are asked about
    once and not at every look for good.
    """
    found = await connection.scalars(
        select(dispatches.c.delivery_id)
        .where(dispatches.c.owed_ms <= now_ms)
        .order_by(dispatches.c.owed_ms)
        .limit(limit)
    )
    return [DeliveryId(each) for each in found]


async def no_longer_owed(connection: AsyncConnection, deliveries: Collection[str]) -> None:
    """Take note that nothing is to be awaited of these any more."""
    if deliveries:
        owed = update(dispatches).where(dispatches.c.delivery_id.in_(sorted(deliveries)))
        await connection.execute(owed.values(owed_ms=None))


class OverdueWriter:
    """Logs that an acknowledgement did not come in time."""

    async def write(self, batch: Batch, items: Sequence[DeliveryId]) -> Sequence[ParticipantId | None]:
        """Return of each whose acknowledgement is overdue; None where it came, was logged before, or is not owed."""
        rows = await rows_of(batch.connection, set(items))
        results: list[ParticipantId | None] = []
        settled: set[str] = set()
        for item in items:
            row = rows.get(item)
            if row is None or item in settled or row["owed_ms"] is None or row["owed_ms"] > batch.now_ms:
                results.append(None)
                continue
            settled.add(item)
            if row["state"] not in _OWING:
                results.append(None)
                continue
            batch.log.append(
                evidence_of(Kind.ACKNOWLEDGEMENT_OVERDUE, row, {"deadline": utc_text_of_ms(row["owed_ms"])})
            )
            results.append(ParticipantId(row["recipient"]))
        await no_longer_owed(batch.connection, settled)
        return results

"""What an operator mends in the database after a loss elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from audit.log import open_batch
from gateway.store.committer import Batch
from gateway.store.dispatches import Reopening, ReopenWriter
from gateway.store.engine import Store
from gateway.store.schema import reached, require_ready


async def reopen_all(store: Store, *, now: datetime, randomness: Callable[[int], bytes]) -> int:
    """Make every published dispatch pending again, for a bus that lost its records; return how many there were.

    One transaction, which holds the log's head as every write does, so that gateways and a relay may be at work. No
    entry is made of it. Raises ``StoreError`` and ``AuditError``.
    """
    await require_ready(store)
    async with reached(store.writer) as connection:
        log = await open_batch(connection, now=now, randomness=randomness)
        batch = Batch(connection=connection, log=log, now=now, randomness=randomness)
        (reopened,) = await ReopenWriter().write(batch, [Reopening.ALL])
        return len(reopened)

"""The watch over deadlines: a dispatch whose time is over ends as expired, in the log and in the operator's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import ExpiryWriter, Settled
from gateway.store.due import overdue
from gateway.store.engine import Store

log = structlog.get_logger(__name__)

INTERVAL = 0.5
"""Seconds between two looks."""
LIMIT = 500


class DeadlineWatch:
    """Ends what is overdue."""

    def __init__(
        self, *, store: Store, committer: Committer, clock: Clock, on_expired: Callable[[Settled], None]
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._writer = ExpiryWriter()
        self._on_expired = on_expired

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("deadlines_wait_for_the_log")
            await asyncio.sleep(INTERVAL)

    async def look(self) -> int:
        """End every dispatch that is overdue now; return how many."""
        ended = 0
        while True:
            async with self._store.reading() as connection:
                found = await overdue(connection, now_ms=int(self._clock().timestamp() * 1000), limit=LIMIT)
            if not found:
                return ended
            results = await asyncio.gather(*(self._committer.submit(self._writer, each) for each in found))
            for settled in results:
                if settled is not None:
                    ended += 1
                    log.warning(
                        "delivery_expired", delivery_id=settled.delivery_id, participant=settled.route.recipient
                    )
                    self._on_expired(settled)

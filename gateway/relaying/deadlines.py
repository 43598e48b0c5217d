"""The watch over deadlines: whatever is over by its time ends in the log and in the operator's eyes.

A dispatch whose deadline has passed ends as expired; one that waits for consent longer than it may ends as withheld; of
one that should have been acknowledged by now the log says so, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog

from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer, Writer
from gateway.store.consents import LapseWriter, lapsed
from gateway.store.dispatches import ExpiryWriter, Settled
from gateway.store.due import overdue
from gateway.store.engine import Store
from gateway.store.owed import OverdueWriter, overdue_acknowledgements
from schemas.ids import DeliveryId, ParticipantId

log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")

INTERVAL: Final = 0.5
"""Seconds between two looks."""
LIMIT: Final = 500


class DeadlineWatch:
    """Ends what is overdue."""

    def __init__(
        self,
        *,
        store: Store,
        committer: Committer,
        clock: Clock,
        on_ended: Callable[[Settled], None],
        on_unacknowledged: Callable[[ParticipantId], None],
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._expiries = ExpiryWriter()
        self._lapses = LapseWriter()
        self._overdue = OverdueWriter()
        self._on_ended = on_ended
        self._on_unacknowledged = on_unacknowledged

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("deadlines_wait_for_the_log")
            await asyncio.sleep(INTERVAL)

    async def look(self) -> int:
        """End everything that is overdue now; return how much."""
        expired = await self._end(overdue, self._expiries)
        lapses = await self._end(lapsed, self._lapses)
        for event, ended in (("delivery_expired", expired), ("consent_lapsed", lapses)):
            for settled in ended:
                log.warning(event, delivery_id=settled.delivery_id, participant=settled.route.recipient)
                self._on_ended(settled)
        unacknowledged = await self._end(overdue_acknowledgements, self._overdue)
        for participant in unacknowledged:
            log.warning("acknowledgement_overdue", participant=participant)
            self._on_unacknowledged(participant)
        return len(expired) + len(lapses) + len(unacknowledged)

    async def _end(
        self, find: Callable[..., Awaitable[Sequence[DeliveryId]]], writer: Writer[DeliveryId, ResultT | None]
    ) -> list[ResultT]:
        """Have a writer end all that is found, as much at once as one transaction should change."""
        ended: list[ResultT] = []
        while True:
            async with self._store.reading() as connection:
                found = await find(connection, now_ms=int(self._clock().timestamp() * 1000), limit=LIMIT)
            results = await asyncio.gather(*(self._committer.submit(writer, each) for each in found))
            fresh = [each for each in results if each is not None]
            if not fresh:
                return ended
            ended += fresh

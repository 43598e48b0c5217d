"""The exchange's own daily statements: what it handed to whom, in the log even where the partner says nothing.

Once a day is over (UTC), what was handed over of it is counted for each recipient and written into the log; once more
when a later look finds otherwise, for a delivery may be tried for days. A day is looked at until none of its deliveries
can change any more, for ``LOOKS_BACK`` days at most; a relay that begins looks at all of them once. Beside, whoever is
expected to compare its books and has not done so for too long is told of.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, timedelta
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.settings.exchange import ReconciliationSettings
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.store.reckoning import read_books
from gateway.store.reconciliations import OwnStatement, OwnStatementWriter, waiting_since
from gateway.watching.metrics import RelayMetrics
from schemas.reconciliation import day_of

log = structlog.get_logger(__name__)

INTERVAL: Final = 600.0
"""Seconds between two looks."""
LOOKS_BACK: Final = 8
"""Days that are looked at, the last one being yesterday."""


class Reckoner:
    """Writes daily statements, and tells of partners that are overdue. One is active for a database."""

    def __init__(
        self,
        *,
        store: Store,
        committer: Committer,
        clock: Clock,
        settings: ReconciliationSettings,
        metrics: RelayMetrics,
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._writer = OwnStatementWriter()
        self._done: set[date] = set()

    async def run(self) -> None:
        """Look until cancelled, also where the log can't be appended for a while."""
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("reckoning_waits_for_the_log")
            await asyncio.sleep(INTERVAL)

    async def look(self) -> int:
        """Write what is new of each day, and return how many statements that were."""
        today = self._clock().astimezone(UTC).date()
        days = [today - timedelta(days=back) for back in range(LOOKS_BACK, 0, -1)]
        self._done &= set(days)
        written = 0
        for day in days:
            if day not in self._done:
                written += await self._state(day)
        await self._look_for_overdue()
        return written

    async def _state(self, day: date) -> int:
        period = day_of(day)
        books = await read_books(self._store, period)
        statements = [
            OwnStatement(participant, period, each.groups(in_one=False), each.open)
            for participant, each in sorted(books.items())
            if each.tallies or each.open
        ]
        written = await asyncio.gather(*(self._committer.submit(self._writer, each) for each in statements))
        if not any(each.open or each.held for each in books.values()):
            self._done.add(day)
        return sum(written)

    async def _look_for_overdue(self) -> None:
        if self._settings.within_days is None:
            return
        limit = int((self._clock() - timedelta(days=self._settings.within_days)).timestamp() * 1000)
        for participant in self._settings.participants:
            async with self._store.reading() as connection:
                since = await waiting_since(connection, participant)
            overdue = since is not None and since < limit
            if overdue:
                log.warning("reconciliation_overdue", participant=participant)
            self._metrics.unreconciled(participant, overdue=overdue)

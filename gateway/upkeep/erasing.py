"""The erasing: content whose time has come, and the keys of days that are over.

One relay does so for a database. Content that is due is erased by the entry that says so and the deletion of its key.
The key of a day that is over is destroyed once nothing in the database depends on it any more: whatever copies of what
it wrapped there are, nobody reads them from then on. So a restored backup finds its content erased, and this says so
anew where its log does not.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.sealing.contents import Contents
from gateway.sealing.errors import SealingError
from gateway.sealing.folder import day_of
from gateway.store.committer import Committer
from gateway.store.content_keys import wrapping_keys
from gateway.store.engine import Store
from gateway.store.erasing import EraseWriter, count_erasures, due_contents
from gateway.store.standing import keys_of_threads
from gateway.watching.metrics import ErasureMetrics

log = structlog.get_logger(__name__)

INTERVAL: Final = 15.0
"""Seconds between two looks."""
LIMIT: Final = 200
UNUSED_FOR: Final = 600.0
"""Seconds after which a hold's key that wraps nothing is destroyed: one that is being placed wraps something sooner."""


class Eraser:
    """Erases what is due."""

    def __init__(
        self,
        *,
        store: Store,
        committer: Committer,
        contents: Contents,
        clock: Clock,
        metrics: ErasureMetrics,
        interval: float = INTERVAL,
    ) -> None:
        self._store = store
        self._committer = committer
        self._contents = contents
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._writer = EraseWriter()

    async def run(self) -> None:
        """Erase until cancelled, also where the database or the folder is away for a while."""
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("erasing_waits_for_the_log")
            except SealingError as error:
                log.critical("content_keys_unavailable", reason=error.reason.en)
                self._metrics.keys_unavailable()
            await asyncio.sleep(self._interval)

    async def look(self) -> int:
        """Erase everything that is due now, destroy the keys that have served, and return how much was erased.

        Raises ``LogUnavailableError``, and ``KeyFolderError`` where a key can't be destroyed.
        """
        erased = 0
        while done := await self._erase():
            erased += done
        async with self._store.reading() as connection:
            counts = await count_erasures(connection, now_ms=self._now_ms())
            needed = await wrapping_keys(connection)
            spared = await keys_of_threads(connection)
        self._metrics.found(counts)
        await self._destroy(frozenset((*needed, *spared)))
        lost = [name for name in self._contents.missing(needed) if not self._contents.is_over(name)]
        for name in lost:
            log.error("content_key_missing", key=name)
        self._metrics.keys(missing=len(lost))
        return erased

    async def _erase(self) -> int:
        async with self._store.reading() as connection:
            due = await due_contents(connection, now_ms=self._now_ms(), limit=LIMIT)
        bases = await asyncio.gather(*(self._committer.submit(self._writer, each) for each in due))
        erased = Counter(basis for basis in bases if basis is not None)
        for basis, count in erased.items():
            self._metrics.erased(basis, count)
        if erased:
            log.info("content_erased", alert_id=[each for each, basis in zip(due, bases, strict=True) if basis])
        return erased.total()

    async def _destroy(self, needed: frozenset[str]) -> None:
        for name in self._contents.folder.names():
            if name in needed:
                continue
            is_over = self._contents.is_over(name)
            if day_of(name) is None:
                is_over = self._contents.folder.age(name, now=self._clock()) > UNUSED_FOR
            if is_over:
                self._contents.forget(name)
                await asyncio.to_thread(self._contents.folder.destroy, name)
                log.info("content_key_destroyed", key=name)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

"""Keeping the index of the log: a segment for every so many entries, once they are all there.

Nobody waits for it, since what has no segment yet is looked through entry by entry; so it rests many times as long as
it worked, and takes no more than a twentieth of the time of whoever else writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog

from audit.log import read_head
from audit.segments import SEGMENT, build, indexed
from gateway.errors import LogUnavailableError
from gateway.store.committer import Batch, Committer
from gateway.store.engine import Store

log = structlog.get_logger(__name__)

INTERVAL: Final = 1.0
"""Seconds between two looks while there is nothing to do."""
_RESTS: Final = 19.0


class SegmentWriter:
    """Builds segments; an item is a segment's number, its result whether it was not there."""

    async def write(self, batch: Batch, items: Sequence[int]) -> Sequence[bool]:
        """Build the next segment, where it is among the items: one transaction builds one."""
        following = await indexed(batch.connection) // SEGMENT
        if following in items:
            await build(batch.connection, following)
        return [item == following for item in items]


class Indexer:
    """Builds segments as the log grows. One is active for a database."""

    def __init__(self, *, store: Store, committer: Committer) -> None:
        self._store = store
        self._committer = committer
        self._writer = SegmentWriter()

    async def run(self) -> None:
        """Build until cancelled, also where the database is away for a while."""
        while True:
            began = time.monotonic()
            try:
                built = await self.build_next()
            except LogUnavailableError:
                log.warning("index_waits_for_the_log")
                built = False
            await asyncio.sleep(_RESTS * (time.monotonic() - began) if built else INTERVAL)

    async def build_next(self) -> bool:
        """Build one segment, if its entries are there; say whether it was. Raises ``LogUnavailableError``."""
        async with self._store.reading() as connection:
            head, done = await read_head(connection), await indexed(connection)
        if head.size < done + SEGMENT:
            return False
        return await self._committer.submit(self._writer, done // SEGMENT)

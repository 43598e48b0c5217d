"""What a process needs where others write to the same log: their checkpoints, and what they make of the registry."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from audit.checkpoints import Checkpoint, PublishedState, read_latest, require_memory
from audit.errors import AuditError
from gateway.errors import LogUnavailableError, StoreError
from gateway.log.doubts import Doubts
from gateway.store.engine import Store
from gateway.upkeep.following import RegistryFollower

log = structlog.get_logger(__name__)

INTERVAL: Final = 0.25
"""Seconds between two looks at the last checkpoint."""


class Sharing:
    """One process's share in a log of several. It knows the last checkpoint, whichever process signed it."""

    def __init__(self, store: Store, doubts: Doubts, follower: RegistryFollower | None = None) -> None:
        """Follow the checkpoints and the doubts about the log, and the registry too where there is a follower of it."""
        self._store = store
        self._doubts = doubts
        self._follower = follower
        self._latest: Checkpoint | None = None

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that was published last; None before the first."""
        return self._latest

    async def start(self) -> None:
        """Read what there is. Raises ``LogUnavailableError``."""
        async with self._store.reading() as connection:
            self._latest = await read_latest(connection)
            await self._doubts.read(connection)

    async def require_memory(self, published: PublishedState) -> None:
        """Raise ``StoreError`` where this process could never sign: it has forgotten what was published."""
        try:
            await require_memory(published, self._latest)
        except AuditError as error:
            raise StoreError(error.reason) from error

    async def run(self) -> None:
        """Follow until cancelled, also where the database is away for a while."""
        async with asyncio.TaskGroup() as tasks:
            if self._follower is not None:
                tasks.create_task(self._follower.run())
            tasks.create_task(self._read_checkpoints())

    async def _read_checkpoints(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.start()
            except LogUnavailableError as error:
                log.warning("checkpoints_wait_for_the_database")
                await asyncio.sleep(error.retry_after)

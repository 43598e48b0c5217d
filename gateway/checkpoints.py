"""Signing the log's head, within a second of an append, and keeping the latest checkpoint at hand."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import OperationalError

from audit.checkpoints import Checkpoint, PublishedState, publish, read_latest
from audit.log import read_head
from audit.note import LogSigner
from gateway.clock import Clock
from gateway.store.engine import Store, is_storage_failure

log = structlog.get_logger(__name__)

INTERVAL = 0.3
"""Seconds between two checkpoints at the least; all that was appended in between is in the next."""


class CheckpointTask:
    """Publishes checkpoints while an exchange runs.

    It takes turns with the committer on the one writing connection, and signs only what an earlier transaction made
    durable.
    """

    def __init__(
        self, *, store: Store, signer: LogSigner, published: PublishedState, clock: Clock, poll: float | None = None
    ) -> None:
        """``poll`` is the seconds after which to look at the head untold; None where every append is told."""
        self._store = store
        self._signer = signer
        self._published = published
        self._clock = clock
        self._poll = poll
        self._latest: Checkpoint | None = None
        self._head_moved = asyncio.Event()

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that was published last; None before the first."""
        return self._latest

    def head_moved(self) -> None:
        """Say that the log has grown."""
        self._head_moved.set()

    async def start(self) -> None:
        """Read the last checkpoint, and sign the head if it is ahead of it.

        Raises ``AuditError`` where the database is behind what was published or contradicts it: a backup that was
        restored must not sign another history.
        """
        async with self._store.reading() as connection:
            self._latest = await read_latest(connection)
        await self._publish()

    async def run(self) -> None:
        """Sign until cancelled. What keeps a checkpoint from being signed ends the exchange; a lock is waited for."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._head_moved.wait()
            told = self._head_moved.is_set()
            self._head_moved.clear()
            if not told and not await self._grown():
                continue
            try:
                await self._publish()
            except OperationalError as error:
                if is_storage_failure(error):
                    raise
                log.warning("checkpoint_waits_for_the_log")
                self._head_moved.set()
            await asyncio.sleep(INTERVAL)

    async def _grown(self) -> bool:
        async with self._store.reading() as connection:
            head = await read_head(connection)
        return self._latest is None or head.size > self._latest.size

    async def _publish(self) -> None:
        async with self._store.writer.connect() as connection:
            signed = await publish(connection, self._signer, self._published, self._clock())
        if signed is not None:
            self._latest = signed

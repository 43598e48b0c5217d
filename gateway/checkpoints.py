"""Signing the log's head, within a second of an append, and keeping the latest checkpoint at hand."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoints import Checkpoint, PublishedState, publish, read_latest
from audit.note import LogSigner
from gateway.clock import Clock
from gateway.store.engine import DRIVER_TROUBLE, Store, is_storage_failure, is_unavailable

log = structlog.get_logger(__name__)

INTERVAL = 0.3
"""Seconds between two checkpoints at the least; all that was appended in between is in the next."""


class CheckpointTask:
    """Publishes checkpoints while an exchange runs.

    It takes turns with the committer on the one writing connection, and signs only what an earlier transaction made
    durable.
    """

    def __init__(self, *, store: Store, signer: LogSigner, published: PublishedState, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._published = published
        self._clock = clock
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
            await self._head_moved.wait()
            self._head_moved.clear()
            try:
                await self._publish()
            except (SQLAlchemyError, *DRIVER_TROUBLE) as error:
                if is_storage_failure(error) or not is_unavailable(error):
                    raise
                log.warning("checkpoint_waits_for_the_log")
                self._head_moved.set()
            await asyncio.sleep(INTERVAL)

    async def _publish(self) -> None:
        async with self._store.writer.connect() as connection:
            signed = await publish(connection, self._signer, self._published, self._clock())
        if signed is not None:
            self._latest = signed

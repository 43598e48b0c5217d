"""Signing the log's head, within a second of an append, and keeping the latest checkpoint at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoints import Checkpoint, PublishedState, publish, read_latest
from audit.errors import AuditError
from audit.note import LogSigner
from gateway.clock import Clock
from gateway.log.doubts import SIGNER, Doubt, Doubts
from gateway.store.engine import DRIVER_TROUBLE, Store, is_storage_failure, is_unavailable

log = structlog.get_logger(__name__)

INTERVAL = 0.3
"""Seconds between two checkpoints at the least; all that was appended in between is in the next."""

DOUBTING = 1.0
"""Seconds until a log that contradicts what was published is looked at again."""


class CheckpointTask:
    """Publishes checkpoints while an exchange runs.

    It takes turns with the committer on the one writing connection, and signs only what an earlier transaction made
    durable.
    """

    def __init__(
        self,
        *,
        store: Store,
        signer: LogSigner,
        published: PublishedState,
        clock: Clock,
        doubts: Doubts,
        on_published: Callable[[Checkpoint], None] = lambda _checkpoint: None,
    ) -> None:
        """Tell ``on_published`` of every checkpoint, and sign nothing while there are ``doubts``."""
        self._doubts = doubts
        self._on_published = on_published
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

    def cosigned(self, checkpoint: Checkpoint) -> None:
        """Show a checkpoint's cosignatures, if it is the latest one."""
        latest = self._latest
        if latest is not None and (latest.size, latest.root) == (checkpoint.size, checkpoint.root):
            self._latest = checkpoint

    async def start(self) -> None:
        """Read the last checkpoint, and sign the head if it is ahead of it.

        Raises ``AuditError`` where the database is behind what was published or contradicts it: a backup that was
        restored must not sign another history. Other processes learn of it, and accept nothing.
        """
        async with self._store.reading() as connection:
            self._latest = await read_latest(connection)
        try:
            await self._publish()
        except AuditError:
            await self._doubts.have(SIGNER, Doubt.BEHIND_PUBLISHED)
            raise

    async def run(self) -> None:
        """Sign until cancelled.

        A log that contradicts what was published stops the exchange from accepting until it is put right; a disk that
        fails ends it; a lock is waited for.
        """
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
            except AuditError as error:
                await self._doubts.have(SIGNER, Doubt.BEHIND_PUBLISHED)
                log.critical("checkpoint_not_signed", reason=error.reason.en)
                self._head_moved.set()
                await asyncio.sleep(DOUBTING)
            await asyncio.sleep(INTERVAL)

    async def _publish(self) -> None:
        if not self._doubts.only(SIGNER):
            self._head_moved.set()  # to look again once the witnesses are satisfied
            return
        async with self._store.writer.connect() as connection:
            signed = await publish(connection, self._signer, self._published, self._clock())
        await self._doubts.settle(SIGNER)
        if signed is not None:
            self._latest = signed
            self._on_published(signed)

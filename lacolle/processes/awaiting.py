"""A database that is away when a process starts is waited for; the process says so, and says that it is not ready.

Whatever serves a shared database may be started before it, or while it restarts. A server that answers and refuses
(the login, the database's name, the schema's revision) will say the same again: that ends the process at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog

from gateway.errors import LogUnavailableError, StoreUnavailableError
from lacolle.processes.lineup import Lineup, Part, run_while_told

log = structlog.get_logger(__name__)

AGAIN: Final = 1.0
"""Seconds until a database that is away is asked again."""
_AWAY: Final = (StoreUnavailableError, LogUnavailableError)


class StoppedMeanwhileError(Exception):
    """The process was told to stop before its database was there. Nothing is open."""


class Closable(Protocol):
    """What is opened on a database."""

    async def close(self) -> None:
        """Let go of the database."""
        ...


T = TypeVar("T", bound=Closable)
Listeners = Callable[[], Sequence[Part]]
"""Makes what answers, that the process is alive and not ready, for as long as the database is away."""


async def opened_once_reachable(
    open_: Callable[[], Awaitable[T]], *, listeners: Listeners, grace: float, orphaned: int | None = None
) -> T:
    """Return what ``open_`` opens, asking again for as long as its database is away.

    A stop gets ``grace`` seconds; ``orphaned`` is a pipe whose other end's closing is one. Raises
    ``StoppedMeanwhileError`` then, and what ``open_`` raises otherwise.
    """
    opening = _Opening(open_, listeners)
    await run_while_told(opening, grace=grace, orphaned=orphaned)
    if opening.opened is None:
        raise StoppedMeanwhileError
    return opening.opened


class _Opening(Generic[T]):
    """The part that a process consists of until it is open."""

    def __init__(self, open_: Callable[[], Awaitable[T]], listeners: Listeners) -> None:
        self.opened: T | None = None
        self._open = open_
        self._listeners = listeners
        self._told = asyncio.Event()

    async def run(self) -> None:
        """Return once it is open, or was told to stop. Raises what keeps it from ever opening."""
        attempts = asyncio.create_task(self._attempts(), name="opening")
        told = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({attempts, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            attempts.cancel()
        await asyncio.wait({attempts})
        if attempts.cancelled():
            return
        opened = attempts.result()
        if self._told.is_set():
            await opened.close()
        else:
            self.opened = opened

    def stop(self) -> None:
        """Give up. Idempotent."""
        self._told.set()

    async def _attempts(self) -> T:
        try:
            return await self._open()
        except _AWAY as error:
            log.warning("waiting_for_database", error=type(error).__name__)
        began, answering = time.monotonic(), Lineup(self._listeners())
        answers = asyncio.create_task(answering.run(), name="answering meanwhile")
        try:
            opened = await self._again()
        finally:
            answering.stop()
            await asyncio.wait({answers})
        log.info("database_reached", after=round(time.monotonic() - began, 1))
        return opened

    async def _again(self) -> T:
        while True:
            await asyncio.sleep(AGAIN)
            try:
                return await self._open()
            except _AWAY:
                continue

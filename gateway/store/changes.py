"""Hearing that the log has grown, whichever process wrote: PostgreSQL says so at once, and is asked now and then.

What is told is never more than the log's size, which is public: any role of the database can listen. Whoever hears it
reads what it needs to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Final

import structlog

from audit.log import read_head
from gateway.errors import LogUnavailableError
from gateway.store.address import Connection, PostgresAddress
from gateway.store.engine import DRIVER_TROUBLE, Store, is_unavailable

log = structlog.get_logger(__name__)

CHANNEL: Final = "lacolle_log"
"""PostgreSQL's channel; revision 0002 has the head's row notify it."""
POLL: Final = 0.5
"""Seconds between two looks where nobody says anything."""
_CONNECTS_WITHIN: Final = 5.0
_ASKED_EVERY: Final = 5.0
"""Seconds between two questions whether the listening connection stands: a half-open one says nothing for ever."""
_ANSWERS_WITHIN: Final = 2.0
_SESSION: Final = {
    "application_name": "lacolle listens",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_TROUBLE: Final = (*DRIVER_TROUBLE, OSError)


async def log_sizes(store: Store, *, poll: float = POLL) -> AsyncIterator[int]:
    """Yield the log's size now, and again whenever it was seen to have grown; several growths may be one.

    As soon as ``growths`` says so. Goes on while the database is away. Never ends by itself.
    """
    seen = -1
    async with aclosing(growths(store, poll=poll)) as told:
        async for _ in told:
            size = await _size(store)
            if size is not None and size > seen:
                seen = size
                yield size


async def growths(store: Store, *, poll: float = POLL) -> AsyncGenerator[None]:
    """Yield now, and again whenever the log may have grown since the last one was asked for.

    On PostgreSQL within milliseconds of another process's commit; within ``poll`` seconds where its word does not come
    through, and on SQLite. Goes on while the database is away. Never ends by itself.
    """
    grown = asyncio.Event()
    word = None if store.address is None else _Word(store.address, grown)
    try:
        while True:
            grown.clear()
            if word is not None:
                await word.keep()
            yield
            with suppress(TimeoutError):
                async with asyncio.timeout(poll if word is None else min(poll, _ASKED_EVERY)):
                    await grown.wait()
    finally:
        if word is not None:
            word.end()


class _Word:
    """PostgreSQL's word that the log has grown, and the connection by which it comes."""

    def __init__(self, address: PostgresAddress, grown: asyncio.Event) -> None:
        self._address = address
        self._grown = grown
        self._listening: Connection | None = None
        self._asked = 0.0

    async def keep(self) -> None:
        """Listen, by another connection where the last one does not stand any more; nothing where none can be had."""
        now = asyncio.get_running_loop().time()
        if self._listening is not None and now >= self._asked + _ASKED_EVERY:
            self._asked = now
            await self._ask(self._listening)
        if self._listening is not None and not self._listening.is_closed():
            return
        try:
            self._listening, self._asked = await self._listen(), now
        except _TROUBLE as error:
            self._listening = None
            if not is_unavailable(error):
                raise
            log.warning("database_unavailable")

    def end(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.terminate()

    async def _ask(self, connection: Connection) -> None:
        try:
            await connection.fetchval("SELECT 1", timeout=_ANSWERS_WITHIN)
        except _TROUBLE as error:
            log.warning("listening_anew", error=type(error).__name__)
            connection.terminate()

    async def _listen(self) -> Connection:
        connection = await self._address.connect(settings=_SESSION, within=_CONNECTS_WITHIN)
        try:
            connection.add_termination_listener(lambda _connection: self._grown.set())
            async with asyncio.timeout(_CONNECTS_WITHIN):
                await connection.add_listener(CHANNEL, lambda *_told: self._grown.set())
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _size(store: Store) -> int | None:
    try:
        async with store.reading() as connection:
            return (await read_head(connection)).size
    except LogUnavailableError:
        return None

"""Hearing that the log has grown, whichever process wrote: PostgreSQL says so at once, and is asked now and then.

What is told is never more than the log's size, which is public: any role of the database can listen. Whoever hears it
reads what it needs to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import asyncpg
import structlog

from audit.log import read_head
from gateway.errors import LogUnavailableError
from gateway.store.address import Connection, PostgresAddress
from gateway.store.engine import Store, is_unavailable

log = structlog.get_logger(__name__)

CHANNEL: Final = "lacolle_log"
"""PostgreSQL's channel; revision 0002 has the head's row notify it."""
POLL: Final = 0.5
"""Seconds between two looks where nobody says anything."""
_CONNECTS_WITHIN: Final = 5.0
_NO_PRIMARY: Final = asyncpg.TargetServerAttributeNotMatched


async def log_sizes(store: Store, *, poll: float = POLL) -> AsyncIterator[int]:
    """Yield the log's size now, and again whenever it was seen to have grown; several growths may be one.

    On PostgreSQL within milliseconds of another process's commit; within ``poll`` seconds where its word does not come
    through, and on SQLite. Goes on while the database is away. Never ends by itself.
    """
    grown, seen = asyncio.Event(), -1
    listening: Connection | None = None
    try:
        while True:
            grown.clear()
            if store.address is not None and (listening is None or listening.is_closed()):
                listening = await _listen(store.address, grown)
            size = await _size(store)
            if size is not None and size > seen:
                seen = size
                yield size
            with suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await grown.wait()
    finally:
        if listening is not None:
            listening.terminate()


async def _listen(address: PostgresAddress, grown: asyncio.Event) -> Connection | None:
    try:
        connection = await address.connect(settings={"application_name": "lacolle listens"}, within=_CONNECTS_WITHIN)
        connection.add_termination_listener(lambda _connection: grown.set())
        await connection.add_listener(CHANNEL, lambda *_told: grown.set())
    except (asyncpg.PostgresError, asyncpg.InterfaceError, _NO_PRIMARY, OSError, TimeoutError) as error:
        if not is_unavailable(error):
            raise
        log.warning("database_unavailable")
        return None
    return connection


async def _size(store: Store) -> int | None:
    try:
        async with store.reading() as connection:
            return (await read_head(connection)).size
    except LogUnavailableError:
        return None

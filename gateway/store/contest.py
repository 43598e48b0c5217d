"""Who relays, on PostgreSQL: a session's advisory lock, held on a connection of its own.

The lock is the session's: it ends when the connection does, however that ends, and nobody has to clean up after a
process that died. Whoever holds it asks the server every ``BEAT`` seconds whether the connection still stands, and
stops relaying at once where it does not. The server is told to notice a dead peer within seconds as well, so that the
next process need not wait for TCP's two hours, and to end the session of one that is silent: a process that is frozen
holds nobody up. What it had in hand when it wakes goes out twice at worst, and partners deduplicate.

A pooler that hands sessions around between transactions breaks this: connect to the server itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from gateway.leadership import Term
from gateway.store.address import Connection, PostgresAddress
from gateway.store.engine import DRIVER_TROUBLE

log = structlog.get_logger(__name__)

LOCK: Final = int.from_bytes(b"lacrelay", "big")
"""The number of the advisory lock; another one is the upgrade's."""
STANDBY: Final = 0.5
"""Seconds between two attempts at the lock."""
BEAT: Final = 1.0
PATIENCE: Final = 2.0
"""Seconds that an answer of the server's may take, before the connection counts as lost."""
AWAY: Final = 1.0
"""Seconds until a server that is away is tried again."""
_SESSION: Final = {
    "application_name": "lacolle relays",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # several beats: of a process that was stopped the kernel still answers, so keepalives say nothing
    "idle_session_timeout": "5s",
}
_TROUBLE: Final = (*DRIVER_TROUBLE, OSError)


class _Term:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed = asyncio.Event()
        connection.add_termination_listener(lambda _connection: self._closed.set())

    async def lost(self) -> None:
        while not self._closed.is_set():
            try:
                # one message (simple query): stopped between two of them we would be waited for, and never be idle
                await self._connection.execute("SELECT 1")
            except _TROUBLE:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._closed.wait()

    async def end(self) -> None:
        try:
            await self._connection.close(timeout=PATIENCE)
        except _TROUBLE:
            self._connection.terminate()


class PostgresLeadership:
    """The contest among processes that share one PostgreSQL database; see ``gateway.leadership.Leadership``."""

    def __init__(self, address: PostgresAddress) -> None:
        """Connect nothing yet."""

        async def connect() -> Connection:
            return await address.connect(settings=_SESSION, within=5.0, answers_within=PATIENCE)

        self._connect = connect

    async def won(self) -> Term:
        """Wait for the lock, also where the database is away for a while."""
        told = False
        while True:
            try:
                connection = await self._connect()
                try:
                    while not await _locked(connection):
                        if not told:
                            log.info("relay_stands_by")
                            told = True
                        await asyncio.sleep(STANDBY)
                except BaseException:
                    connection.terminate()
                    raise
                return _Term(connection)
            except _TROUBLE as error:
                log.warning("database_away", error=type(error).__name__)
                await asyncio.sleep(AWAY)

    async def won_at_once(self) -> Term | None:
        """Ask for the lock once."""
        try:
            connection = await self._connect()
            try:
                if await _locked(connection):
                    return _Term(connection)
            except BaseException:
                connection.terminate()
                raise
            connection.terminate()
        except _TROUBLE as error:
            log.warning("database_away", error=type(error).__name__)
        return None


async def _locked(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK))

"""Who relays, on PostgreSQL: a session's advisory lock, held on a connection of its own; and hints by NOTIFY.

The lock is the session's: it ends when the connection does, however that ends, and nobody has to clean up after a
process that died. Whoever holds it asks the server every ``BEAT`` seconds whether the connection still stands, and
stops relaying at once where it does not. The server is told to notice a dead peer within seconds as well, so that the
next process need not wait for TCP's two hours.

A pooler that hands sessions around between transactions breaks both: connect to the server itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import asyncpg
import structlog

from gateway.hints import Listener
from gateway.leadership import Leadership, Notifier, Term
from gateway.store.dispatches import Route
from schemas.decisions import Lane
from schemas.ids import ParticipantId

log = structlog.get_logger(__name__)

Connection: TypeAlias = "asyncpg.Connection[Any]"
Connect: TypeAlias = Callable[[], Awaitable[Connection]]

LOCK: Final = int.from_bytes(b"lacrelay", "big")
"""The number of the advisory lock; another one is the upgrade's."""
CHANNEL: Final = "lacolle"
STANDBY: Final = 0.5
"""Seconds between two attempts at the lock."""
BEAT: Final = 1.0
PATIENCE: Final = 2.0
"""Seconds that an answer of the server's may take, before the connection counts as lost."""
AWAY: Final = 1.0
"""Seconds until a server that is away is tried again."""
_ROUTES_AT_ONCE: Final = 64
"""A notification's payload ends at 8,000 bytes."""
_KEEPALIVE: Final = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class PostgresContest:
    """The contest among processes that share one PostgreSQL database; see ``gateway.leadership.Contest``."""

    def __init__(self, url: str, *, password: str | None) -> None:
        """Connect nothing yet. ``url`` is libpq's (PostgreSQL manual, section 34.1.1.2)."""

        async def connect() -> Connection:
            return await asyncpg.connect(
                url, password=password, timeout=5.0, command_timeout=PATIENCE, server_settings=_KEEPALIVE
            )

        self._connect = connect

    def leadership(self, listener: Listener) -> Leadership:
        """Return the contest for relaying."""
        return _Leadership(self._connect, listener)

    def notifier(self) -> Notifier:
        """Return the way to the one that relays."""
        return _Notifier(self._connect)


class _Term:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed = asyncio.Event()
        connection.add_termination_listener(lambda _connection: self._closed.set())

    async def lost(self) -> None:
        while not self._closed.is_set():
            try:
                await self._connection.fetchval("SELECT 1")
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


class _Leadership:
    def __init__(self, connect: Connect, listener: Listener) -> None:
        self._connect = connect
        self._listener = listener

    async def won(self) -> Term:
        while True:
            try:
                return await self._contend()
            except _TROUBLE as error:
                log.warning("database_away", error=type(error).__name__)
                await asyncio.sleep(AWAY)

    async def _contend(self) -> Term:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._heard)
            waited = False
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                if not waited:
                    log.info("relay_stands_by")
                    waited = True
                await asyncio.sleep(STANDBY)
        except BaseException:
            connection.terminate()
            raise
        return _Term(connection)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._listener.head_moved()
        self._listener.routed(_routes(str(payload)))


class _Notifier:
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._routes: set[Route] = set()
        self._something = asyncio.Event()

    def routed(self, routes: Iterable[Route]) -> None:
        self._routes.update(routes)
        self._something.set()

    def head_moved(self) -> None:
        self._something.set()

    async def run(self) -> None:
        while True:
            try:
                await self._pass_on()
            except _TROUBLE as error:
                log.warning("hints_dropped", error=type(error).__name__)
                await asyncio.sleep(AWAY)

    async def _pass_on(self) -> None:
        connection = await self._connect()
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                routes, self._routes = self._routes, set()
                for payload in _payloads(routes):
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
        finally:
            connection.terminate()


def _payloads(routes: Iterable[Route]) -> list[str]:
    """Return what to say of routes; one empty word where there are none, for then it is the head alone that moved."""
    words = [f"{route.recipient}/{route.lane}" for route in routes]
    return [" ".join(words[start : start + _ROUTES_AT_ONCE]) for start in range(0, max(1, len(words)), _ROUTES_AT_ONCE)]


def _routes(payload: str) -> list[Route]:
    """Return the routes that a payload names; anybody who may connect may notify, so anything else is passed over."""
    found = []
    for word in payload.split():
        recipient, _, lane = word.rpartition("/")
        if recipient and lane in set(Lane):
            found.append(Route(ParticipantId(recipient), Lane(lane)))
    return found

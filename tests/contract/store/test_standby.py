"""A PostgreSQL that is a standby, and a listening connection that nobody answers on any more."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from gateway.errors import LogUnavailableError, StoreUnavailableError
from gateway.store.address import Connection, PostgresAddress, postgres_address
from gateway.store.changes import log_sizes
from gateway.store.contest import PostgresLeadership
from gateway.store.engine import open_postgres
from gateway.store.entries import EntryWriter
from gateway.store.schema import prepare, upgrade
from lacolle.local.postgres import LocalPostgres
from tests.patience import GIVES_UP_AFTER
from tests.servers.postgres import local_postgres
from tests.unit.gateway.ground import draft, open_ground

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'lacolle listens' ORDER BY pid"


async def _upgrade(url: str) -> None:
    store = open_postgres(url)
    await upgrade(store.writer)
    await store.close()


@pytest.fixture
def server() -> Iterator[LocalPostgres]:
    """Yield a server of one's own, with the schema."""
    with local_postgres() as running:
        asyncio.run(_upgrade(running.url("postgres")))
        yield running


@pytest.fixture
def standby(server: LocalPostgres) -> Iterator[LocalPostgres]:
    """Yield a standby: a copy of the server as it stopped, which waits for more of its write-ahead log for ever."""
    server.stop()
    first = Path(str(make_url(server.url("postgres")).query["host"])).parent
    second = first.with_name("standby")
    subprocess.run(["/bin/cp", "-a", str(first), str(second)], check=True)
    (second / "data" / "standby.signal").touch()
    with LocalPostgres(second) as running:
        yield running


async def _answer(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_nothing_is_read_from_a_standby(standby: LocalPostgres) -> None:
    """It may be behind what was answered, and its locks are its own: nobody reads, relays or listens there."""
    url = standby.url("postgres")
    assert await _answer(url, "SELECT pg_is_in_recovery()") == [True]
    store = open_postgres(url)
    with pytest.raises(StoreUnavailableError):
        await prepare(store)
    with pytest.raises(LogUnavailableError):
        async with store.reading():
            pass
    assert await PostgresLeadership(postgres_address(url)).won_at_once() is None
    sizes = log_sizes(store, poll=0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(sizes)
    assert await _answer(url, LISTENERS) == []
    await store.close()


class _ClosedAtOnce(PostgresAddress):
    """The server closes each connection between its start and the first word on it, as at an immediate stop."""

    async def connect(
        self, *, settings: Mapping[str, str], within: float, answers_within: float | None = None
    ) -> Connection:
        connection = await super().connect(settings=settings, within=within, answers_within=answers_within)
        connection.terminate()
        return connection


async def test_a_listening_connection_that_is_closed_before_it_listens_ends_nothing(server: LocalPostgres) -> None:
    """The log's size is asked for instead, and nobody is told of an error."""
    store = open_postgres(server.url("postgres"))
    assert store.address is not None
    closing = _ClosedAtOnce(store.address.url, store.address.tls)
    sizes = log_sizes(replace(store, address=closing), poll=0.05)
    assert await anext(sizes) == 0
    waiting: asyncio.Future[int] = asyncio.ensure_future(anext(sizes))
    async with open_ground(server.url("postgres")) as other, asyncio.timeout(GIVES_UP_AFTER):
        await other.committer.submit(EntryWriter(), draft("a"))
        assert await waiting == 1
    await store.close()


async def test_a_listening_connection_that_is_silent_is_replaced(server: LocalPostgres) -> None:
    """The server's side of it stands still, and nothing is closed: it is asked, and another one listens soon."""
    url = server.url("postgres")
    store = open_postgres(url)
    sizes = log_sizes(store, poll=10 * GIVES_UP_AFTER)
    assert await anext(sizes) == 0
    waiting: asyncio.Future[int] = asyncio.ensure_future(anext(sizes))
    (silent,) = await _answer(url, LISTENERS)
    os.kill(silent, signal.SIGSTOP)
    try:
        async with asyncio.timeout(GIVES_UP_AFTER):
            while await _answer(url, LISTENERS) == [silent]:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.2)
        async with open_ground(url) as other, asyncio.timeout(GIVES_UP_AFTER):
            await other.committer.submit(EntryWriter(), draft("a"))
            assert await waiting == 1
    finally:
        os.kill(silent, signal.SIGCONT)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await store.close()

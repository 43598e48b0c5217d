"""A database with an empty log, and what writes and signs it: one parameter for each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from audit.checkpoints import PublishedState
from audit.log import initialise
from audit.note import LogSigner
from audit.tables import metadata
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey


def open_engine(place: Path | str) -> AsyncEngine:
    """Open a SQLite file as the exchange's writer does, or a PostgreSQL database by its URL.

    On SQLite that is WAL, and transactions that begin with the write lock.
    """
    if isinstance(place, str):
        return create_async_engine(make_url(place).set(drivername="postgresql+asyncpg"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{place}")

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted DBAPI connection
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@pytest.fixture(params=["sqlite", "postgres"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Give the place of the database: a file, or a PostgreSQL database's URL."""
    match request.param:
        case "sqlite":
            return tmp_path / "exchange.sqlite3"
        case "postgres":
            return str(request.getfixturevalue("postgres_bare_database"))
        case other:
            pytest.fail(f"no such database: {other}")


@pytest.fixture
def other_path(path: Path | str, request: pytest.FixtureRequest) -> Path | str:
    """Give the place of a second database of the same kind."""
    if isinstance(path, str):
        return str(request.getfixturevalue("postgres_second_database"))
    return path.with_name("other.sqlite3")


@pytest.fixture
async def engine(path: Path | str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a database with an empty log."""
    async with _with_log(path) as engine:
        yield engine


@pytest.fixture
async def other_engine(other_path: Path | str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a second database with an empty log."""
    async with _with_log(other_path) as engine:
        yield engine


@asynccontextmanager
async def _with_log(place: Path | str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(place)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await initialise(connection)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection that is in no transaction yet."""
    async with engine.connect() as connection:
        yield connection


@pytest.fixture
def published(tmp_path: Path) -> PublishedState:
    """Give the file that remembers the last checkpoint."""
    return PublishedState(tmp_path / "published")


@pytest.fixture(scope="session")
def signer() -> LogSigner:
    """Give the log's signer."""
    return LogSigner("exchange.example/log", SigningKey.generate(KeyId("log.2026-1"), "Ed25519"))

"""A database with an empty log, and what writes and signs it. SQLite: others join as parameters of ``database``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from audit.checkpoints import PublishedState
from audit.log import initialise
from audit.note import LogSigner
from audit.tables import metadata
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey


def open_engine(path: Path) -> AsyncEngine:
    """Open a SQLite database as the exchange's writer does: WAL, and transactions that begin with the write lock."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of the database."""
    return tmp_path / "exchange.sqlite3"


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a database with an empty log."""
    engine = open_engine(path)
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

"""Connections to the database: one that writes, several that read.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit returns after the log of the transaction is on the disk.
There is one writing connection in one process (SQLite before 3.51.3 can corrupt a WAL that two connections write), and
its transactions begin ``IMMEDIATE``, so that a lock is met at the start and never half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from gateway.errors import LogUnavailableError
from gateway.store.inline import InlineConnection

READER_WAIT = 5.0
"""Seconds that a reader waits for a connection at most."""
READERS = 4
"""Reading connections: enough for two cores; each holds its own page cache."""


@dataclass(frozen=True, slots=True)
class Store:
    """The two engines of one database."""

    writer: AsyncEngine
    reader: AsyncEngine

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection whose statements all see one state of the database.

        Raises ``LogUnavailableError`` where none comes free in time.
        """
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self.reader.connect())
            except PoolTimeoutError as error:
                raise LogUnavailableError(READER_WAIT) from error
            yield connection

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self.reader.dispose()
        await self.writer.dispose()


def open_sqlite(path: Path) -> Store:
    """Return the store in a SQLite file, which is made where it is missing; its folder must exist.

    Nothing is opened before the first use.
    """
    writer = create_async_engine(
        f"sqlite+inline:///{path}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"factory": InlineConnection, "check_same_thread": False},
        hide_parameters=True,  # an error's message must not repeat an alert
    )
    event.listen(writer.sync_engine, "connect", _prepare_writer)
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    reader = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=READER_WAIT,
        hide_parameters=True,
    )
    event.listen(reader.sync_engine, "connect", _prepare_reader)
    event.listen(reader.sync_engine, "begin", _begin_deferred)
    return Store(writer=writer, reader=reader)


def is_storage_failure(error: BaseException) -> bool:
    """Say whether an error means that the storage itself failed, after which nothing it holds may be assumed.

    A failed fsync is never tried again: the kernel may already have dropped the pages it could not write. So the
    process stops, and the next one reads what the disk really has.
    """
    original = getattr(error, "orig", None) or error
    name = str(getattr(original, "sqlite_errorname", ""))
    return name.startswith(("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_READONLY"))


def _prepare_writer(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted DBAPI connection
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    mode = cursor.fetchone()[0]
    if mode != "wal":
        raise sqlite3.OperationalError(f"the database is in journal mode {mode} and can't be put into WAL mode")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=2000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _prepare_reader(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted DBAPI connection
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.execute("PRAGMA busy_timeout=2000")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN DEFERRED")

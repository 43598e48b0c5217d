"""Connections to the database: some that write, several that read.

PostgreSQL is shared by any number of processes. A transaction holds the head's row of the log, so a process that stands
still in the middle of one is cut off by the server, and what a lost connection had asked for is unknown until it is
asked for again.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit returns after the log of the transaction is on the disk.
There is one writing connection in one process (SQLite before 3.51.3 can corrupt a WAL that two connections write), and
its transactions begin ``IMMEDIATE``, so that a lock is met at the start and never half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from gateway.errors import LogUnavailableError, NotFoundError
from gateway.store.address import PostgresAddress, postgres_address
from gateway.store.durability import require_safe_pages
from gateway.store.inline import InlineConnection

READER_WAIT = 5.0
"""Seconds that a reader waits for a connection at most."""
READERS = 4
"""Reading connections: enough for two cores; each holds its own page cache."""
WRITERS = 2
"""Writing connections of one process to PostgreSQL: the committer's, and one for checkpoints and the start."""

_SESSION: Final = {
    "application_name": "lacolle",
    "timezone": "UTC",
    # the head's row is held in a transaction: whoever stops in the middle of one must not stop everybody else
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "synchronous_commit": "on",  # whatever was set for the role or the database: a receipt rests on it
}
_UNHURRIED: Final = {**_SESSION, "idle_in_transaction_session_timeout": "0", "statement_timeout": "0"}
"""Without limits, but for locks: whoever waits for a table's lock holds up all that come after."""
_CONNECTS_WITHIN: Final = 5.0
_ANSWERS_WITHIN: Final = 35.0
"""Seconds for one statement, longer than the server's own limit: reached where the server does not answer at all."""
_STATEMENTS_KEPT: Final = 500
"""Prepared statements for each connection: those with a list have one for each length of it."""


DRIVER_TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
)
"""What PostgreSQL's driver raises; SQLAlchemy hands most of it on as an error of its own, but not all."""


@dataclass(frozen=True, slots=True)
class Store:
    """The engines of one database. ``address`` is that of one which other processes may write to."""

    writer: AsyncEngine
    reader: AsyncEngine
    address: PostgresAddress | None = None

    @property
    def shared(self) -> bool:
        """Whether other processes may write to it."""
        return self.address is not None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection whose statements all see one state of the database.

        Raises ``LogUnavailableError`` where none comes free in time, or the database goes away, and
        ``NotFoundError`` where a value was asked for that the database can't hold.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(self._answering())
            try:
                connection = await stack.enter_async_context(self.reader.connect())
            except PoolTimeoutError as error:
                raise LogUnavailableError(READER_WAIT) from error
            yield connection

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, *DRIVER_TROUBLE) as error:
            if _sqlstate(error) == _NO_TEXT:  # so nothing that is stored can be what was asked for
                raise NotFoundError from error
            if not self.shared or not is_unavailable(error):
                raise
            raise LogUnavailableError from error

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


def open_postgres(place: str | PostgresAddress, *, hurried: bool = True) -> Store:
    """Return the store in a PostgreSQL database; an address that is a URL is read by ``postgres_address``.

    Of several hosts it is the one that takes writes, for readers too: a standby may be behind what was answered.
    What is not ``hurried`` may take its time, as an upgrade of a large database does. Nothing is opened before the
    first use. Raises ``StoreError`` for what is no such URL.
    """
    address = postgres_address(place) if isinstance(place, str) else place
    engines = [
        create_async_engine(
            address.url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=READER_WAIT,
            hide_parameters=True,  # an error's message must not repeat an alert
            connect_args={
                "ssl": address.encryption,
                "server_settings": _SESSION if hurried else _UNHURRIED,
                "timeout": _CONNECTS_WITHIN,
                "command_timeout": _ANSWERS_WITHIN if hurried else None,
                "prepared_statement_cache_size": _STATEMENTS_KEPT,
                "target_session_attrs": attributes,
            },
            **isolation,
        )
        for size, attributes, isolation in (
            (WRITERS, "read-write", {"isolation_level": "READ COMMITTED"}),
            (READERS, "primary", {"isolation_level": "REPEATABLE READ"}),
        )
    ]
    for engine in engines:
        event.listen(engine.sync_engine, "handle_error", _forget_content)
        event.listen(engine.sync_engine, "do_connect", _connect)
        event.listen(engine.sync_engine, "checkout", _require_open)
    writer, reader = engines
    event.listen(writer.sync_engine, "connect", require_safe_pages)
    return Store(writer=writer, reader=reader.execution_options(postgresql_readonly=True), address=address)


def _connect(dialect: Any, _record: object, arguments: Any, options: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's event
    """Connect; a server that can't be reached is the driver's error, whose own is the operating system's."""
    try:
        return dialect.connect(*arguments, **options)
    except OSError as error:  # of which TimeoutError is one
        raise dialect.loaded_dbapi.OperationalError("the server can't be reached", error) from error


def _require_open(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Have the pool open another connection where the server has closed this one meanwhile, as at its restart."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _forget_content(context: ExceptionContext) -> None:
    """Keep the first line of what the server said: its details repeat the values of a row."""
    wrapped, original = context.sqlalchemy_exception, context.original_exception
    if isinstance(original.__cause__, asyncpg.PostgresError):
        original.__cause__.detail = None
    for error in (original, wrapped):
        if error is not None:
            error.args = (str(error.args[0]).partition("\n")[0], *error.args[1:]) if error.args else ()


def is_unavailable(error: BaseException) -> bool:
    """Say whether the database was out of reach, or gave way to another: the same may be asked for again later.

    Where that was said of a commit, its outcome is unknown. PostgreSQL's conditions are told by their class (manual,
    appendix A): 08 connection, 40 rolled back, 53 resources, 55 lock not available, 57 intervention, 25P03 cut off.
    """
    original = getattr(error, "orig", None) or error
    if isinstance(error, InterfaceError) and isinstance(error.__cause__, ValueError):
        return False  # a value of the wrong type, which asyncpg refuses to send
    if any(isinstance(each, asyncpg.InternalClientError) for each in (original, original.__cause__)):
        return True  # every server is a standby now, or the connection broke off in the middle of a message
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # the connection was closed before it was asked
    if isinstance(error, (OperationalError, InterfaceError, OSError, TimeoutError, PoolTimeoutError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = _sqlstate(error)
    return state[:2] in _GIVES_WAY or state in _CUT_OFF


def is_refusal(error: BaseException) -> bool:
    """Say whether the server does not let this role in, or has no such database: it will say the same again."""
    return _sqlstate(error)[:2] in _LETS_NOBODY_IN


def _sqlstate(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return str(getattr(original, "sqlstate", None) or "")


_GIVES_WAY: Final = ("08", "40", "53", "55", "57")
_LETS_NOBODY_IN: Final = ("28", "3D")
"""Conditions 28, invalid authorization, and 3D, no such database."""
_CUT_OFF: Final = ("25P03", "25006")
_NO_TEXT: Final = "22021"
"""A character that PostgreSQL's texts have not, such as U+0000."""
_STORAGE_FAILED: Final = ("58030", "XX001", "XX002")


def is_storage_failure(error: BaseException) -> bool:
    """Say whether an error means that the storage itself failed, after which nothing it holds may be assumed.

    A failed fsync is never tried again: the kernel may already have dropped the pages it could not write. So the
    process stops, and the next one reads what the disk really has. PostgreSQL itself restarts after a failed fsync;
    what it says of unreadable or damaged data (58030, XX001, XX002) is such a failure here.
    """
    if _sqlstate(error) in _STORAGE_FAILED:
        return True
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
    cursor.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, and not left in a page
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

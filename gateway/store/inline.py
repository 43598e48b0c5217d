"""SQLite without a thread but to commit: SQLAlchemy's asynchronous interface over calls that are made where they stand.

A thread for the writing connection, as aiosqlite has one, costs two hand-overs for each of some forty calls in a
transaction, and each hand-over waits for a turn of a busy event loop: under load a transaction took several times as
long as its work. Called in place, a transaction of 64 alerts holds the loop for some milliseconds, once, and nothing
else is ever done on this connection. Readers, whose queries may be long, keep their threads.

A commit waits for the disk, and does so on a thread of the connection's own: meanwhile the loop prepares what comes
next.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only


class InlineCursor(sqlite3.Cursor):
    """The standard library's cursor, with the one coroutine that SQLAlchemy's asynchronous results call."""

    server_side = False

    async def _async_soft_close(self) -> None:
        """Have nothing to let go of: every row was fetched where it was asked for."""


class InlineConnection(sqlite3.Connection):
    """The standard library's connection, whose cursors are ours, and the thread on which it commits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - the standard library's
        """Open it; the thread is started by the first commit."""
        super().__init__(*arguments, **options)
        self._committing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")

    def cursor(self, factory: type[sqlite3.Cursor] = InlineCursor) -> Any:  # type: ignore[override]  # noqa: ANN401 - typeshed overloads it
        """Return a cursor."""
        return super().cursor(factory)

    async def commit_beside(self) -> None:
        """Commit; returns, also where the caller is cancelled, once nothing is done on the connection any more."""
        commit = asyncio.get_running_loop().run_in_executor(self._committing, self.commit)
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait([commit])
            raise

    def close(self) -> None:
        """Close it, and end its thread. Idempotent."""
        self._committing.shutdown(wait=False)
        super().close()


class InlineSQLite(SQLiteDialect_pysqlite):
    """The standard library's driver behind ``create_async_engine``, which insists on seeing an await: it sees one."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:  # noqa: ANN401, ARG002 - the dialect's interface
        """Execute a statement."""
        await_only(_nothing())
        cursor.execute(statement, parameters)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:  # noqa: ANN401, ARG002 - the dialect's interface
        """Execute a statement for each of many rows."""
        await_only(_nothing())
        cursor.executemany(statement, parameters)

    def do_commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - the dialect's interface
        """Commit a transaction."""
        await_only(dbapi_connection.commit_beside())

    @classmethod
    def get_pool_class(cls, url: object) -> type[AsyncAdaptedQueuePool]:  # noqa: ARG003 - the dialect's interface
        """Return a pool whose waiting is the event loop's."""
        return AsyncAdaptedQueuePool


async def _nothing() -> None:
    """Be awaited, and return."""


registry.register("sqlite.inline", __name__, InlineSQLite.__name__)

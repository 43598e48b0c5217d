"""SQLite's one writing connection: made in place, committed beside the loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.store.inline import InlineConnection


@contextmanager
def writing(path: Path) -> Iterator[tuple[InlineConnection, threading.Event, threading.Event]]:
    """Yield a connection with a row to commit, what is set once the commit is under way, and what lets it go on."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(statement: str) -> None:
        if statement == "COMMIT":
            begun.set()
            assert go_on.wait(10)

    with closing(InlineConnection(str(path), isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE kept (value)")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.set_trace_callback(hold)
        yield connection, begun, go_on


def kept(path: Path) -> list[tuple[int]]:
    """Return what another connection sees."""
    with closing(sqlite3.connect(path)) as other:
        return other.execute("SELECT value FROM kept").fetchall()


async def test_the_loop_goes_on_while_a_commit_waits(tmp_path: Path) -> None:
    """While the disk is waited for, the loop has its turns; the commit returns once the row stands, and not before."""
    with writing(tmp_path / "store") as (connection, begun, go_on):
        commit = asyncio.create_task(connection.commit_beside())
        while not begun.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0)
        assert not commit.done()
        assert kept(tmp_path / "store") == []
        go_on.set()
        await commit
        assert kept(tmp_path / "store") == [(1,)]


async def test_a_cancelled_commit_ends_before_its_caller_goes_on(tmp_path: Path) -> None:
    """Whoever is cancelled in a commit hears of it only when nothing is done on the connection any more."""
    with writing(tmp_path / "store") as (connection, begun, go_on):
        commit = asyncio.create_task(connection.commit_beside())
        while not begun.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0)
        commit.cancel()
        await asyncio.sleep(0.05)
        assert not commit.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await commit
        assert kept(tmp_path / "store") == [(1,)]

"""What SQLite itself says when it can't write, the committer ends or waits, as each case asks; and how it reads."""

from __future__ import annotations

import sqlite3
from datetime import date

import pytest
from sqlalchemy import text

from gateway.errors import LogUnavailableError
from gateway.store.reckoning import _COUNTED, _of_period
from gateway.store.tables import dispatches
from schemas.reconciliation import day_of
from tests.unit.gateway.ground import NYSP, Ground, acceptance, acceptances, accepted, permit


async def test_a_full_disk_ends_the_committer(on_sqlite: Ground) -> None:
    """SQLite's own word that there is no more room: nothing is accepted, what was accepted stays."""
    await accepted(on_sqlite, acceptance("A-1", permit(NYSP)))
    async with on_sqlite.store.writer.begin() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    large = acceptance("A-2", permit(NYSP), content="x" * 100_000)
    with pytest.raises(LogUnavailableError):
        await on_sqlite.committer.submit(acceptances(), large)
    assert on_sqlite.committer.failure is not None
    assert await on_sqlite.kinds() == ["accepted", "routed"]


async def test_a_database_that_became_readonly_ends_the_committer(on_sqlite: Ground) -> None:
    """SQLite's own word that it may not write: the exchange stops instead of refusing one alert after the other."""
    async with on_sqlite.store.writer.connect() as connection:
        await connection.execute(text("PRAGMA query_only = ON"))
    with pytest.raises(LogUnavailableError):
        await on_sqlite.committer.submit(acceptances(), acceptance("A-1"))
    assert on_sqlite.committer.failure is not None


async def test_a_database_that_somebody_else_writes_to_is_a_503(on_sqlite: Ground) -> None:
    """Where another writer holds the lock nothing is accepted; once it lets go the same alert is stored once."""
    item = acceptance("A-1", permit(NYSP))
    async with on_sqlite.store.writer.connect() as connection:
        await connection.execute(text("PRAGMA busy_timeout = 20"))
    other = sqlite3.connect(str(on_sqlite.store.writer.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailableError):
        await on_sqlite.committer.submit(acceptances(), item)
    assert on_sqlite.committer.failure is None
    other.close()
    assert not (await on_sqlite.committer.submit(acceptances(), item)).replayed


async def test_one_s_books_are_read_by_themselves(on_sqlite: Ground) -> None:
    """Others' deliveries are not even looked at: how long an answer takes says nothing of how many those are."""
    page = _of_period(_COUNTED.where(dispatches.c.recipient == NYSP), *day_of(date(2026, 11, 21)).bounds)
    statement = page.compile(dialect=on_sqlite.store.writer.dialect, compile_kwargs={"literal_binds": True})
    async with on_sqlite.store.reading() as connection:
        steps = (await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))).all()
    assert [step.detail for step in steps] == [
        "SEARCH dispatches USING INDEX ix_dispatches_books (recipient=? AND delivery_id>? AND delivery_id<?)"
    ]

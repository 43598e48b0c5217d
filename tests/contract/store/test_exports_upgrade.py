"""Bringing up a database whose log tells of exports that an earlier program began and never ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.engine import Connection

from gateway.clock import system_clock
from gateway.store.engine import Store, open_postgres, open_sqlite
from gateway.store.exports import left_exports
from gateway.store.schema import _config, upgrade


@pytest.fixture(params=["sqlite", "postgres"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store without a schema."""
    if request.param == "sqlite":
        return open_sqlite(tmp_path / "exchange.sqlite3")
    return open_postgres(request.getfixturevalue("postgres_bare_database"))


def _at_revision(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0012")


async def test_what_was_left_is_under_way(bare: Store) -> None:
    """An export without an end is taken for one that began just now, and one with an end for none."""
    entries = [(0, "exported", {}), (1, "exported", {}), (2, "export-ended", {"begun": 0}), (3, "queried", {})]
    async with bare.writer.begin() as connection:
        await connection.run_sync(_at_revision)
        for index, kind, content in entries:
            row = {"index": index, "kind": kind, "content": orjson.dumps({"content": content}), "none": b""}
            await connection.execute(text(_INSERT), row)
    await upgrade(bare.writer)
    now_ms = int(system_clock().timestamp() * 1000)
    async with bare.reading() as connection:
        assert await left_exports(connection, before=4, until_ms=0) == [1]
        assert await left_exports(connection, before=0, until_ms=now_ms) == [1]
        hour_ms = int(timedelta(hours=1).total_seconds() * 1000)
        assert await left_exports(connection, before=0, until_ms=now_ms - hour_ms) == []
    await bare.close()


_INSERT = (
    "INSERT INTO log_entries (log_index, kind, time, salt, content, commitment) "
    "VALUES (:index, :kind, '', :none, :content, :none)"
)

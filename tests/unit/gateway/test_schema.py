"""The database's schema: made whole, brought up once, and left alone by an older program."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from audit.tables import metadata
from gateway.errors import StoreError
from gateway.store.engine import open_sqlite
from gateway.store.entries import EntryWriter
from gateway.store.schema import head_revision, upgrade
from tests.unit.gateway.ground import Ground, draft, open_ground


async def test_a_new_database_has_every_table(ground: Ground) -> None:
    """Every table, column and index of the models is there, under the revision that made them."""
    async with ground.store.reading() as connection:
        names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        indexes = await connection.run_sync(
            lambda sync: {index["name"] for table in metadata.tables for index in inspect(sync).get_indexes(table)}
        )
        revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert names == {*metadata.tables, "alembic_version"}
    assert indexes >= {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert revision == head_revision()


async def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """What is up to date stays as it is, with all that it holds."""
    async with open_ground(tmp_path) as ground:
        await ground.committer.submit(EntryWriter(), draft("a"))
    async with open_ground(tmp_path) as ground:
        await upgrade(ground.store.writer)
        assert await ground.kinds() == ["refused"]


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A program that does not know a revision writes nothing into it, and says what to do."""
    store = open_sqlite(tmp_path / "exchange.sqlite3")
    await upgrade(store.writer)
    async with store.writer.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"9999.*newer"):
        await upgrade(store.writer)
    async with store.reading() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    await store.close()


async def test_an_upgrade_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    """The schema is made in one transaction: where a part of it fails the database is as it was."""
    store = open_sqlite(tmp_path / "exchange.sqlite3")
    async with store.writer.begin() as connection:
        await connection.execute(text("CREATE TABLE ix_dispatches_route (taken INTEGER)"))
    with pytest.raises(Exception, match="ix_dispatches_route"):
        await upgrade(store.writer)
    async with store.reading() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert names == ["ix_dispatches_route"]
    await store.close()


async def test_an_error_of_the_database_repeats_no_content(ground: Ground) -> None:
    """Whatever a statement was given is not in its error's message, which may reach a log."""
    for engine in (ground.store.writer, ground.store.reader):
        async with engine.connect() as connection:
            with pytest.raises(SQLAlchemyError) as failed:
                await connection.execute(text("INSERT INTO alerts (alert_id) VALUES (:secret)"), {"secret": "ABC 123"})
        assert "ABC 123" not in str(failed.value)


async def test_the_connections_are_as_durability_needs_them(tmp_path: Path) -> None:
    """The writer waits for the disk in WAL mode, enforces keys and is alone; readers can't write."""
    store = open_sqlite(tmp_path / "exchange.sqlite3")
    async with store.writer.begin() as connection:
        said = [
            await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        assert said == ["wal", 2, 1]
    async with store.reading() as connection:
        with pytest.raises(Exception, match="readonly"):
            await connection.execute(text("CREATE TABLE t (a INTEGER)"))
    await store.close()

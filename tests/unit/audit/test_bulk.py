"""The statement behind inserting many rows, for each database that the log is meant for."""

from __future__ import annotations

import pytest
from sqlalchemy import insert
from sqlalchemy.dialects import registry

from audit.tables import checkpoints, log_entries, log_head, log_parties, log_tiles


@pytest.mark.parametrize("name", ["sqlite.aiosqlite", "postgresql.asyncpg"])
def test_values_go_in_the_order_of_the_columns(name: str) -> None:
    """Where a driver counts its parameters, they are counted in the order of the table's columns."""
    dialect = registry.load(name)()
    for table in (log_entries, log_parties, log_head, log_tiles, checkpoints):
        compiled = insert(table).compile(dialect=dialect)
        if compiled.positional:
            assert compiled.positiontup == table.columns.keys()
        else:
            assert set(compiled.params) == set(table.columns.keys())

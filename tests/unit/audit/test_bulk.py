"""The statement behind inserting many rows, for each database that the log is meant for."""

from __future__ import annotations

import pytest
from sqlalchemy import Dialect, insert
from sqlalchemy.dialects.postgresql import asyncpg, psycopg
from sqlalchemy.dialects.sqlite import aiosqlite

from audit.tables import metadata


@pytest.mark.parametrize(
    "dialect", [aiosqlite.dialect(), asyncpg.dialect(), psycopg.dialect()], ids=lambda it: it.driver
)
def test_values_go_in_the_order_of_the_columns(dialect: Dialect) -> None:
    """Where a driver counts its parameters, they are counted in the order of the table's columns."""
    for table in metadata.sorted_tables:
        compiled = insert(table).compile(dialect=dialect)
        if compiled.positional:
            assert compiled.positiontup == table.columns.keys()
        else:
            assert set(compiled.params) == set(table.columns.keys())

"""Many rows into PostgreSQL at once, by COPY in its binary form.

For a batch of 64 alerts it takes a third less time than an INSERT for each row, or one INSERT from arrays. A role that
row-level security applies to may not copy into its tables: the exchange's own is exempt (``gateway.store.roles``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection


async def copy_rows(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Copy rows, each with a value for every column of the table in the table's order.

    Raises SQLAlchemy's ``DBAPIError``, as a statement would, and lets go of a connection that was lost.
    """
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise ValueError("the connection was given back to its pool")
    try:
        await raw.copy_records_to_table(table.name, records=rows, columns=table.columns.keys())
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        lost = raw.is_closed()
        if lost:
            await connection.invalidate()
        error.detail = None  # it would repeat a row's values
        raise DBAPIError(
            f"COPY {table.name}", None, error, hide_parameters=True, connection_invalidated=lost
        ) from error

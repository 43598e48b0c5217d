"""A PostgreSQL database for an exchange under test, which logs in as ``lacolle db roles`` lets it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.store.engine import open_postgres
from gateway.store.roles import create_exchange_login, create_groups
from tests.servers.postgres import Postgres


@contextmanager
def exchange_database(postgres: Postgres) -> Iterator[str]:
    """Yield the URL of a database with an empty log, for the exchange's own role; drop both afterwards."""
    name = f"exchange_{secrets.token_hex(4)}"
    database = asyncio.run(postgres.new_database())
    try:
        password = asyncio.run(_login(postgres.url_of(database), name))
        yield postgres.url_of(database, role=name, password=password)
    finally:
        asyncio.run(postgres.drop(database))
        asyncio.run(postgres.run(f'DROP ROLE IF EXISTS "{name}"'))


async def _login(owner: str, name: str) -> str | None:
    store = open_postgres(owner)
    async with store.writer.begin() as connection:
        await create_groups(connection)
        password = await create_exchange_login(connection, name)
    await store.close()
    return password

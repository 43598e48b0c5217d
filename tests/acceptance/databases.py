"""A PostgreSQL database for an exchange under test, which logs in as ``lacolle db roles`` lets it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from gateway.store.engine import open_postgres
from gateway.store.roles import create_exchange_login, create_groups
from lacolle.local.postgres import LocalPostgres
from tests.servers.postgres import Postgres, local_postgres


@dataclass(frozen=True, slots=True)
class Place:
    """A server of the test's own, and the database in it."""

    server: LocalPostgres
    database: str


@contextmanager
def own_database() -> Iterator[Place]:
    """Yield an exchange's database on a server that the test may stop as it likes."""
    with local_postgres() as server:
        owner = Postgres(server.url("postgres"), local=server)
        asyncio.run(owner.make_template())
        with exchange_database(owner) as database:
            yield Place(server, database)


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


def store_settings(directory: Path, url: str) -> dict[str, str]:
    """Return the settings of a store at a URL; the password in it goes into a file."""
    place = make_url(url)
    secret = directory / "database.password"
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(f"{place.password}\n", encoding="utf-8")
    user, _, rest = url.partition("://")[2].partition("@")
    return {"url": f"postgresql://{user.partition(':')[0]}@{rest}", "password_file": str(secret)}


def store_environment(directory: Path, url: str) -> dict[str, str]:
    """Return the environment variables that are the settings of a store at a URL."""
    return {f"LACOLLE_STORE__{name.upper()}": value for name, value in store_settings(directory, url).items()}


async def _login(owner: str, name: str) -> str | None:
    store = open_postgres(owner)
    async with store.writer.begin() as connection:
        await create_groups(connection)
        password = await create_exchange_login(connection, name)
    await store.close()
    return password

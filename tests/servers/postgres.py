"""A real PostgreSQL for the tests: one server for each worker, or the one that ``LACOLLE_TEST_DATABASE`` names.

That one's role must be allowed to make databases and roles. Every test gets a database of its own, made from a template
that has the schema and an empty log, and dropped afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from sqlalchemy import make_url

from gateway.store.engine import open_postgres
from gateway.store.schema import upgrade
from lacolle.errors import ConfigurationError
from lacolle.local.postgres import LocalPostgres
from tests.servers.availability import unavailable

_EXISTING: Final = "LACOLLE_TEST_DATABASE"
_NUMBERS: Final = itertools.count(1)
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder is made in it under a name of its own
_ROOM: Final = 2 << 30
_QUICK: Final = {"shared_buffers": "64MB", "max_connections": "100"}


@dataclass(slots=True)
class Postgres:
    """A server; ``url`` is how its owner connects to the database that is always there."""

    url: str
    template: str = ""
    local: LocalPostgres | None = None
    made: list[str] = field(default_factory=list)

    def url_of(self, database: str, *, role: str | None = None, password: str | None = None) -> str:
        """Return a database's URL, for its owner or for another role."""
        place = make_url(self.url).set(database=database)
        if role is not None:
            place = place.set(username=role, password=password)
        return place.render_as_string(hide_password=False)

    async def new_database(self, *, empty: bool = False) -> str:
        """Make a database and return its name; ``empty`` is without the schema."""
        name = f"lacolle_test_{os.getpid()}_{next(_NUMBERS)}"
        source = "template0" if empty else self.template
        await self.run(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')
        self.made.append(name)
        return name

    async def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.made.remove(name)
        await self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def run(self, statement: str, *, database: str | None = None) -> None:
        """Execute a statement as the owner."""
        connection = await asyncpg.connect(self.url if database is None else self.url_of(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def make_template(self) -> None:
        """Make the database that others are copies of."""
        self.template = await self.new_database(empty=True)
        store = open_postgres(self.url_of(self.template))
        await upgrade(store.writer)
        await store.close()

    async def drop_all(self) -> None:
        """Drop what is left."""
        for name in list(self.made):
            await self.drop(name)


def _memory() -> str | None:
    """Return a folder in memory where there is room: hundreds of databases are made, and none outlives the machine."""
    free = shutil.disk_usage(_MEMORY).free if _MEMORY.is_dir() else 0
    return str(_MEMORY) if free > _ROOM else None


@contextmanager
def local_postgres(**settings: str) -> Iterator[LocalPostgres]:
    """Yield a running server of one's own, in a folder that its account can reach; skip where none can be had."""
    folder = Path(tempfile.mkdtemp(prefix="lacolle-postgres-", dir=_memory()))
    folder.chmod(0o755)
    try:
        try:
            server = LocalPostgres(folder / "server", settings={**_QUICK, **settings})
            server.start()
        except ConfigurationError as error:
            unavailable(str(error))
        with server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return the worker's server, with its template."""
    existing = os.environ.get(_EXISTING)
    if existing is not None:
        server = Postgres(existing)
        asyncio.run(server.make_template())
        yield server
        asyncio.run(server.drop_all())
        return
    with local_postgres() as local:
        server = Postgres(local.url("postgres"), local=local)
        asyncio.run(server.make_template())
        yield server


@pytest.fixture
async def postgres_database(postgres: Postgres) -> AsyncIterator[str]:
    """Return the owner's URL of a database with the schema and an empty log."""
    name = await postgres.new_database()
    yield postgres.url_of(name)
    await postgres.drop(name)


@pytest.fixture
async def postgres_second_database(postgres: Postgres) -> AsyncIterator[str]:
    """Return the owner's URL of another database without anything in it."""
    name = await postgres.new_database(empty=True)
    yield postgres.url_of(name)
    await postgres.drop(name)


@pytest.fixture
async def postgres_bare_database(postgres: Postgres) -> AsyncIterator[str]:
    """Return the owner's URL of a database without anything in it."""
    name = await postgres.new_database(empty=True)
    yield postgres.url_of(name)
    await postgres.drop(name)

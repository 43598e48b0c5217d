"""The stores that the contract runs over: one parameter for each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store.faults import Faults
from tests.unit.gateway.ground import Ground, open_ground, place_on


@pytest.fixture
def faults() -> Faults:
    """Return the faults of the store under test; none is coming yet."""
    return Faults()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where the store under test is: a folder, or a PostgreSQL database's URL."""
    return place_on(request.param, request, tmp_path)


@pytest.fixture
async def ground(place: Path | str, faults: Faults) -> AsyncIterator[Ground]:
    """Yield an empty store whose commits can be made to fail, and its running committer."""
    async with open_ground(place, prepare=lambda store: faults.listen_to(store.writer)) as opened:
        yield opened


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Ground]:
    """Yield an empty store on SQLite, for what only SQLite does."""
    async with open_ground(tmp_path) as opened:
        yield opened


@pytest.fixture
async def on_postgres(postgres_database: str) -> AsyncIterator[Ground]:
    """Yield an empty store on PostgreSQL, for what only PostgreSQL does."""
    async with open_ground(postgres_database) as opened:
        yield opened

"""A ground for each test, on either database where SQL is what is tested, and a sample world for the whole run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from lacolle.samples import World, WorldOptions, build_world
from tests.unit.gateway.ground import Ground, open_ground, place_on

ON_BOTH: Final = (
    "test_acceptance",
    "test_dispatches",
    "test_erasing",
    "test_holds",
    "test_outcomes",
    "test_reckoning",
    "test_relay",
    "test_threads",
    "test_withholding",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the ground of a test of ``ON_BOTH`` be on SQLite and on PostgreSQL, and every other on SQLite."""
    if "place" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        metafunc.parametrize("place", ("sqlite", "postgres") if both else ("sqlite",), indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where the test's store is."""
    return place_on(request.param, request, tmp_path)


@pytest.fixture
async def ground(place: Path | str) -> AsyncIterator[Ground]:
    """Yield an empty store and its running committer."""
    async with open_ground(place) as opened:
        yield opened


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the sample world: its statements, agreements and keys, for tests that only read its folder."""
    return build_world(tmp_path_factory.mktemp("gateway") / "world", WorldOptions())

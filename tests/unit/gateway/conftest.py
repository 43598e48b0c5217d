"""A ground for each test, and a sample world for the whole run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lacolle.samples import World, WorldOptions, build_world
from tests.unit.gateway.ground import Ground, open_ground


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Yield an empty store and its running committer."""
    async with open_ground(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the sample world: its statements, agreements and keys, for tests that only read its folder."""
    return build_world(tmp_path_factory.mktemp("gateway") / "world", WorldOptions())

"""The stores that the contract runs over: one parameter for each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store.faults import Faults
from tests.unit.gateway.ground import Ground, open_ground


@pytest.fixture
def faults() -> Faults:
    """Return the faults of the store under test; none is coming yet."""
    return Faults()


@pytest.fixture(params=["sqlite"])
async def ground(request: pytest.FixtureRequest, tmp_path: Path, faults: Faults) -> AsyncIterator[Ground]:
    """Yield an empty store whose commits can be made to fail, and its running committer."""
    match request.param:
        case "sqlite":
            async with open_ground(tmp_path, prepare=lambda store: faults.listen_to(store.writer)) as opened:
                yield opened
        case other:
            pytest.fail(f"no such database: {other}")

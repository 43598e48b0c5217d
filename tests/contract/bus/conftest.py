"""The buses that the contract suite runs over: one parameter for each implementation."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bus.contract import Bus
from bus.embedded import EmbeddedBus


@pytest.fixture(params=["embedded"])
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Bus, Callable[[], Awaitable[str]]]]:
    """Yield a bus and a way to get a topic on it that nobody has used."""
    numbers = itertools.count()

    async def new_topic() -> str:
        return f"contract.{next(numbers)}"

    match request.param:
        case "embedded":
            bus: Bus = EmbeddedBus()
        case other:
            pytest.fail(f"no such bus: {other}")
    yield bus, new_topic
    await bus.close()


@pytest.fixture
def bus(ground: tuple[Bus, Callable[[], Awaitable[str]]]) -> Bus:
    """Return the bus under test."""
    return ground[0]


@pytest.fixture
async def topic(ground: tuple[Bus, Callable[[], Awaitable[str]]]) -> str:
    """Return a topic that nobody has used."""
    return await ground[1]()


@pytest.fixture
async def other_topic(ground: tuple[Bus, Callable[[], Awaitable[str]]]) -> str:
    """Return a second topic that nobody has used."""
    return await ground[1]()

"""The buses that the contract suite runs over: one parameter for each implementation."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from bus.contract import Bus
from bus.embedded import EmbeddedBus
from bus.kafka import KafkaBus
from tests.servers.kafka import settings_for


@dataclass(frozen=True, slots=True)
class Ground:
    """A bus, a way to get a topic on it that nobody has used, and how long a record may take to arrive, in seconds."""

    bus: Bus
    new_topic: Callable[[], Awaitable[str]]
    travel: float


@pytest.fixture(params=["embedded", "kafka"])
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    """Yield a bus and what a test must know of it."""
    numbers = itertools.count()
    name = f"contract.{uuid4()}"

    async def any_topic() -> str:
        return f"{name}.{next(numbers)}"

    match request.param:
        case "embedded":
            ground = Ground(bus=EmbeddedBus(), new_topic=any_topic, travel=0.0)
        case "kafka":
            kafka = KafkaBus(settings_for(request.getfixturevalue("kafka_address")), folder=Path())

            async def created_topic() -> str:
                topic = await any_topic()
                await kafka.create_topics([topic])
                return topic

            ground = Ground(bus=kafka, new_topic=created_topic, travel=0.5)
        case other:
            pytest.fail(f"no such bus: {other}")
    yield ground
    await ground.bus.close()


@pytest.fixture
def bus(ground: Ground) -> Bus:
    """Return the bus under test."""
    return ground.bus


@pytest.fixture
async def topic(ground: Ground) -> str:
    """Return a topic that nobody has used."""
    return await ground.new_topic()


@pytest.fixture
async def other_topic(ground: Ground) -> str:
    """Return a second topic that nobody has used."""
    return await ground.new_topic()


@pytest.fixture
def travel(ground: Ground) -> float:
    """Return how long a record may take from being published to being there for a subscription, in seconds."""
    return ground.travel

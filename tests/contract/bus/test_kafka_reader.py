"""A reader whose consumer breaks: it says so, and goes on with another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from bus.contract import BusUnavailableError
from bus.kafka import KafkaBus
from bus.kafka.bus import KafkaSubscription
from bus.kafka.groups import stop_consumer
from tests.contract.bus.kafka_records import PATIENCE, bus_of, numbered
from tests.servers.kafka import settings_for


@pytest.fixture
async def bus(kafka_address: str) -> AsyncIterator[KafkaBus]:
    """Yield a bus."""
    bus = bus_of(settings_for(kafka_address))
    yield bus
    await bus.close()


@pytest.fixture
async def topic(bus: KafkaBus) -> str:
    """Return a topic of the test's own."""
    topic = f"reader.{uuid4()}"
    await bus.create_topics([topic])
    return topic


def consumer_of(subscription: KafkaSubscription) -> Any:  # noqa: ANN401 - aiokafka has no types
    """Return the consumer of a subscription's only topic."""
    (reader,) = subscription._readers
    return reader._consumer


def end_the_fetcher(consumer: Any) -> None:  # noqa: ANN401 - the same
    """End the task that fetches."""
    consumer._fetcher._fetch_task.cancel()


def break_the_records(consumer: Any) -> None:  # noqa: ANN401 - the same
    """Have the next records break what reads them, as a header's name that is no UTF-8 does."""

    async def getmany(**_options: object) -> None:
        await asyncio.sleep(0)
        b"\xff".decode()

    consumer.getmany = getmany


@pytest.mark.parametrize("fault", [end_the_fetcher, break_the_records])
async def test_a_broken_consumer_is_told_and_replaced(bus: KafkaBus, topic: str, fault: Callable[[Any], None]) -> None:
    """Whatever a consumer ends with, a call that waits for records hears of it, and the next one gets them."""
    subscription = await bus.subscribe([topic], group="g")
    fault(consumer_of(subscription))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(BusUnavailableError):
            await subscription.receive()
        await bus.publish(numbered(topic, "key", 0))
        assert (await subscription.receive()).record.value == b"000000"


async def test_a_task_that_ends_fails_the_subscription(bus: KafkaBus, topic: str) -> None:
    """Where a reader's own task breaks, every call says so from then on, rather than wait for records without end."""
    subscription = await bus.subscribe([topic], group="g")
    (reader,) = subscription._readers
    commit = reader._commit

    async def break_down() -> None:
        await asyncio.sleep(0)
        raise ArithmeticError

    reader._commit = break_down  # type: ignore[method-assign]  # nothing that is known ends the task
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            with pytest.raises(BusUnavailableError, match="ArithmeticError"):
                await subscription.receive()
    reader._commit = commit  # type: ignore[method-assign]  # which closing needs


async def test_a_stop_that_is_cancelled_leaves_no_connection(bus: KafkaBus, topic: str) -> None:
    """Whoever leaves a group and is cancelled meanwhile has disconnected all the same, and no task goes on."""
    subscription = await bus.subscribe([topic], group="g")
    consumer = consumer_of(subscription)
    leaving = asyncio.create_task(stop_consumer(consumer, within=PATIENCE))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not any(connection.connected() for connection in consumer._client._conns.values())
    await subscription.close()

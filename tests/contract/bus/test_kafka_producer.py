"""The producer after errors that end it, and records that Kafka never takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import TopicPartition, errors

from bus.contract import BusUnavailableError, Record
from bus.kafka import KafkaBus, KafkaRefusedError, TopicSettings
from tests.contract.bus.kafka_records import PATIENCE, bus_of, numbered, publish_persistently, read_until
from tests.servers.kafka import settings_for

ONE_PARTITION = TopicSettings(partitions=1, replication=1, min_insync=1, max_record_bytes=100_000)


@pytest.fixture
async def bus(kafka_address: str) -> AsyncIterator[KafkaBus]:
    """Yield a bus whose topics have one partition and take small records."""
    bus = bus_of(settings_for(kafka_address, topics=ONE_PARTITION, request_timeout=2.0))
    yield bus
    await bus.close()


@pytest.fixture
async def topic(bus: KafkaBus) -> str:
    """Return a topic of the test's own."""
    topic = f"producer.{uuid4()}"
    await bus.create_topics([topic])
    return topic


def producer_id(bus: KafkaBus) -> int:
    """Return by which number the broker knows the producer of the moment."""
    current = bus._publisher._current
    assert current is not None
    return int(current.producer._txn_manager.producer_id)


async def test_a_gap_in_the_sequence_rebuilds_the_producer(bus: KafkaBus, topic: str) -> None:
    """The broker refuses what comes after a gap (OutOfOrderSequence): the call says so, and the next one goes through.

    Nothing that was acknowledged is lost and each key's order holds.
    """
    subscription = await bus.subscribe([topic], group="g")
    for number in range(5):
        await bus.publish(numbered(topic, "key", number))
    before = producer_id(bus)
    manager = bus._publisher._current.producer._txn_manager  # type: ignore[union-attr]  # it has just published
    manager.increment_sequence_number(TopicPartition(topic, 0), 3)
    with pytest.raises(BusUnavailableError, match="OutOfOrderSequence"):
        await bus.publish(numbered(topic, "key", 5))
    assert not bus.available
    for number in range(5, 10):
        await bus.publish(numbered(topic, "key", number))
    assert bus.available
    assert producer_id(bus) != before
    arrived = await read_until(subscription, [(b"key", b"000009")])
    assert arrived[b"key"] == [f"{number:06}".encode() for number in range(10)]


class _LostBatch:
    """A batch that aiokafka has on its way for good: nothing ends its wait."""

    def __init__(self) -> None:
        self.future = asyncio.get_running_loop().create_future()

    def failure(self, exception: BaseException) -> None:
        """Take no notice."""


async def test_a_producer_that_never_stops_holds_up_no_other(bus: KafkaBus, topic: str) -> None:
    """Where the library waits for a batch that it has lost count of, the next call goes through, and the bus closes."""
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(numbered(topic, "key", 0))
    current = bus._publisher._current
    assert current is not None
    current.producer._message_accumulator._pending_batches.add(_LostBatch())
    current.broken = True
    await bus.publish(numbered(topic, "key", 1))
    assert bus.available
    assert bus._publisher._current is not current
    arrived = await read_until(subscription, [(b"key", b"000001")])
    assert arrived[b"key"] == [b"000000", b"000001"]


async def test_a_producer_that_was_replaced_takes_nobody_down(bus: KafkaBus, topic: str) -> None:
    """Calls that were under way when the producer was given up are refused or go through, and none hangs."""
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(numbered(topic, "key 0", 0))
    manager = bus._publisher._current.producer._txn_manager  # type: ignore[union-attr]  # it has just published
    manager.increment_sequence_number(TopicPartition(topic, 0), 3)

    async def publish(key: str) -> int:
        return sum([await publish_persistently(bus, numbered(topic, key, number)) for number in range(20)])

    async with asyncio.timeout(PATIENCE):
        refusals = await asyncio.gather(*(publish(f"key {number}") for number in range(8)))
    assert sum(refusals) > 0
    wanted = [(f"key {key}".encode(), f"{number:06}".encode()) for key in range(8) for number in range(20)]
    for values in (await read_until(subscription, wanted)).values():
        assert values == sorted(values)


async def test_a_producer_whose_sender_died_is_rebuilt(bus: KafkaBus, topic: str) -> None:
    """Where the task behind the producer ends, the next calls come through all the same."""
    await bus.publish(numbered(topic, "key", 0))
    current = bus._publisher._current
    assert current is not None
    current.producer._sender.sender_task.cancel()
    current.producer._message_accumulator.fail_all(errors.KafkaError("the sender has ended"))
    subscription = await bus.subscribe([topic], group="g")
    await publish_persistently(bus, numbered(topic, "key", 1))
    await read_until(subscription, [(b"key", b"000001")])


async def test_a_record_that_is_too_large_is_refused_alone(bus: KafkaBus, topic: str) -> None:
    """It is refused with a reason that names the setting; others of other calls go through with the same producer."""
    await bus.publish(numbered(topic, "key", 0))
    before = producer_id(bus)
    large = Record(topic, b"key", b"x" * 100_000, ())
    for records in ([large], [numbered(topic, "key", 1), large]):
        with pytest.raises(KafkaRefusedError, match="max_record_bytes"):
            await bus.publish_all(records)
    largest = Record(topic, b"key", b"x" * 99_800, ())
    await bus.publish(largest)
    await bus.publish_all([largest, largest, largest])
    assert producer_id(bus) == before


async def test_a_topic_that_does_not_exist_stops_no_other(bus: KafkaBus, topic: str) -> None:
    """It is refused within a request's time and says which command creates topics; meanwhile others are published."""
    await bus.publish(numbered(topic, "key", 0))  # so that a producer is there, and knows the topic
    missing = asyncio.create_task(bus.publish(numbered(f"missing.{uuid4()}", "key", 0)))
    await bus.publish(numbered(topic, "key", 1))
    assert not missing.done()
    with pytest.raises(KafkaRefusedError, match="lacolle ops kafka"):
        await missing
    with pytest.raises(KafkaRefusedError, match="lacolle ops kafka"):
        await bus.subscribe([f"missing.{uuid4()}"], group="g")


async def test_topics_are_created_once(bus: KafkaBus, topic: str) -> None:
    """Creating what is there changes nothing and is no error; what is not a legal name is."""
    await bus.publish(numbered(topic, "key", 0))
    await bus.create_topics([topic, topic])
    await bus.publish(numbered(topic, "key", 1))
    with pytest.raises(BusUnavailableError, match="not created"):
        await bus.create_topics(["no/such name"])


async def test_a_refusal_is_told_until_the_call_goes_through(bus: KafkaBus, topic: str) -> None:
    """Why the brokers refuse stays to be asked for, by whoever watches over the process, and goes with its cause."""
    assert bus.refusal is None
    missing = f"missing.{uuid4()}"
    with pytest.raises(KafkaRefusedError):
        await bus.subscribe([missing], group="g")
    await bus.publish(numbered(topic, "key", 0))
    assert bus.refusal is not None
    assert "lacolle ops kafka" in bus.refusal.en
    await bus.create_topics([missing])
    await bus.subscribe([missing], group="g")
    assert bus.refusal is None

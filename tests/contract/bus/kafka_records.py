"""What the tests of the Kafka bus have in common: records with numbers, and reading all of a topic."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import confluent_kafka

from bus.contract import Bus, BusUnavailableError, Record, Subscription
from bus.kafka import KafkaBus, KafkaSettings
from tests.patience import GIVES_UP_AFTER

PATIENCE = 2 * GIVES_UP_AFTER


def numbered(topic: str, key: str, number: int) -> Record:
    """Return the record of a key with a number."""
    return Record(topic, key.encode(), f"{number:06}".encode(), (("ce_id", f"{key}/{number}".encode()),))


def bus_of(settings: KafkaSettings) -> KafkaBus:
    """Return a bus whose files have full paths, or that has none."""
    return KafkaBus(settings, folder=Path())


def put_elsewhere(address: str, *records: dict[str, Any]) -> list[str | None]:
    """Put records on Kafka by librdkafka, which takes what our own bus has none of; return what it says of each."""
    producer = confluent_kafka.Producer({"bootstrap.servers": address})
    told: list[str | None] = []
    for record in records:
        producer.produce(
            **record, on_delivery=lambda error, _message: told.append(None if error is None else error.name())
        )
        assert producer.flush(PATIENCE) == 0
    return told


async def publish_persistently(bus: Bus, record: Record) -> int:
    """Publish as the relay does, waiting where the bus is away; return how often it was."""
    refusals = 0
    while True:
        try:
            await bus.publish(record)
        except BusUnavailableError:
            refusals += 1
            await asyncio.sleep(0.05)
        else:
            return refusals


async def subscribe_persistently(bus: Bus, topic: str, *, group: str) -> Subscription:
    """Join a group as an adapter does, waiting where the bus is away: a new cluster has no coordinator for a while."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await bus.subscribe([topic], group=group)
            except BusUnavailableError:
                await asyncio.sleep(0.05)


async def read_until(subscription: Subscription, wanted: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """Return each key's values in the order in which they arrived, once all that is wanted did."""
    missing = set(wanted)
    arrived: defaultdict[bytes, list[bytes]] = defaultdict(list)
    async with asyncio.timeout(PATIENCE):
        while missing:
            received = await subscription.receive()
            arrived[received.record.key].append(received.record.value)
            missing.discard((received.record.key, received.record.value))
            await subscription.done(received)
    return arrived

"""Brokers that stop, die and come back while records are published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from bus.contract import BusUnavailableError
from bus.kafka import TopicSettings
from lacolle.local.kafka import ClusterOptions, KafkaCluster
from tests.contract.bus.kafka_records import (
    PATIENCE,
    bus_of,
    numbered,
    publish_persistently,
    read_until,
    subscribe_persistently,
)
from tests.servers.kafka import OwnKafka, settings_for

KEYS = 4


def stop_and_start(cluster: KafkaCluster) -> None:
    """Shut the broker down and start it again."""
    cluster.stop_node(1)
    cluster.start_node(1)


def kill_and_start(cluster: KafkaCluster) -> None:
    """Kill the broker and start it again."""
    cluster.kill_node(1)
    cluster.start_node(1)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_while_a_broker_is_away(own_kafka: OwnKafka) -> None:
    """The one broker is stopped, then killed, and comes back: every acknowledged record arrives, each key's in order.

    Records are published throughout.
    """
    cluster = await asyncio.to_thread(own_kafka, ClusterOptions())
    topics = TopicSettings(partitions=3, replication=1, min_insync=1)
    await disturbed(cluster, [stop_and_start, kill_and_start], topics)


@pytest.mark.slow
async def test_a_cluster_outlives_one_of_its_three_brokers(own_kafka: OwnKafka) -> None:
    """Of three brokers one is killed and started again: every acknowledged record arrives, each key's in order.

    With two of three gone there are too few replicas in sync: publishing is refused, and goes on when one is back.
    """
    cluster = await asyncio.to_thread(own_kafka, ClusterOptions(nodes=3))
    topics = TopicSettings(partitions=3, replication=3, min_insync=2)
    await disturbed(cluster, [kill_and_start], topics)
    bus = bus_of(settings_for(*cluster.bootstrap, topics=topics, request_timeout=2.0, delivery_timeout=4.0))
    topic = f"brokers.{uuid4()}"
    await bus.create_topics([topic])
    await bus.publish(numbered(topic, "key", 0))
    for number in (2, 3):
        await asyncio.to_thread(cluster.kill_node, number)
    with pytest.raises(BusUnavailableError):
        await bus.publish(numbered(topic, "key", 1))
    await asyncio.to_thread(cluster.start_node, 2)
    async with asyncio.timeout(2 * PATIENCE):
        await publish_persistently(bus, numbered(topic, "key", 1))
    await bus.close()


async def disturbed(
    cluster: KafkaCluster, faults: Sequence[Callable[[KafkaCluster], None]], topics: TopicSettings
) -> None:
    """Publish on several keys until well after the last fault, and see that all arrives in order."""
    bus = bus_of(settings_for(*cluster.bootstrap, topics=topics, request_timeout=2.0, delivery_timeout=4.0))
    topic = f"brokers.{uuid4()}"
    await bus.create_topics([topic])
    subscription = await subscribe_persistently(bus, topic, group="g")
    over = asyncio.Event()
    acknowledged: list[tuple[bytes, bytes]] = []

    async def publish(key: str) -> None:
        number = 0
        while not over.is_set() or number < 50:
            await publish_persistently(bus, numbered(topic, key, number))
            acknowledged.append((key.encode(), f"{number:06}".encode()))
            number += 1
            await asyncio.sleep(0.02)

    publishing = [asyncio.create_task(publish(f"key {number}")) for number in range(KEYS)]
    for fault in faults:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(fault, cluster)
    await asyncio.sleep(1.0)
    over.set()
    await asyncio.gather(*publishing)
    for values in (await read_until(subscription, acknowledged)).values():
        assert list(dict.fromkeys(values)) == sorted(set(values))
    await bus.close()

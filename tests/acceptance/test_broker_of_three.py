"""One broker of three dies under load and comes back, then another: what was promised holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import AdminClient

from bus.topics import PARCELS
from lacolle.local.kafka import ClusterOptions, KafkaCluster
from tests.acceptance.crash_promises import SETTLES_WITHIN
from tests.acceptance.databases import Place, own_database
from tests.acceptance.fault_stage import REPLICATED, open_stage
from tests.patience import GIVES_UP_AFTER
from tests.servers.kafka import OwnKafka

_STRETCH: Final = 40


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a PostgreSQL server of the test's own."""
    with own_database() as place:
        yield place


@pytest.mark.slow
async def test_a_broker_of_three_is_killed_and_restarted(place: Place, own_kafka: OwnKafka, tmp_path: Path) -> None:
    """With any one broker dead alerts are accepted and delivered; no receipt and no order is lost with it."""
    cluster = await asyncio.to_thread(own_kafka, ClusterOptions(nodes=3))
    async with open_stage(tmp_path / "stage", place, cluster, topics=REPLICATED) as stage:
        async with stage.under_load():
            for number in (1, 2):
                await stage.answers(_STRETCH)
                assert number in await asyncio.to_thread(_leaders, cluster)
                await asyncio.to_thread(cluster.kill_node, number)
                await stage.answers(_STRETCH)
                await stage.deliveries(_STRETCH // 2)  # two brokers suffice
                async with asyncio.timeout(SETTLES_WITHIN):
                    while number in await asyncio.to_thread(_leaders, cluster):  # noqa: ASYNC110 - brokers tell nobody
                        await asyncio.sleep(0.1)
                await asyncio.to_thread(cluster.start_node, number)
        await stage.hold(least=4 * _STRETCH)


def _leaders(cluster: KafkaCluster) -> set[int]:
    """Return the brokers that lead a partition of a partner's topics now."""
    administrator = AdminClient({"bootstrap.servers": ",".join(cluster.bootstrap), "log_level": 0})
    topics = administrator.list_topics(timeout=GIVES_UP_AFTER).topics
    return {
        partition.leader
        for name, topic in topics.items()
        if name.startswith(PARCELS)
        for partition in topic.partitions.values()
    }

"""What the exchange runs on is taken away under load, and each of its processes killed: what was promised holds.

The oracle is that of the crash tests: every receipt is honoured, each entitled partner took each alert and nobody else
did, each thread's alerts arrive in their order, and there is one log without a gap, which verifies.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
import pytest_asyncio

from bus.contract import Subscription
from bus.events import read_parcel
from bus.kafka import KafkaBus
from bus.topics import parcels_topics
from lacolle.local.kafka import ClusterOptions, KafkaCluster
from lacolle.local.kafka_jars import KafkaJars
from lacolle.local.ports import free_ports
from lacolle.local.postgres import Stop
from schemas.parcels import Parcel
from tests.acceptance.crash_partners import Handed
from tests.acceptance.databases import Place, own_database
from tests.acceptance.fault_stage import FaultStage, open_stage, own_cluster, restarted
from tests.servers.kafka import settings_for
from tests.servers.proxy import Proxy, proxying

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STRETCH: Final = 25
"""How many alerts are answered before and after a fault."""
AWAY: Final = 3.0
"""Seconds for which an engine is away."""
RELAY_KILLS: Final = 4
ADAPTER_KILLS: Final = 3
PATIENCE: Final = 30.0
QUIET: Final = 0.3


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Yield a PostgreSQL server that the tests may stop as they like."""
    with own_database() as place:
        yield place


@pytest.fixture(scope="module")
def proxy_port() -> int:
    """Return the port at which a proxy may stand before the broker."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def cluster(jars: KafkaJars, proxy_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Yield a broker that the tests may stop as they like, with a listener for clients behind a proxy."""
    options = ClusterOptions(proxied_through=proxy_port)
    with own_cluster(KafkaCluster(tmp_path_factory.mktemp("kafka"), jars, options)) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, place: Place, cluster: KafkaCluster
) -> AsyncIterator[FaultStage]:
    """Yield the exchange that the tests of this module disturb."""
    async with open_stage(tmp_path_factory.mktemp("faults"), place, cluster) as stage:
        yield stage


async def test_kafka_is_away_for_a_while(stage: FaultStage) -> None:
    """While the broker is dead alerts are accepted; once it is back they are delivered, each thread's in order."""
    async with stage.under_load():
        await stage.answers(STRETCH)
        await asyncio.to_thread(stage.cluster.kill_node, 1)
        before, delivered = stage.answered, len(stage.partners.arrivals)
        await asyncio.gather(asyncio.sleep(AWAY), stage.answers(2 * STRETCH))
        waiting = stage.answered - before
        assert len(stage.partners.arrivals) - delivered < waiting  # no more than what the adapters had in hand
        await asyncio.to_thread(stage.cluster.start_node, 1)
        await stage.answers(STRETCH)
    await stage.hold(least=2 * STRETCH)


async def test_postgres_is_stopped_at_once(stage: FaultStage) -> None:
    """The database ends as in a crash, and comes back: what was answered before is there, what was not was not lost."""
    async with stage.under_load():
        await stage.answers(STRETCH)
        await asyncio.to_thread(stage.place.server.stop, Stop.IMMEDIATE)
        before = stage.answered
        await asyncio.sleep(AWAY / 3)
        assert stage.answered <= before + len(stage.gateways)  # an answer may have been on its way
        await asyncio.to_thread(stage.place.server.start)
        await stage.answers(2 * STRETCH)
    assert all(role.process is not None and role.process.poll() is None for role in stage.roles)
    await stage.hold(least=2 * STRETCH)


async def test_gateways_are_killed(stage: FaultStage) -> None:
    """A worker and a whole gateway die under load: what they had answered is kept, what they had not can be retried."""
    first, second = stage.gateways
    async with stage.under_load():
        for _ in range(2):
            await stage.answers(STRETCH)
            (victim,) = re.findall(r'"worker": 1, "pid": ([0-9]+)', first.told())[-1:]
            os.kill(int(victim), signal.SIGKILL)
            await asyncio.to_thread(second.kill)
            await asyncio.to_thread(second.start)
        await stage.answers(STRETCH)
    await stage.hold(least=2 * STRETCH)


async def test_the_relay_is_killed_between_publishing_and_marking(stage: FaultStage) -> None:
    """The relay dies when a parcel shows on its topic and is not marked yet: it goes out again, and is delivered."""
    published_unmarked = 0
    async with stage.under_load(), _watching(stage) as subscription:
        await asyncio.to_thread(stage.relay.kill)
        for _ in range(RELAY_KILLS):
            await _pass_over(subscription)
            stage.relay.launch()
            parcel = await _next_parcel(subscription)
            await asyncio.to_thread(stage.relay.kill)
            state, attempts = await stage.dispatch(parcel.delivery_id)
            published_unmarked += state == "pending" and attempts < parcel.attempt
        await asyncio.to_thread(stage.relay.start)
    assert published_unmarked
    await stage.hold(least=2 * STRETCH)


async def test_adapters_are_killed_between_handing_over_and_committing(stage: FaultStage) -> None:
    """Every adapter dies when a partner has taken a parcel and not answered: the partner is handed the same again."""
    victims: list[str] = []
    killed = asyncio.Event()

    def kill_all(handed: Handed) -> None:
        if not killed.is_set():
            for role in stage.adapters:
                os.kill(role.pid, signal.SIGKILL)
            victims.append(handed.delivery_id)
            killed.set()

    async with stage.under_load():
        for _ in range(ADAPTER_KILLS):
            await stage.answers(STRETCH // 2)
            killed.clear()
            stage.partners.met = kill_all
            async with asyncio.timeout(PATIENCE):
                await killed.wait()
            await restarted(*stage.adapters)
        await stage.answers(STRETCH)
    stage.partners.met = lambda _: None
    await stage.hold(least=2 * STRETCH)
    arrived = Counter(each.delivery_id for each in stage.partners.arrivals)
    assert all(arrived[delivery_id] > 1 for delivery_id in victims)


async def test_the_way_to_the_broker_is_bad(stage: FaultStage, proxy_port: int) -> None:
    """Relay and adapters reach the broker slowly, then with cut connections, then into silence: nothing is lost."""
    async with _behind_a_proxy(stage, proxy_port) as proxy:
        async with stage.under_load():
            proxy.delay = 0.05
            await stage.answers(2 * STRETCH)
            proxy.delay = 0.0
            for _ in range(4):
                await stage.answers(STRETCH // 2)
                proxy.cut()
            await stage.answers(STRETCH)
            proxy.silence()
            await asyncio.gather(
                asyncio.sleep(2 * AWAY), stage.answers(STRETCH)
            )  # longer than the bus waits for anything
            proxy.mend()
            await stage.answers(STRETCH)
        await stage.hold(least=4 * STRETCH)


@asynccontextmanager
async def _watching(stage: FaultStage) -> AsyncIterator[Subscription]:
    """Subscribe, as nobody else, to every topic on which parcels are published."""
    bus = KafkaBus(settings_for(*stage.cluster.bootstrap), folder=Path())
    topics = [topic for receiver in stage.partners.endpoints for topic in parcels_topics(receiver)]
    try:
        yield await bus.subscribe(topics, group=f"watching.{uuid4()}")
    finally:
        await bus.close()


async def _pass_over(subscription: Subscription) -> None:
    """Read what was published until now, and nobody publishes any more."""
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(QUIET):
                received = await subscription.receive()
            await subscription.done(received)


async def _next_parcel(subscription: Subscription) -> Parcel:
    async with asyncio.timeout(PATIENCE):
        received = await subscription.receive()
    await subscription.done(received)
    return read_parcel(received.record)


@asynccontextmanager
async def _behind_a_proxy(stage: FaultStage, port: int) -> AsyncIterator[Proxy]:
    """Have relay and adapters reach the broker through a proxy alone for as long as the block lasts."""
    roles = (stage.relay, *stage.adapters)
    (listener,) = stage.cluster.addresses("PROXIED")
    async with proxying(port=port, target=listener) as proxy:
        for role in roles:
            role.environment = {"LACOLLE_BUS__KAFKA__BOOTSTRAP": f"['127.0.0.1:{port}']"}
        await restarted(*roles)
        assert proxy.connections
        try:
            yield proxy
        finally:
            for role in roles:
                await asyncio.to_thread(role.kill)
                role.environment = {}
    await restarted(*roles)

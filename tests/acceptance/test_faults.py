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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
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
from schemas.ids import DeliveryId
from schemas.parcels import Parcel
from tests.acceptance import crash_oracle
from tests.acceptance.crash_partners import Handed
from tests.acceptance.crash_promises import SETTLES_WITHIN, until
from tests.acceptance.databases import Place, own_database
from tests.acceptance.fault_stage import CONNECTIONS, PAUSE, FaultStage, open_stage, own_cluster, restarted
from tests.acceptance.roles import RoleProcess
from tests.servers.kafka import settings_for
from tests.servers.proxy import Proxy, proxying

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STRETCH: Final = 25
"""How many alerts are answered before and after a fault."""
AWAY: Final = 3.0
"""Seconds for which an engine is away."""
RELAY_KILLS: Final = 3
RELAY_KILLS_AT_MOST: Final = 30
"""How often a relay may have marked what it published before the signal came: a loaded machine brings that late."""
ADAPTER_KILLS: Final = 3
CUTS: Final = 4
SLOW: Final = 0.05
"""Seconds for which the proxy holds every piece of data, each way."""
ROUNDS: Final = 5
"""How often every connection is refused before nothing can be on its way any more."""


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


async def test_two_gateways_with_two_workers_each_give_one_log(stage: FaultStage) -> None:
    """All four write under load, in turns, to one gapless log with no index skipped or repeated; nothing comes late."""
    async with asyncio.timeout(SETTLES_WITHIN):
        while not all(accepted := _accepted_by_worker(stage)):  # who takes a connection is the system's choice
            async with stage.under_load(pause=PAUSE / 8):
                await stage.answers(4 * STRETCH)
    await stage.hold(least=4 * STRETCH)
    crash_oracle.nothing_comes_late(stage.promises.threads, stage.partners.arrivals)
    assert sum(accepted) == len(stage.submissions)


async def test_kafka_is_away_for_a_while(stage: FaultStage) -> None:
    """While the broker is dead alerts are accepted; once it is back they are delivered, each thread's in order."""
    async with stage.under_load():
        await stage.deliveries(STRETCH)
        waited = crash_oracle.waited_for_their_thread(stage.promises.threads)
        await asyncio.to_thread(stage.cluster.kill_node, 1)
        drained = await stage.drained()
        await asyncio.gather(asyncio.sleep(AWAY), stage.answers(2 * STRETCH))
        assert len(stage.partners.arrivals) == drained
        await asyncio.to_thread(stage.cluster.start_node, 1)
        await stage.deliveries(STRETCH)
    await stage.hold(least=2 * STRETCH)
    assert crash_oracle.waited_for_their_thread(stage.promises.threads) > waited


async def test_postgres_is_stopped_at_once(stage: FaultStage) -> None:
    """The database ends as in a crash, and comes back: what was answered before is there, what was not was not lost."""
    async with stage.under_load():
        await stage.answers(STRETCH)
        await asyncio.to_thread(stage.place.server.stop, Stop.IMMEDIATE)
        await stage.promises.refusals(ROUNDS * CONNECTIONS)  # until then an answer may be on its way
        answered = stage.promises.answered
        await asyncio.sleep(AWAY / 3)
        await stage.promises.refusals(1)
        assert stage.promises.answered == answered
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
            cut_off, victim = stage.promises.cut_off, first.workers()[1]
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(second.kill_all)
            await stage.answers(STRETCH)  # a worker is left
            await _cut_off_and_told_of(stage, victim, before=cut_off)
            await asyncio.to_thread(second.start)
        await stage.answers(STRETCH)
    await stage.hold(least=4 * STRETCH)


async def test_relays_are_killed_between_publishing_and_marking(stage: FaultStage) -> None:
    """The active relay dies when a parcel shows on its topic and is not marked: the other one publishes it again."""
    unmarked: list[Parcel] = []
    async with _watching(stage) as watched:
        async with stage.under_load():
            await stage.answers(STRETCH)
            kills = 0
            while kills < RELAY_KILLS or not (unmarked or kills == RELAY_KILLS_AT_MOST):
                kills += 1
                active = await stage.active_relay()
                parcel = await watched.signal_at_next(active.pid, signal.SIGKILL)
                state, attempts = await stage.dispatch(parcel.delivery_id)
                if state == "pending" and attempts < parcel.attempt:
                    unmarked.append(parcel)
                assert await stage.active_relay() is not active
                await stage.deliveries(STRETCH // 2)
                await restarted(active)
            await stage.answers(STRETCH)
        assert unmarked
        await stage.hold(least=2 * STRETCH)
        await watched.until(lambda copies: all(copies[each.delivery_id, each.attempt] > 1 for each in unmarked))


async def test_a_relay_is_frozen_and_wakes(stage: FaultStage) -> None:
    """The active relay stands still between publishing and marking for longer than its lock lasts, and another relays.

    Awake again it finds that its turn is over and stands by; what it had in hand does no harm, and it can be its turn
    once more.
    """
    async with _watching(stage) as watched:
        async with stage.under_load():
            await stage.answers(STRETCH)
            frozen = await stage.active_relay()
            await watched.signal_at_next(frozen.pid, signal.SIGSTOP)
            try:
                (other,) = (relay for relay in stage.relays if relay is not frozen)
                await asyncio.to_thread(other.wait_for, lambda: other.turn() == "active", what="active", within=30.0)
                await stage.deliveries(STRETCH)
            finally:
                os.kill(frozen.pid, signal.SIGCONT)
            await asyncio.to_thread(frozen.wait_for, lambda: frozen.turn() == "standing by", what="standing by")
            assert other.turn() == "active"
            await stage.answers(STRETCH)
            await stage.deliveries(STRETCH)
        await stage.hold(least=2 * STRETCH)
    await asyncio.to_thread(other.kill)
    assert await stage.active_relay() is frozen
    await restarted(other)


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
            async with asyncio.timeout(SETTLES_WITHIN):
                await killed.wait()
            await restarted(*stage.adapters)
        await stage.answers(STRETCH)
    stage.partners.met = lambda _: None
    await stage.hold(least=2 * STRETCH)
    arrived = Counter(each.delivery_id for each in stage.partners.arrivals)
    assert all(arrived[delivery_id] > 1 for delivery_id in victims)


async def test_the_way_to_the_broker_is_bad(stage: FaultStage, proxy_port: int) -> None:
    """Relays and adapters reach the broker slowly, then with cut connections, then into silence: nothing is lost."""
    async with _behind_a_proxy(stage, proxy_port) as proxy:
        async with stage.under_load():
            proxy.delay = SLOW
            before = len(stage.submissions)
            await stage.answers(2 * STRETCH)
            proxy.delay = 0.0
            for _ in range(CUTS):
                await _cut(proxy)
                await stage.deliveries(STRETCH // 2)
            told = sum(_failures(role) for role in stage.relays)
            proxy.silence()
            silent = await stage.drained()
            await stage.answers(STRETCH)
            await until(lambda: sum(_failures(role) for role in stage.relays) > told)  # the bus has waited long enough
            assert len(stage.partners.arrivals) == silent
            proxy.mend()
            await stage.deliveries(STRETCH)
        await stage.hold(least=4 * STRETCH)
    slow = {each.alert_id: each.answered_at for each in stage.submissions[before : before + STRETCH]}
    took = [each.at - slow[each.alert_id] for each in stage.partners.arrivals if each.alert_id in slow]
    assert median(took) > 2 * SLOW  # to the broker, and from it


async def _cut_off_and_told_of(stage: FaultStage, victim: int, *, before: int) -> None:
    """Wait until a client has noticed the kills, and the first gateway has said how its worker ended."""
    ended = f'"pid": {victim}, "status": {-signal.SIGKILL}'
    await until(lambda: stage.promises.cut_off > before and ended in stage.gateways[0].told())


async def _cut(proxy: Proxy) -> None:
    """Cut every connection, and wait until there is another."""
    connections = proxy.connections
    proxy.cut()
    await until(lambda: proxy.connections > connections)


@dataclass
class _Watched:
    """Every parcel as it shows on its topic: how often each attempt did, and whom that is to end or stop."""

    copies: Counter[tuple[DeliveryId, int]] = field(default_factory=Counter)
    victim: int = 0
    how: signal.Signals = signal.SIGKILL
    signalled_at: asyncio.Queue[Parcel] = field(default_factory=asyncio.Queue)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self, subscription: Subscription) -> None:
        """Read until cancelled."""
        while True:
            received = await subscription.receive()
            parcel = read_parcel(received.record)
            copy = parcel.delivery_id, parcel.attempt
            if self.victim and not self.copies[copy]:
                os.kill(self.victim, self.how)
                self.victim = 0
                self.signalled_at.put_nowait(parcel)
            self.copies[copy] += 1
            async with self.changed:
                self.changed.notify_all()
            await subscription.done(received)

    async def signal_at_next(self, pid: int, how: signal.Signals) -> Parcel:
        """Signal a process when the next parcel shows for the first time, and return that."""
        self.how, self.victim = how, pid
        async with asyncio.timeout(SETTLES_WITHIN):
            return await self.signalled_at.get()

    async def until(self, holds: Callable[[Counter[tuple[DeliveryId, int]]], bool]) -> None:
        """Wait until something holds of what was read."""
        async with asyncio.timeout(SETTLES_WITHIN), self.changed:
            await self.changed.wait_for(lambda: holds(self.copies))


@asynccontextmanager
async def _watching(stage: FaultStage) -> AsyncIterator[_Watched]:
    """Read, as nobody else, every topic on which parcels are published."""
    bus = KafkaBus(settings_for(*stage.cluster.bootstrap), folder=Path())
    topics = [topic for receiver in stage.partners.endpoints for topic in parcels_topics(receiver)]
    watched = _Watched()
    try:
        subscription = await bus.subscribe(topics, group=f"watching.{uuid4()}")
        reading = asyncio.create_task(watched.read(subscription))
        try:
            yield watched
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await bus.close()


def _accepted_by_worker(stage: FaultStage) -> list[int]:
    """Return how many alerts each worker of both gateways has accepted."""
    told = [gateway.metrics(offset=worker) for gateway in stage.gateways for worker in range(2)]
    counts = [re.findall(r"^lacolle_accepted_total (\S+)$", metrics, re.MULTILINE) for metrics in told]
    return [int(float(count)) for (count,) in counts]


def _failures(role: RoleProcess) -> int:
    """Return how often a role said that the bus did not take something."""
    return role.told().count('"bus_unavailable"') + role.told().count('"producer_rebuilt"')


@asynccontextmanager
async def _behind_a_proxy(stage: FaultStage, port: int) -> AsyncIterator[Proxy]:
    """Have relays and adapters reach the broker through a proxy alone for as long as the block lasts."""
    roles = (*stage.relays, *stage.adapters)
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

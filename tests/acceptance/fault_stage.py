"""An exchange in its roles on engines of its own, agencies that post to it and partners who remember: to be disturbed.

Two gateways with two workers each; two relays, of which one stands by; two processes of adapters that share the
partners' partitions.
Tests disturb it one after the other, and each holds the whole oracle against all that has happened so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import open_postgres
from gateway.store.tables import dispatches
from lacolle.local.kafka import KafkaCluster
from lacolle.samples import World, WorldOptions, build_world
from schemas.ids import DeliveryId, ParticipantId
from tests.acceptance.conftest import free_port
from tests.acceptance.crash_agencies import Agencies, Submission
from tests.acceptance.crash_partners import Partners, open_partners
from tests.acceptance.crash_promises import SETTLES_WITHIN, Promises, until
from tests.acceptance.databases import Place
from tests.acceptance.roles import RoleProcess, create_topics, engine_settings, telling

CONNECTIONS: Final = 4
"""How many connections post to each gateway."""
PAUSE: Final = 0.08
DRAINED: Final = 2.5
"""Seconds without a delivery after which none is in hand any more."""
UNAVAILABLE: Final = 503
REPLICATED: Final = {"partitions": 3, "replication": 3, "min_insync": 2}
ALONE: Final = {"partitions": 3, "replication": 1, "min_insync": 1}


@dataclass
class FaultStage:
    """The exchange's processes and engines, and everybody around it."""

    promises: Promises
    place: Place
    cluster: KafkaCluster
    roles: tuple[RoleProcess, ...]

    @property
    def gateways(self) -> tuple[RoleProcess, ...]:
        """Return the gateways."""
        return self.roles[:2]

    @property
    def relays(self) -> tuple[RoleProcess, ...]:
        """Return the relays."""
        return self.roles[2:4]

    @property
    def adapters(self) -> tuple[RoleProcess, ...]:
        """Return the processes of adapters."""
        return self.roles[4:]

    @property
    def world(self) -> World:
        """Return who takes part."""
        return self.promises.world

    @property
    def partners(self) -> Partners:
        """Return the partners."""
        return self.promises.partners

    @property
    def submissions(self) -> list[Submission]:
        """Return all that was posted so far; both gateways' agencies share one list."""
        return self.promises.submissions

    @property
    def agencies(self) -> Agencies:
        """Return the first gateway's agencies."""
        return self.promises.everybody[0]

    async def active_relay(self) -> RoleProcess:
        """Return the relay that holds the lock, once one does."""
        async with asyncio.timeout(SETTLES_WITHIN):
            while True:
                for relay in self.relays:
                    if await asyncio.to_thread(relay.turn) == "active":
                        return relay
                await asyncio.sleep(0.05)

    async def answers(self, count: int) -> None:
        """Wait until so many more alerts have a receipt."""
        await self.promises.answers(count)

    async def deliveries(self, count: int) -> None:
        """Wait until so many more messages have arrived at partners."""
        wanted = len(self.partners.arrivals) + count
        await until(lambda: len(self.partners.arrivals) >= wanted)

    async def drained(self) -> int:
        """Wait until nothing has arrived at partners for a moment, and return how much has."""
        async with asyncio.timeout(SETTLES_WITHIN):
            while True:
                before = len(self.partners.arrivals)
                await asyncio.sleep(DRAINED)
                if len(self.partners.arrivals) == before:
                    return before

    @asynccontextmanager
    async def under_load(self, *, pause: float = PAUSE) -> AsyncIterator[None]:
        """Have the agencies post to both gateways for as long as the block lasts, and then finish what is open."""
        async with self.promises.under_load(connections=CONNECTIONS, pause=pause):
            yield

    async def hold(self, *, least: int) -> None:
        """Hold every promise against all that has happened; at least so many alerts were posted since the last time."""
        await self.promises.hold(least=least)

    async def undelivered(self) -> int:
        """Return how many dispatches are not delivered, as the database has them."""
        statement = select(func.count()).select_from(dispatches).where(dispatches.c.state != "delivered")
        async with self._reading() as connection:
            return int(await connection.scalar(statement) or 0)

    async def dispatch(self, delivery_id: DeliveryId) -> tuple[str, int]:
        """Return a dispatch's state and attempts, as the database has them."""
        statement = select(dispatches.c.state, dispatches.c.attempts).where(dispatches.c.delivery_id == delivery_id)
        async with self._reading() as connection:
            state, attempts = (await connection.execute(statement)).one()
            return state, attempts

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        store = open_postgres(self.place.database)
        try:
            async with store.reading() as connection:
                yield connection
        finally:
            await store.close()


@asynccontextmanager
async def open_stage(
    directory: Path,
    place: Place,
    cluster: KafkaCluster,
    *,
    topics: Mapping[str, int] = ALONE,
    partners_at: Callable[[Partners], Mapping[ParticipantId, str]] = lambda partners: partners.endpoints,
) -> AsyncIterator[FaultStage]:
    """Yield the exchange with all its processes running; ``partners_at`` says where it is to reach its partners."""
    async with AsyncExitStack() as stack:
        partners = await stack.enter_async_context(open_partners(directory / "partners", Random(1)))  # noqa: S311 - chance that can be repeated
        options = WorldOptions(
            port=free_port(),
            endpoints=partners_at(partners),
            settings=_settings(directory, place, cluster, partners, topics),
        )
        world = build_world(directory / "world", options)
        await asyncio.to_thread(create_topics, world, *cluster.bootstrap, folder=directory, topics=topics)
        promises = Promises(world, place.database, partners, _everybody(world))
        found = FaultStage(promises, place, cluster, _roles(directory, world))
        for role in found.roles:
            stack.callback(role.kill)
        stack.enter_context(telling(*found.roles))
        for role in found.roles:
            role.launch()
        for role in found.roles:
            await asyncio.to_thread(role.wait_until_ready)
        yield found


def _roles(directory: Path, world: World) -> tuple[RoleProcess, ...]:
    def role(name: str, *command: str, **environment: str) -> RoleProcess:
        log = directory / f"{name}.log"
        return RoleProcess(command, world.folder, log, port=free_port(), environment=environment)

    return (
        role("gateway-1", "gateway", "--workers", "2", "--insecure-http"),
        role(
            "gateway-2", "gateway", "--workers", "2", "--insecure-http", LACOLLE_LISTEN__PORT=str(_second_port(world))
        ),
        role("relay-1", "relay"),
        role("relay-2", "relay"),
        role("adapters-1", "adapters"),
        role("adapters-2", "adapters"),
    )


def _everybody(world: World) -> tuple[Agencies, ...]:
    """Return the agencies at each gateway; one numbering of alerts is common to all."""
    dice = Random(2)  # noqa: S311 - as above
    second = replace(world, base_url=f"http://127.0.0.1:{_second_port(world)}")
    not_now = frozenset({UNAVAILABLE})
    first = Agencies(world, dice, not_now=not_now)
    return first, Agencies(second, dice, submissions=first.submissions, not_now=not_now)


def _second_port(world: World) -> int:
    """Return where the second gateway listens: next to the first."""
    return int(world.base_url.rpartition(":")[2]) + 1


def _settings(
    directory: Path, place: Place, cluster: KafkaCluster, partners: Partners, topics: Mapping[str, int]
) -> dict[str, Any]:
    engines = engine_settings(directory, database=place.database, kafka=cluster.bootstrap[0])
    impatient = {
        "bootstrap": list(cluster.bootstrap),
        "topics": dict(topics),
        "request_timeout": 2.0,
        "delivery_timeout": 5.0,
        "session_timeout": 3.0,
        "heartbeat": 0.5,
    }
    engines["bus"]["kafka"] |= impatient
    delivery = {"ca_file": str(partners.authority.ca_file), "retry_base": 0.1, "retry_cap": 1.0, "timeout": 3.0}
    return {**engines, "delivery": delivery}


async def restarted(*roles: RoleProcess) -> None:
    """Kill what still runs of some roles, start them, and return once they are ready."""
    for role in roles:
        await asyncio.to_thread(role.kill)
        role.launch()
    for role in roles:
        await asyncio.to_thread(role.wait_until_ready)


@contextmanager
def own_cluster(cluster: KafkaCluster) -> Iterator[KafkaCluster]:
    """Run a cluster that the test may stop as it likes."""
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.kill()

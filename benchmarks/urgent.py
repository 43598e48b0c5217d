"""The urgent lane: from an urgent alert's 201 to its partner's endpoint, a routine backlog waiting for that partner.

``python -m benchmarks.urgent`` queues the backlog through the gateway, starts relay and adapters, and posts urgent
alerts at a steady rate while the backlog drains; each is also for a second partner, where nobody listens. Every role is
a process of its own, on a PostgreSQL and an Apache Kafka of this machine. ``--json`` prints one JSON object and nothing
else.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from sys import executable
from typing import Final

import orjson
import uvloop
from rich.console import Console
from sqlalchemy import func, make_url, select, text

from benchmarks.connection import request_bytes
from benchmarks.load import Load, Plan, Result
from benchmarks.partner import Endpoint, PartnerProcess, partner
from benchmarks.process import HOST, free_port, serving
from benchmarks.sample import alerts, sign
from bus.kafka import KafkaBus, KafkaSettings, TopicSettings
from bus.topics import OUTCOMES, dead_topic, parcels_topics
from gateway.store.engine import open_postgres
from gateway.store.schema import upgrade
from gateway.store.tables import dispatches
from lacolle.certificates import LocalAuthority
from lacolle.local.kafka import KafkaCluster
from lacolle.local.kafka_jars import kafka_jars
from lacolle.local.postgres import LocalPostgres
from lacolle.samples import World, WorldOptions, build_world
from schemas.decisions import Lane
from schemas.ids import ParticipantId

SENDER: Final = ParticipantId("ca-qc.sq")
BUSY: Final = ParticipantId("us-ny.nysp")
DEAD: Final = ParticipantId("us-vt.vsp")
BATCH: Final = 1000
BEGINS_WITHIN: Final = 120.0
SETTLED: Final = ("delivered", "refused", "expired")
_TOPICS: Final = {"partitions": 6, "replication": 1, "min_insync": 1}
_QUEBEC: Final = timezone(timedelta(hours=-5))


class UrgentError(Exception):
    """The measurement says nothing: the backlog was not taken, did not begin to drain, or ended too early."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is; ``database`` is the owner's URL."""

    directory: Path
    world: World
    port: int
    database: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Figures:
    """What was seen: how many urgent alerts, the time from 201 to endpoint, and the backlog around them."""

    backlog: int
    left_at_the_end: int
    urgent: int
    p50_ms: float
    p99_ms: float
    stolen_share: float
    kafka: str
    postgres: str


def measure(*, backlog: int, rate: float, seconds: float, directory: Path) -> Figures:
    """Queue the backlog, let it drain, and time urgent alerts meanwhile. Raises ``UrgentError``."""
    with ExitStack() as stack:
        server = stack.enter_context(LocalPostgres(directory / "postgres"))
        cluster = KafkaCluster(directory / "kafka", kafka_jars())
        stack.callback(cluster.stop)
        cluster.start()
        stage = _prepare(directory, database=server.url("postgres"), kafka=cluster.bootstrap)
        stack.enter_context(_role(stage, "gateway", "--insecure-http", "--workers", "2"))
        _queue(stage, backlog)
        with partner([stage.endpoint]) as running:
            stack.enter_context(_role(stage, "relay"))
            stack.enter_context(_role(stage, "adapters"))
            _wait_until_draining(running)
            result = uvloop.run(_post_urgent(stage, running, rate=rate, seconds=seconds))
        left = asyncio.run(_left(stage))
        if left == 0 or not result.statuses.keys() <= {"201"}:
            raise UrgentError(f"{left} of the backlog left, answers: {result.statuses}")
        return Figures(
            backlog=backlog,
            left_at_the_end=left,
            urgent=result.answers,
            p50_ms=result.delivery_p50_ms,
            p99_ms=result.delivery_p99_ms,
            stolen_share=result.stolen_share,
            kafka=cluster.version,
            postgres=asyncio.run(_version(stage)),
        )


def _prepare(directory: Path, *, database: str, kafka: tuple[str, ...]) -> Stage:
    """Make the sample world on these engines: one partner listens, the other's port is nobody's."""
    asyncio.run(_upgrade(database))
    authority = LocalAuthority(directory / "tls")
    certificate = authority.issue("partners")
    endpoint = Endpoint(port=free_port(), certificate=certificate.chain, private_key=certificate.key)
    place = make_url(database)
    secret = directory / "database.password"
    secret.touch(mode=0o600)
    secret.write_text(f"{place.password}\n", encoding="ascii")
    url = place._replace(password=None).render_as_string(hide_password=False)
    port = free_port()
    options = WorldOptions(
        host=HOST,
        port=port,
        endpoints={
            BUSY: f"https://{HOST}:{endpoint.port}/alerts",
            DEAD: f"https://{HOST}:{free_port()}/alerts",
        },
        settings={
            "limits": {"rate_per_second": 1e6, "burst": 1_000_000},
            "delivery": {"ca_file": str(authority.ca_file)},
            "store": {"url": url, "password_file": str(secret)},
            "bus": {"kafka": {"bootstrap": list(kafka), "topics": _TOPICS}},
        },
    )
    world = build_world(directory / "world", options)
    asyncio.run(_create_topics(world, kafka))
    return Stage(directory, world, port, database, endpoint)


async def _upgrade(database: str) -> None:
    store = open_postgres(database)
    await upgrade(store.writer)
    await store.close()


async def _create_topics(world: World, kafka: tuple[str, ...]) -> None:
    bus = KafkaBus(KafkaSettings(bootstrap=kafka, topics=TopicSettings(**_TOPICS)), folder=Path())
    try:
        names = [topic for member in world.members for topic in (*parcels_topics(member), dead_topic(member))]
        await bus.create_topics([OUTCOMES, *names])
    finally:
        await bus.close()


@contextmanager
def _role(stage: Stage, name: str, *options: str) -> Iterator[None]:
    port = free_port()
    command = [executable, "-m", "lacolle", name, str(stage.world.folder), *options, "--operation-port", str(port)]
    with serving(command, port=port, log=stage.directory / f"{name}.log", ready="/readyz"):
        yield


def _queue(stage: Stage, backlog: int) -> None:
    """Post the backlog in batches: exercises, which the agreement with the busy partner has as routine."""
    connection = http.client.HTTPConnection(HOST, stage.port, timeout=60)
    for first in range(0, backlog, BATCH):
        numbers = range(first, min(backlog, first + BATCH))
        body = b"\n".join(_signed(stage, "BACKLOG", numbers, status="Exercise"))
        connection.request("POST", "/v1/alerts/batch", body, {"Content-Type": "application/jose-seq"})
        answer = connection.getresponse()
        results = [orjson.loads(line) for line in answer.read().splitlines()]
        if [result["status"] for result in results] != [http.client.CREATED] * len(numbers):
            raise UrgentError(f"a batch was answered with {answer.status}")
    connection.close()


def _signed(stage: Stage, run: str, numbers: range, *, status: str) -> Iterator[bytes]:
    now = datetime.now(_QUEBEC).replace(microsecond=0)
    documents = ({**each, "status": status} for each in alerts(run, numbers, sender=SENDER, now=now))
    return sign(documents, keys=[key.to_jwk() for key in stage.world.members[SENDER].keys], now=now)


def _wait_until_draining(running: PartnerProcess) -> None:
    until = time.monotonic() + BEGINS_WITHIN
    while not running.state().arrivals:
        if time.monotonic() > until:
            raise UrgentError("nothing of the backlog arrived")
        time.sleep(0.05)


async def _post_urgent(stage: Stage, running: PartnerProcess, *, rate: float, seconds: float) -> Result:
    plan = Plan(port=stage.port, connections=8, warmup=2.0, seconds=seconds, rate=rate, server_pid=None)
    numbers = range(int(rate * (plan.warmup + seconds)) + 10)
    host = f"{HOST}:{stage.port}"
    requests = deque(request_bytes(each, host=host) for each in _signed(stage, "URGENT", numbers, status="Actual"))
    return await Load(plan=plan, requests=requests).run(running)


async def _left(stage: Stage) -> int:
    store = open_postgres(stage.database)
    statement = select(func.count()).where(dispatches.c.lane == Lane.ROUTINE, dispatches.c.state.not_in(SETTLED))
    async with store.reading() as connection:
        left = await connection.scalar(statement)
    await store.close()
    return int(left or 0)


async def _version(stage: Stage) -> str:
    store = open_postgres(stage.database)
    async with store.reading() as connection:
        version = await connection.scalar(text("SHOW server_version"))
    await store.close()
    return str(version)


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.urgent", description=__doc__)
    parser.add_argument("--backlog", type=int, default=100_000, help="routine dispatches that wait")
    parser.add_argument("--rate", type=float, default=10.0, help="urgent alerts a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long they are posted and counted")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lacolle-urgent-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # the server's own account must pass through
        figures = measure(backlog=options.backlog, rate=options.rate, seconds=options.seconds, directory=directory)
    if options.json:
        print(orjson.dumps(asdict(figures)).decode())
        return
    console = Console()
    console.print(
        f"201 to endpoint, {figures.urgent:,} urgent alerts: p50 {figures.p50_ms:.0f} ms, p99 {figures.p99_ms:.0f} ms"
    )
    console.print(
        f"{figures.left_at_the_end:,} of {figures.backlog:,} routine dispatches still waited at the end; a second "
        f"partner was dead. Kafka {figures.kafka}, PostgreSQL {figures.postgres}, {figures.stolen_share:.0%} stolen."
    )


if __name__ == "__main__":
    main()

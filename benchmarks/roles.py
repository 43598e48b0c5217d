"""The roles on PostgreSQL and Kafka: what the relay publishes, what an adapter hands over, and how long it all takes.

*Relay*: dispatches lie in the database before ``lacolle relay`` starts, no more on a route than its window, so that
none waits for an outcome; the clock runs from its log line ``relay_active`` until all are on their topics.

*Adapter*: parcels lie on one topic before ``lacolle adapters`` starts; what is counted is between two looks at the
partner, the first one after its first arrival, the last when all have arrived.

*End to end*: a gateway, a relay and the adapters, a process each; alerts fall due at a fixed rate, each with three
recipients, and the time is taken from the 201 to the whole request at each partner.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.table import Table

from benchmarks.adapter import records
from benchmarks.engines import Kafka, Postgres, store_settings
from benchmarks.exchange import World, log_of, prepare_exchange, running_role, serving_gateway
from benchmarks.partner import PartnerProcess, partner
from benchmarks.prefill import prefill
from benchmarks.process import Server, Ticks, Usage, machine_ticks
from benchmarks.stage import Figures, MeasurementError, Seen, Stage
from bus.contract import Record
from bus.kafka import KafkaBus, KafkaSettings
from bus.topics import OUTCOMES, RECALLED, adapter_group, dead_topic, parcels_topics
from gateway.clock import system_clock
from lacolle.samples import participants
from schemas.ids import ParticipantId

DATABASE = "exchange"
_RECIPIENT = ParticipantId("us-ny.nysp")
_PER_ROUTE = 128
"""The relay's window: with no more dispatches on a route, none waits for an outcome."""
_RECIPIENTS_EACH = 3
_PATIENCE = 90.0
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Engines:
    """What the roles run on."""

    postgres: Postgres
    kafka: Kafka

    def settings(self, folder: Path, *, partitions: int | None = None) -> dict[str, Any]:
        """Return an exchange's settings on a fresh database, and on the brokers with topics of so many partitions."""
        told = self.kafka.told() if partitions is None else self.kafka.told(partitions=partitions)
        return {"store": store_settings(folder, self.postgres.fresh_exchange(DATABASE)), "bus": {"kafka": told}}


class _Spent:
    """What processes spend between two instants, by their names."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: Usage.of(pid) for name, pid in pids.items()}
        self._ticks: Ticks = machine_ticks()
        self.began = time.monotonic()

    def figures(self, prefix: str, *, per: int) -> Figures:
        """Return milliseconds of processor time for each of ``per`` items, peak memory, and the stolen share."""
        figures: Figures = {}
        for name, pid in self._pids.items():
            now = Usage.of(pid)
            figures[f"{prefix}_{name}_cpu_ms"] = round((now.cpu_s - self._before[name].cpu_s) * 1000 / per, 3)
            figures[f"{prefix}_{name}_peak_mb"] = round(now.peak_mb, 1)
        figures[f"{prefix}_stolen_share"] = round(machine_ticks().stolen_since(self._ticks), 2)
        return figures


def relay(stage: Stage, engines: Engines) -> Seen:
    """Measure how many dispatches a second the relay publishes; raises ``MeasurementError``."""
    recipients = [
        ParticipantId(f"us-ny.bench-{number}") for number in range(stage.scale.dispatches // (2 * _PER_ROUTE))
    ]
    topics = [topic for each in recipients for topic in parcels_topics(each)]
    with stage.folder("relay") as folder:
        world = prepare_exchange(folder, delivering=False, engines=engines.settings(folder, partitions=1))
        stage.say("relay: dispatches and topics")
        engines.kafka.create_topics([OUTCOMES, RECALLED, *topics], partitions=1)
        database = engines.postgres.url(DATABASE)
        count = asyncio.run(prefill(world.folder, database, recipients=recipients, each=_PER_ROUTE))
        stage.say(f"relay: {count:,} dispatches")
        with asyncio.Runner() as runner, ExitStack() as stack:
            ends = runner.run(_Ends.of(engines.kafka.address, topics))
            stack.callback(lambda: runner.run(ends.close()))
            server = stack.enter_context(running_role(world, "relay"))
            spent = _Spent(_pids(engines, relay=server))
            runner.run(ends.reach(count))
            seconds = (system_clock() - _active_since(log_of(world, "relay"))).total_seconds()
            figures = spent.figures("relay", per=count)
    figures = {"relay_dispatches": count, "relay_per_s": round(count / seconds, 1), **figures}
    line = (
        f"Relay: {count:,} dispatches on {len(topics)} routes published in {seconds:.2f} s, "
        f"{count / seconds:,.0f} dispatches/s"
    )
    return Seen(figures, (line, _spent_table("relay", figures, "ms a dispatch")))


def adapters(stage: Stage, engines: Engines) -> Seen:
    """Measure how many parcels a second one adapters process hands to an HTTPS partner; raises ``MeasurementError``."""
    count = stage.scale.parcels
    with stage.folder("adapter") as folder, ExitStack() as stack:
        world = delivering(folder, engines)
        running = stack.enter_context(partner(world.partners))
        stage.say(f"adapter from Kafka: {count:,} parcels")
        asyncio.run(_publish(engines.kafka, list(records(count))))
        server = stack.enter_context(running_role(world, "adapters", "--participant", _RECIPIENT))
        first, spent = _arrived(running, 1), _Spent({"adapter": server.pid, "kafka": engines.kafka.pid})
        last = _arrived(running, count)
        seconds, handed = time.monotonic() - spent.began, last - first
        figures = spent.figures("adapter_kafka", per=handed)
    per_s = round(handed / seconds, 1)
    figures = {"adapter_kafka_per_s": per_s, "adapter_kafka_deliveries": handed, **figures}
    line = f"One adapters process, from Kafka to an HTTPS partner: {per_s:,.0f} deliveries/s ({handed:,} counted)"
    return Seen(figures, (line, _spent_table("adapter_kafka", figures, "ms a delivery")))


def end_to_end(stage: Stage, engines: Engines) -> Seen:
    """Time deliveries at each rate of the scale; raises ``MeasurementError``."""
    seen = [_at_rate(stage, engines, rate) for rate in stage.scale.rates]
    figures = {name: value for each in seen for name, value in each.figures.items()}
    return Seen(figures, tuple(line for each in seen for line in each.shown))


def _at_rate(stage: Stage, engines: Engines, rate: int) -> Seen:
    with stage.folder(f"latency-{rate}") as folder, ExitStack() as stack:
        world = delivering(folder, engines)
        submissions = stage.sign(world, per_second=rate, about="missing-person")
        stage.say(f"gateway, relay and adapters at {rate} alerts/s")
        gateway = stack.enter_context(serving_gateway(world, workers=1))
        roles = {
            "gateway": gateway,
            "relay": stack.enter_context(running_role(world, "relay")),
            "adapters": stack.enter_context(running_role(world, "adapters")),
        }
        spent = _Spent(_pids(engines, **roles))
        load = stage.load(gateway, submissions, partners=world.partners, rate=rate).load
        figures = spent.figures(f"latency_{rate}", per=sum(load.statuses.values()))
    due = load.answers * _RECIPIENTS_EACH
    figures = {
        f"latency_{rate}_answered_per_s": round(load.accepted_per_s, 1),
        f"latency_{rate}_201_p50_ms": round(load.p50_ms, 1),
        f"latency_{rate}_201_p99_ms": round(load.p99_ms, 1),
        f"latency_{rate}_p50_ms": round(load.delivery_p50_ms, 1),
        f"latency_{rate}_p99_ms": round(load.delivery_p99_ms, 1),
        f"latency_{rate}_delivered_per_s": round(load.delivered_per_s, 1),
        f"latency_{rate}_arrived_share": round(load.deliveries / max(due, 1), 4),
        **figures,
    }
    line = (
        f"End to end at {rate} alerts/s, three recipients each: {load.accepted_per_s:,.0f} answered/s, 201 after p50 "
        f"{load.p50_ms:,.0f} ms, p99 {load.p99_ms:,.0f} ms; {load.delivered_per_s:,.0f} deliveries/s, from the 201 to "
        f"the partner p50 {load.delivery_p50_ms:,.0f} ms, p99 {load.delivery_p99_ms:,.0f} ms "
        f"({load.deliveries:,} of {due:,} had arrived when the load ended)"
    )
    return Seen(figures, (line, _spent_table(f"latency_{rate}", figures, "ms an alert")))


def delivering(folder: Path, engines: Engines, *, dead: Collection[ParticipantId] = ()) -> World:
    """Return a world whose partners all listen at one endpoint but those that are dead, with its topics."""
    world = prepare_exchange(folder, delivering=True, dead=dead, engines=engines.settings(folder))
    members = [ParticipantId(each["participant"]) for each in participants()]
    names = [topic for each in members for topic in (*parcels_topics(each), dead_topic(each))]
    engines.kafka.create_topics([OUTCOMES, RECALLED, *names])
    return world


def _pids(engines: Engines, **roles: Server) -> dict[str, int]:
    servers = {name: server.pid for name, server in roles.items()}
    return {**servers, "postgres": engines.postgres.pid, "kafka": engines.kafka.pid}


def _arrived(running: PartnerProcess, count: int) -> int:
    """Return how many requests a partner has taken, once they are so many; raises ``MeasurementError``."""
    until = time.monotonic() + _PATIENCE
    while (arrivals := running.state().arrivals) < count:
        if time.monotonic() > until:
            raise MeasurementError(f"{arrivals} of {count} parcels arrived in {_PATIENCE} s")
        time.sleep(_LOOK)
    return arrivals


async def _publish(kafka: Kafka, parcels: Sequence[Record]) -> None:
    bus = KafkaBus(KafkaSettings(**kafka.told()), folder=Path())
    try:
        # what is published from now on is the adapter's
        await (await bus.subscribe(parcels_topics(_RECIPIENT), group=adapter_group(_RECIPIENT))).close()
        for first in range(0, len(parcels), 500):
            await bus.publish_all(parcels[first : first + 500])
    finally:
        await bus.close()


class _Ends:
    """How many records topics of one partition each hold."""

    def __init__(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:  # noqa: ANN401 - aiokafka has no types
        self._consumer = consumer
        self._partitions = partitions

    @classmethod
    async def of(cls, address: str, topics: Sequence[str]) -> _Ends:
        """Return those of some topics, once their leaders are known: aiokafka asks for one after the other."""
        consumer = AIOKafkaConsumer(bootstrap_servers=address)
        await consumer.start()
        ends = cls(consumer, [TopicPartition(topic, 0) for topic in topics])
        await ends.count()
        return ends

    async def count(self) -> int:
        """Return how many records there are."""
        return sum((await self._consumer.end_offsets(self._partitions)).values())

    async def reach(self, count: int) -> None:
        """Return once there are so many; raises ``MeasurementError``."""
        found = 0
        try:
            async with asyncio.timeout(_PATIENCE):
                # the broker tells nobody that a topic has grown
                while (found := await self.count()) < count:  # noqa: ASYNC110 - see above
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise MeasurementError(f"{found} of {count} records after {_PATIENCE} s") from None
        if found != count:
            raise MeasurementError(f"{found} records of {count} dispatches")

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


def _active_since(log: Path) -> datetime:
    for line in log.read_bytes().splitlines():
        told = orjson.loads(line)
        if told["event"] == "relay_active":
            return datetime.fromisoformat(told["timestamp"])
    raise MeasurementError("the relay did not become active")


def _spent_table(prefix: str, figures: Figures, unit: str) -> Table:
    title = f"Processor time and peak memory ({figures[f'{prefix}_stolen_share']:.0%} stolen)"
    table = Table(title=title, title_justify="left")
    for heading in ("", unit, "MiB"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in figures:
        if name.startswith(prefix) and name.endswith("_cpu_ms"):
            process = name.removeprefix(f"{prefix}_").removesuffix("_cpu_ms")
            table.add_row(process, f"{figures[name]:.2f}", f"{figures[f'{prefix}_{process}_peak_mb']:,.0f}")
    return table

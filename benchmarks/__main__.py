"""``python -m benchmarks``: the exchange beside the naive service, batches, roles, a log's verification, decisions.

``--quick`` ends within 50 seconds: SQLite alone, on a smaller log. ``--only`` chooses parts, also with ``--quick``.
``--json`` prints one JSON object and nothing else on standard output. A part whose engine can't be had here says so in
one line and is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

import orjson
from rich.console import Console, RenderableType
from sqlalchemy import make_url

from benchmarks import deciding, exporting, log_verification, roles, searching, simulating, telling_apart
from benchmarks.compared import on_postgres, on_sqlite
from benchmarks.delivering import deliveries
from benchmarks.engines import Kafka, Postgres, running_kafka, running_postgres, store_settings
from benchmarks.intake import batches
from benchmarks.process import ServerDiedError
from benchmarks.report import circumstances, decided, exported, grown, searched, show, simulated, told_apart, verified
from benchmarks.stage import Figures, MeasurementError, Scale, Seen, Stage
from benchmarks.telling_apart import NotAlikeError
from benchmarks.urgent import urgent_lane
from lacolle.errors import LacolleError
from lacolle.logs import write_logs

QUICK = Scale(
    seconds=1.8,
    warmup=0.5,
    rounds=2,
    connections=64,
    log_entries=10_000,
    searched=(10_000,),
    asked=60,
    past_alerts=5_000,
    parcels=1_000,
    dispatches=5_120,
    backlog=2_000,
    rates=(100,),
    saturate=False,
)
FULL = Scale(
    seconds=8.0,
    warmup=2.0,
    rounds=2,
    connections=64,
    log_entries=1_000_000,
    searched=(100_000, 1_000_000, 10_000_000),
    asked=600,
    past_alerts=100_000,
    parcels=10_000,
    dispatches=25_600,
    backlog=100_000,
    rates=(100, 500),
    saturate=True,
)
PARTS = (
    "sqlite",
    "delivery",
    "batch",
    "postgres",
    "relay",
    "adapter",
    "latency",
    "urgent",
    "log",
    "search",
    "apart",
    "export",
    "decide",
    "simulate",
)
IN_QUICK = ("sqlite", "delivery", "log")
KAFKA = ("relay", "adapter", "latency", "urgent")
_QUEBEC = timezone(timedelta(hours=-5))


@dataclass
class Run:
    """One run of some parts; engines are started when the first part asks for them, and end with ``stack``."""

    stage: Stage
    stack: ExitStack
    absent: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @cached_property
    def postgres(self) -> Postgres | None:
        """PostgreSQL, where it can be had."""
        self.stage.say("starting PostgreSQL")
        try:
            return self.stack.enter_context(running_postgres())
        except LacolleError as error:
            self.absent["PostgreSQL"] = " ".join(str(error).split())
            return None

    @cached_property
    def kafka(self) -> Kafka | None:
        """Kafka, where it can be had."""
        self.stage.say("starting Kafka")
        try:
            return self.stack.enter_context(running_kafka(self.stage.directory / "kafka"))
        except LacolleError as error:
            self.absent["Kafka"] = " ".join(str(error).split())
            return None

    def parts(self, names: tuple[str, ...]) -> Iterator[Seen]:
        """Measure parts, one after the other; one that fails harms no other."""
        for name in names:
            try:
                seen = self._part(name)
            except (MeasurementError, NotAlikeError, ServerDiedError, LacolleError) as error:
                self.failed.append(name)
                seen = Seen({}, (f"{name}: {error}",))
            yield Seen({}, (self._left_out(name),)) if seen is None else seen

    def engines(self) -> dict[str, str]:
        """Return the version and the settings of each engine that was asked for, or why it was not there."""
        told = dict(self.absent)
        for name in ("postgres", "kafka"):
            engine: Postgres | Kafka | None = self.__dict__.get(name)
            if engine is not None:
                settings = ", ".join(f"{key}={value}" for key, value in engine.settings.items())
                told[type(engine).__name__] = f"{engine.version} ({settings})"
        return told

    def _part(self, name: str) -> Seen | None:
        if name in KAFKA:
            return self._in_roles(name)
        if name == "postgres":
            return None if self.postgres is None else on_postgres(self.stage, self.postgres)
        return {
            "sqlite": self._sqlite,
            "delivery": self._delivery,
            "batch": self._batch,
            "log": self._log,
            "search": self._search,
            "apart": self._apart,
            "export": self._export,
            "decide": self._decide,
            "simulate": self._simulate,
        }[name]()

    def _in_roles(self, name: str) -> Seen | None:
        kafka = self.kafka
        if kafka is None or self.postgres is None:
            return None
        measure: Callable[[Stage, roles.Engines], Seen] = {
            "relay": roles.relay,
            "adapter": roles.adapters,
            "latency": roles.end_to_end,
            "urgent": urgent_lane,
        }[name]
        return measure(self.stage, roles.Engines(self.postgres, kafka))

    def _sqlite(self) -> Seen:
        return on_sqlite(self.stage)

    def _delivery(self) -> Seen:
        return deliveries(self.stage)

    def _batch(self) -> Seen:
        return batches(self.stage, self.postgres)

    def _log(self) -> Seen:
        self.stage.say(f"verifying a log of {self.stage.scale.log_entries:,} entries")
        return verified(log_verification.measure(entries=self.stage.scale.log_entries))

    def _search(self) -> Seen:
        figures: Figures = {}
        shown: list[RenderableType] = []
        for engine in ("SQLite", "PostgreSQL"):
            measured = []
            for entries in sorted(self.stage.scale.searched):
                self.stage.say(f"searching a log of {entries:,} entries on {engine}")
                if engine == "SQLite":
                    measured.append(searching.measure_on_sqlite(entries=entries))
                elif self.postgres is not None:
                    place = make_url(self.postgres.fresh("searched")).set(drivername="postgresql+asyncpg")
                    measured.append(searching.measure(place.render_as_string(hide_password=False), entries=entries))
            for seen in [*map(searched, measured), *map(grown, measured[:1], measured[-1:])]:
                figures |= seen.figures
                shown += seen.shown
        return Seen(figures, tuple(shown))

    def _apart(self) -> Seen:
        self.stage.say("asking for what is another's and what never was")
        asked = self.stage.scale.asked
        with self.stage.folder("apart-sqlite") as folder:
            seen = told_apart("SQLite", telling_apart.measure(folder, asked=asked, engines={}))
        if self.postgres is None:
            return seen
        url = self.postgres.fresh_exchange("apart")
        with self.stage.folder("apart-password") as secret, self.stage.folder("apart-postgres") as folder:
            engines = {"store": store_settings(secret, url)}
            also = told_apart("PostgreSQL", telling_apart.measure(folder, asked=asked, engines=engines))
        return Seen({**seen.figures, **also.figures}, (*seen.shown, *also.shown))

    def _export(self) -> Seen:
        self.stage.say(f"exporting a log of {self.stage.scale.log_entries:,} entries")
        return exported(exporting.measure(entries=self.stage.scale.log_entries))

    def _decide(self) -> Seen:
        self.stage.say(f"deciding among up to {deciding.SIZES[-1]:,} agreements")
        seconds = self.stage.scale.seconds
        return decided([deciding.measure(agreements=size, seconds=seconds) for size in deciding.SIZES])

    def _simulate(self) -> Seen:
        self.stage.say(f"simulating a draft over {self.stage.scale.past_alerts:,} alerts")
        return simulated(simulating.measure(alerts=self.stage.scale.past_alerts))

    def _left_out(self, name: str) -> str:
        return f"{name}: left out. {' '.join(self.absent.values())}"


def main() -> None:
    """Measure what the command line asks for, and print it."""
    chosen = options(sys.argv[1:])
    base = QUICK if chosen.quick else FULL
    scale = replace(
        base,
        seconds=chosen.seconds or base.seconds,
        rounds=chosen.rounds or base.rounds,
        connections=chosen.connections,
        searched=tuple(chosen.searched or base.searched),
    )
    write_logs(as_json=True, file=Path(os.devnull))
    console = Console(stderr=chosen.json, quiet=chosen.json)
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory,
        Console(stderr=True, quiet=chosen.json).status("") as status,
        ExitStack() as stack,
    ):
        run = Run(Stage(scale=scale, directory=Path(directory), clock=_now, say=status.update), stack)
        for seen in run.parts(named(chosen)):
            figures |= seen.figures
            show(seen, console=console)
        about = circumstances(run.engines(), now=datetime.now(UTC))
    show(about, console=console)
    if chosen.json:
        print(orjson.dumps({**figures, **about.figures}).decode())
    if run.failed:
        sys.exit(f"failed: {', '.join(run.failed)}")


def _now() -> datetime:
    return datetime.now(_QUEBEC).replace(microsecond=0)


def named(chosen: argparse.Namespace) -> tuple[str, ...]:
    """Return the parts that a command line asks for, in the order in which they are measured."""
    names = chosen.only or (IN_QUICK if chosen.quick else PARTS)
    wanted = {part for name in names for part in (KAFKA if name == "kafka" else (name,))}
    return tuple(part for part in PARTS if part in wanted)


def options(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter windows, a smaller log: within 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--only", nargs="+", choices=(*PARTS, "kafka"), metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, help="length of each window")
    parser.add_argument("--rounds", type=int, help="how many turns services take that are compared")
    parser.add_argument("--connections", type=int, default=64, help="how many post at once")
    parser.add_argument("--searched", type=int, nargs="+", metavar="N", help="entries of each log that is searched")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()

"""The comparison: the naive service and the exchange in turns; then the exchange while it delivers.

The services take turns (A B A B), each window with a fresh process, a fresh database and the same submissions, so
that what the machine does meanwhile falls on both alike. Figures of several windows are given as their mean, peak
memory as the largest.

Both are measured at what both do: taking an alert. The exchange verifies, validates, decides over four agreements,
commits the alert with its decisions, dispatches and log entries, and signs the receipt; no partner is connected, since
the naive service has none. Two more windows have the partners connected: one at a fixed rate, which times deliveries,
and one at full load, which shows what is left for intake while the same process delivers.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import adapter
from benchmarks.exchange import World, prepare_exchange, serving_exchange
from benchmarks.load import Result
from benchmarks.naive import serving_naive
from benchmarks.partner import Endpoint
from benchmarks.process import ROOT, Server, peak_mb
from benchmarks.sample import write_public_keys, write_submissions

ACCEPTED_CEILING = 5_000
"""More a second than either service accepts here: how many submissions a closed loop is given."""

DELIVERY_RATE = 200
"""Alerts a second while deliveries are timed."""


class MeasurementError(Exception):
    """A load did not run as it should have; its own words follow."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long to measure: seconds of each window and of its warm-up, how many turns.

    ``saturate`` asks for the window that has the exchange deliver at full load; ``parcels`` is how many an adapter
    alone hands over.
    """

    seconds: float
    warmup: float
    rounds: int
    connections: int
    log_entries: int
    parcels: int
    saturate: bool


@dataclass(frozen=True, slots=True)
class Window:
    """What one service did in one window."""

    load: Result
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one service, in the order in which they ran."""

    each: list[Window] = field(default_factory=list)

    def mean(self, figure: Callable[[Result], float]) -> float:
        """Return the mean of a figure over the windows."""
        return fmean(figure(window.load) for window in self.each)

    def peak_mb(self) -> float:
        """Return the most memory that any window's process held, in MiB."""
        return max(window.peak_mb for window in self.each)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that the load saw."""

    naive: Windows
    exchange: Windows
    delivery: Result
    delivering: Result | None
    adapter: adapter.Result


@dataclass(frozen=True, slots=True)
class Suite:
    """The comparison at one scale.

    ``say`` is told what happens, ``clock`` gives the time that alerts carry, and ``directory`` holds the services'
    files while they run.
    """

    scale: Scale
    directory: Path
    clock: Callable[[], datetime]
    say: Callable[[str], None]

    def compare(self) -> Comparison:
        """Measure everything; raises ``ServerDiedError`` and ``MeasurementError``."""
        naive, exchange = Windows(), Windows()
        for turn in range(1, self.scale.rounds + 1):
            with self._world(f"turn-{turn}", delivering=False) as world:
                submissions = self._sign(world, per_second=ACCEPTED_CEILING)
                self.say(f"round {turn} of {self.scale.rounds}: naive")
                naive.each.append(self._naive(world, submissions))
                self.say(f"round {turn} of {self.scale.rounds}: exchange")
                exchange.each.append(self._exchange(world, submissions))
        self.say(f"exchange, delivering, at {DELIVERY_RATE} alerts/s")
        with self._world("delivery", delivering=True) as world:
            delivery = self._exchange(world, self._sign(world, per_second=DELIVERY_RATE), rate=DELIVERY_RATE)
        delivering = self._saturated() if self.scale.saturate else None
        self.say("one adapter alone")
        alone = adapter.Result(**self._ran("benchmarks.adapter", str(self.scale.parcels)))
        return Comparison(naive=naive, exchange=exchange, delivery=delivery.load, delivering=delivering, adapter=alone)

    def _saturated(self) -> Result:
        self.say("exchange, delivering, at full load")
        with self._world("delivering", delivering=True) as world:
            return self._exchange(world, self._sign(world, per_second=ACCEPTED_CEILING)).load

    @contextmanager
    def _world(self, name: str, *, delivering: bool) -> Iterator[World]:
        directory = self.directory / name
        directory.mkdir()
        yield prepare_exchange(directory, delivering=delivering)
        shutil.rmtree(directory)

    def _naive(self, world: World, submissions: Path) -> Window:
        keys, database = submissions.with_name("keys.json"), submissions.with_name("naive.sqlite")
        write_public_keys(keys, sender=world.sender, keys=world.keys)
        with serving_naive(keys=keys, database=database) as server:
            return self._measure(server, submissions)

    def _exchange(self, world: World, submissions: Path, *, rate: int | None = None) -> Window:
        with serving_exchange(world) as server:
            return self._measure(server, submissions, partners=world.partners, rate=rate)

    def _measure(
        self, server: Server, submissions: Path, *, partners: Sequence[Endpoint] = (), rate: int | None = None
    ) -> Window:
        options = {
            "--port": server.port,
            "--submissions": submissions,
            "--connections": self.scale.connections,
            "--warmup": self.scale.warmup,
            "--seconds": self.scale.seconds,
            "--server-pid": server.pid,
        }
        words = [str(word) for pair in options.items() for word in pair]
        words += [word for partner in partners for word in ("--partner", str(partner))]
        words += ["--rate", str(rate)] if rate is not None else []
        return Window(load=Result(**self._ran("benchmarks.load", *words)), peak_mb=peak_mb(server.pid))

    def _ran(self, module: str, *words: str) -> dict[str, Any]:
        """Return what a module printed; raises ``MeasurementError``."""
        command = [sys.executable, "-m", module, *words]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise MeasurementError(f"{ran.stdout}{ran.stderr}".strip())
        printed: dict[str, Any] = json.loads(ran.stdout)
        return printed

    def _sign(self, world: World, *, per_second: int) -> Path:
        path = world.folder.parent / "submissions"
        count = int(per_second * (self.scale.warmup + self.scale.seconds)) + 1
        write_submissions(path, count=count, sender=world.sender, keys=world.keys, now=self.clock())
        return path

"""What every part of the benchmarks measures with: worlds, signed submissions, loads of them, and how figures are kept.

Services that are compared take turns (A B A B), each window with a fresh process, a fresh database and the same
submissions, so that what the machine does meanwhile falls on all alike. Figures of several windows are given as their
mean, peak memory as the largest.
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
from typing import Any, TypeAlias

from rich.console import RenderableType

from benchmarks.exchange import World
from benchmarks.load import Result
from benchmarks.partner import Endpoint
from benchmarks.process import ROOT, Server, peak_mb
from benchmarks.sample import Subject, write_submissions

Figures: TypeAlias = dict[str, float | int | str | dict[str, str]]


class MeasurementError(Exception):
    """A load did not run as it should have; its own words follow."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long to measure: seconds of each window and of its warm-up, how many turns.

    ``searched`` are the sizes of the logs that are searched, ``asked`` is how often each kind of an object is asked for
    that may not be told from another. ``saturate`` asks for the window that has the exchange
    deliver at full load; ``parcels`` is how many an adapter alone hands over, ``dispatches`` how many a relay
    publishes, ``backlog`` how many urgent alerts overtake, ``rates`` the alerts a second at which latencies are taken.
    """

    seconds: float
    warmup: float
    rounds: int
    connections: int
    log_entries: int
    searched: tuple[int, ...]
    asked: int
    past_alerts: int
    parcels: int
    dispatches: int
    backlog: int
    rates: tuple[int, ...]
    saturate: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a part of the benchmarks saw: figures by name, and the same for people."""

    figures: Figures
    shown: tuple[RenderableType, ...]


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
        """Return the most memory that any window's processes held, in MiB."""
        return max(window.peak_mb for window in self.each)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where and how long to measure.

    ``say`` is told what happens, ``clock`` gives the time that alerts carry, and ``directory`` holds the services'
    files while they run.
    """

    scale: Scale
    directory: Path
    clock: Callable[[], datetime]
    say: Callable[[str], None]

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """Yield a new folder, which is gone afterwards."""
        directory = self.directory / name
        directory.mkdir()
        yield directory
        shutil.rmtree(directory)

    def sign(self, world: World, *, per_second: float, about: Subject = "stolen-vehicle") -> Path:
        """Return a file of as many submissions as a window may take."""
        path = world.folder.parent / "submissions"
        count = int(per_second * (self.scale.warmup + self.scale.seconds)) + 1
        write_submissions(path, count=count, sender=world.sender, keys=world.keys, now=self.clock(), about=about)
        return path

    def load(
        self,
        server: Server,
        submissions: Path,
        *words: str,
        connections: int | None = None,
        partners: Sequence[Endpoint] = (),
        rate: float | None = None,
    ) -> Window:
        """Load a server for one window; ``words`` are further options. Raises ``MeasurementError``."""
        options = {
            "--port": server.port,
            "--submissions": submissions,
            "--connections": connections or self.scale.connections,
            "--warmup": self.scale.warmup,
            "--seconds": self.scale.seconds,
            "--server-pid": server.pid,
        }
        command = [str(word) for pair in options.items() for word in pair] + list(words)
        command += [word for partner in partners for word in ("--partner", str(partner))]
        command += ["--rate", str(rate)] if rate is not None else []
        return Window(load=Result(**self.ran("benchmarks.load", *command)), peak_mb=peak_mb(server.pid))

    def ran(self, module: str, *words: str) -> dict[str, Any]:
        """Return what a module printed; raises ``MeasurementError``."""
        command = [sys.executable, "-m", module, *words]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise MeasurementError(f"{ran.stdout}{ran.stderr}".strip())
        printed: dict[str, Any] = json.loads(ran.stdout)
        return printed

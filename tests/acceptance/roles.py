"""An exchange in its roles: gateway, relay and adapters as processes, on a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bus.kafka import KafkaBus, KafkaSettings, TopicSettings
from bus.topics import OUTCOMES, RECALLED, dead_topic, parcels_topics
from lacolle.samples import World
from schemas.ids import ParticipantId
from tests.acceptance.commands import shared_forks
from tests.acceptance.conftest import free_port
from tests.acceptance.databases import store_settings
from tests.acceptance.role_fork import ForkedProcess
from tests.patience import PATIENCE

STARTS_WITHIN = 30.0 * PATIENCE
STOPS_WITHIN = 20.0 * PATIENCE
_LAST_WORDS = 3000
TOPICS = {"partitions": 3, "replication": 1, "min_insync": 1}


@dataclass
class RoleProcess:
    """One ``lacolle`` command that runs until it is told to stop; ``port`` is its operator's listener.

    It is forked from what has imported the product, and takes a tenth of the time to start.
    """

    command: tuple[str, ...]
    folder: Path
    log_file: Path
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    process: ForkedProcess | None = field(default=None)

    def start(self) -> None:
        """Start it, and return once its operator would call it ready; fail with its log where it ends instead."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return once its operator would call it ready; fail with its log where it ends instead."""
        self.wait_for(lambda: self.condition() in {"ready", "degraded"}, what="ready", within=STARTS_WITHIN)

    def launch(self) -> None:
        """Start it, and return at once."""
        name, *options = self.command
        words = [name, str(self.folder), *options, "--operation-port", str(self.port)]
        environment = {**os.environ, **self.environment}
        self.process = shared_forks().start(words, log=self.log_file, environment=environment)

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None
        return self.process.pid

    def told(self) -> str:
        """Return what it has written."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def readiness(self, *, offset: int = 0) -> dict[str, Any]:
        """Return what it says of its parts."""
        answer = httpx2.get(f"http://127.0.0.1:{self.port + offset}/readyz", timeout=5.0, trust_env=False)
        document: dict[str, Any] = answer.json()
        return document

    def turn(self) -> str:
        """Return whether it relays or stands by, as a relay says; "" where it does not answer."""
        try:
            return str(self.readiness()["parts"]["relay"]["detail"])
        except httpx2.HTTPError:
            return ""

    def workers(self) -> list[int]:
        """Return the process ids of its workers, as a gateway of several says."""
        started = re.findall(r'"worker": ([0-9]+), "pid": ([0-9]+)', self.told())
        return list({int(number): int(pid) for number, pid in started}.values())

    def condition(self) -> str:
        """Return how it says it is; "" where it does not answer."""
        try:
            return str(self.readiness()["status"])
        except httpx2.HTTPError:
            return ""

    def metrics(self, *, offset: int = 0) -> str:
        """Return its metrics."""
        return httpx2.get(f"http://127.0.0.1:{self.port + offset}/metrics", timeout=5.0, trust_env=False).text

    def wait_for(self, holds: Callable[[], bool], *, what: str, within: float = 10.0) -> None:
        """Wait until something holds; fail with the log where it does not, or where the process ends."""
        until = time.monotonic() + within * PATIENCE
        while not holds():
            ended = self.process is not None and self.process.poll() is not None
            assert not ended, f"ended before {what}:\n{self.told()[-4000:]}"
            assert time.monotonic() < until, f"not {what} within {within} s:\n{self.told()[-4000:]}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.end(signal.SIGKILL)

    def kill_all(self) -> None:
        """End it and its workers with SIGKILL, so that none of them can finish anything."""
        for pid in (self.pid, *self.workers()):
            os.kill(pid, signal.SIGKILL)
        self.kill()

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        return self.end(signal.SIGTERM)

    def end(self, how: signal.Signals) -> int:
        """Signal it and return its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(timeout=STOPS_WITHIN)
        self.process = None
        return status


@contextmanager
def telling(*roles: RoleProcess) -> Iterator[None]:
    """Where the block fails, print how each role ended, if it did, and what it wrote last."""
    try:
        yield
    except BaseException:
        for role in roles:
            ended = None if role.process is None else role.process.poll()
            sys.stdout.write(f"== {role.log_file.name}, ended: {ended}\n{role.told()[-_LAST_WORDS:]}\n")
        raise


def engine_settings(directory: Path, *, database: str, kafka: str) -> dict[str, Any]:
    """Return the settings of a world on these engines; the database's password goes into a file."""
    return {
        "store": store_settings(directory, database),
        "bus": {"kafka": {"bootstrap": [kafka], "topics": TOPICS, "session_timeout": 6.0, "commit_interval": 0.05}},
        "limits": {"rate_per_second": 10000.0, "burst": 10000},
    }


def create_topics(world: World, *kafka: str, folder: Path, topics: Mapping[str, int] = TOPICS) -> None:
    """Make the topics of every participant of a world."""
    settings = KafkaSettings(bootstrap=kafka, topics=TopicSettings(**topics))
    names = [
        topic for member in world.members for topic in (*parcels_topics(ParticipantId(member)), dead_topic(member))
    ]

    async def create() -> None:
        bus = KafkaBus(settings, folder=folder)
        try:
            await bus.create_topics([OUTCOMES, RECALLED, *names])
        finally:
            await bus.close()

    asyncio.run(create())

"""PostgreSQL and Kafka under measurement: real ones of one's own, on this machine, as they come.

PostgreSQL has its defaults and its data on the disk, so a commit is synced. Kafka is one node, broker and controller,
with one replica of everything; it leaves syncing to the system, as Kafka does.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from benchmarks.process import children
from bus.kafka import KafkaBus, KafkaSettings, TopicSettings
from gateway.store.engine import open_postgres
from gateway.store.schema import upgrade
from lacolle.local.kafka import ClusterOptions, KafkaCluster
from lacolle.local.kafka_jars import kafka_jars
from lacolle.local.postgres import LocalPostgres

_TOLD = ("fsync", "synchronous_commit", "wal_sync_method", "shared_buffers", "max_connections", "full_page_writes")
_HEAP = "512m"
_PARTITIONS = 6


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running PostgreSQL; ``settings`` are those that figures depend on, by their names."""

    server: LocalPostgres
    pid: int
    version: str
    settings: Mapping[str, str]

    def url(self, database: str) -> str:
        """Return a database's URL for its owner."""
        return self.server.url(database)

    def fresh(self, database: str) -> str:
        """Make a database that is empty, whatever it held before, and return its URL."""
        asyncio.run(_execute(self.url("postgres"), f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
        asyncio.run(_execute(self.url("postgres"), f"CREATE DATABASE {database}"))
        return self.url(database)

    def fresh_exchange(self, database: str) -> str:
        """Make a database that an exchange can start on, and return its URL."""
        url = self.fresh(database)
        asyncio.run(_upgrade(url))
        return url


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running Kafka: where it is, and what figures depend on."""

    address: str
    pid: int
    version: str
    settings: Mapping[str, str]

    def told(self, *, partitions: int = _PARTITIONS) -> dict[str, Any]:
        """Return what an exchange is told of it."""
        topics = {"partitions": partitions, "replication": 1, "min_insync": 1}
        return {"bootstrap": [self.address], "topics": topics}

    def create_topics(self, names: Iterable[str], *, partitions: int = _PARTITIONS) -> None:
        """Make topics that do not exist."""

        async def create() -> None:
            topics = TopicSettings(partitions=partitions, replication=1, min_insync=1)
            bus = KafkaBus(KafkaSettings(bootstrap=(self.address,), topics=topics), folder=Path())
            try:
                await bus.create_topics(names)
            finally:
                await bus.close()

        asyncio.run(create())


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a new server for as long as the block lasts; raises ``ConfigurationError`` where none can be had."""
    folder = Path(tempfile.mkdtemp(prefix="lacolle-bench-"))
    folder.chmod(0o755)  # root hands the server to another account, who must reach it
    try:
        with LocalPostgres(folder / "server") as server:
            version, settings = asyncio.run(_facts(server.url("postgres")))
            written = (folder / "server" / "data" / "postmaster.pid").read_text(encoding="utf-8")
            pid = int(written.splitlines()[0])
            yield Postgres(server, pid, version, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_kafka(directory: Path) -> Iterator[Kafka]:
    """Run a new cluster of one node for as long as the block lasts.

    Raises ``LocalServerUnavailableError`` where this machine has no Java or no Kafka, ``LocalServerFailedError``.
    """
    jars = kafka_jars()
    before = children()
    cluster = KafkaCluster(directory, jars, ClusterOptions(heap=_HEAP))
    try:
        cluster.start()
        java = next(pid for pid in children() - before if Path(f"/proc/{pid}/exe").readlink().name == "java")
        settings = {"nodes": "1", "replication": "1", "partitions": str(_PARTITIONS), "heap": _HEAP, "acks": "all"}
        settings |= {"enable.idempotence": "true", "java": jars.java_version}
        yield Kafka(cluster.bootstrap[0], java, cluster.version, settings)
    finally:
        cluster.stop()


def store_settings(directory: Path, url: str) -> dict[str, str]:
    """Return an exchange's settings of a database; the password goes into a file."""
    place = make_url(url)
    secret = directory / "database.password"
    secret.touch(mode=0o600)
    secret.write_text(f"{place.password}\n", encoding="utf-8")
    scheme, _, rest = url.partition("://")
    user, _, where = rest.partition("@")
    return {"url": f"{scheme}://{user.partition(':')[0]}@{where}", "password_file": str(secret)}


async def _upgrade(url: str) -> None:
    store = open_postgres(url)
    await upgrade(store.writer)
    await store.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _facts(url: str) -> tuple[str, dict[str, str]]:
    connection = await asyncpg.connect(url)
    try:
        version: str = await connection.fetchval("SHOW server_version")
        settings = {name: str(await connection.fetchval(f"SHOW {name}")) for name in _TOLD}
    finally:
        await connection.close()
    return version, settings

"""PostgreSQL and Apache Kafka of one's own, started for an exchange and ready for it: schema, login, settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from bus.kafka import KafkaBus, KafkaSettings
from bus.topics import OUTCOMES, RECALLED, dead_topic, parcels_topics
from gateway.store import roles, schema
from gateway.store.engine import Store, open_postgres
from lacolle.local.kafka import KafkaCluster
from lacolle.local.kafka_jars import kafka_jars
from lacolle.local.postgres import LocalPostgres
from lacolle.secretfiles import write_secret
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId

DATABASE: Final = "lacolle"
LOGIN: Final = "lacolle"
TOPICS: Final = {"partitions": 3, "replication": 1, "min_insync": 1, "max_record_bytes": 16 * 1024 * 1024}
"""For one broker, and whatever alerts somebody tries."""

Announce = Callable[[Bilingual], None]


@dataclass(frozen=True, slots=True)
class Engines:
    """What runs; ``settings`` are an exchange's, by section, and hold no secret."""

    bus: str
    store: str
    settings: Mapping[str, Any]
    owner_url: str

    async def create_topics(self, participants: Iterable[ParticipantId]) -> None:
        """Make the topics of an exchange that delivers to these participants."""
        topics = [topic for each in participants for topic in (*parcels_topics(each), dead_topic(each))]
        bus = KafkaBus(KafkaSettings.model_validate(self.settings["bus"]["kafka"]), folder=Path())
        try:
            await bus.create_topics([OUTCOMES, RECALLED, *topics])
        finally:
            await bus.close()

    def open_store(self) -> Store:
        """Return the database as its owner; whoever asks closes it."""
        return open_postgres(self.owner_url)


@contextmanager
def local_engines(folder: Path, *, announce: Announce) -> Iterator[Engines]:
    """Start both in a folder, yield them with an empty schema, and stop them; ``announce`` is told of each step.

    Raises ``LocalServerUnavailableError``, ``LocalServerFailedError`` and ``ConfigurationError``: what is missing, and
    what to install.
    """
    announce(_PREPARING)
    jars = kafka_jars()
    with LocalPostgres(folder / "postgres") as postgres:
        version, password = asyncio.run(_prepared(postgres))
        announce(_started("PostgreSQL", version))
        secret = folder / "database.password"
        write_secret(secret, password)
        cluster = KafkaCluster(folder / "kafka", jars)
        try:
            cluster.start()
            announce(_started("Apache Kafka", cluster.version))
            yield Engines(
                bus=f"Apache Kafka {cluster.version}",
                store=f"PostgreSQL {version}",
                settings={
                    "store": {"url": _without_password(postgres.url(DATABASE, role=LOGIN, password=""))}
                    | {"password_file": str(secret)},
                    "bus": {"kafka": {"bootstrap": list(cluster.bootstrap), "topics": TOPICS}},
                },
                owner_url=postgres.url(DATABASE),
            )
        finally:
            cluster.stop()


async def _prepared(postgres: LocalPostgres) -> tuple[str, str]:
    """Make the database, its schema and the exchange's login; return the server's version and the login's password."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        version = str(await connection.fetchval("SHOW server_version"))
        await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
    store = open_postgres(postgres.url(DATABASE))
    try:
        await schema.upgrade(store.writer)
        async with schema.reached(store.writer) as owner:
            await roles.create_groups(owner)
            password = await roles.create_exchange_login(owner, LOGIN)
    finally:
        await store.close()
    if password is None:
        raise RuntimeError("a new cluster has no login yet")
    return version, password


def _without_password(url: str) -> str:
    return url.replace(":@", "@", 1)


_PREPARING: Final = Bilingual(
    fr="Démarrage de PostgreSQL et d'Apache Kafka (la première fois, Maven va chercher Kafka)…",
    en="Starting PostgreSQL and Apache Kafka (the first time, Maven fetches Kafka)…",
)


def _started(name: str, version: str) -> Bilingual:
    return Bilingual(fr=f"{name} {version} tourne.", en=f"{name} {version} runs.")

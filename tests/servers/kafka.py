"""A real Apache Kafka for tests.

``kafka`` is one broker for the whole run, shared by all workers, with all listeners that ``lacolle.local.kafka`` knows
and access control; ``kafka_address`` is where to reach it in plain text, or the broker that ``LACOLLE_TEST_KAFKA``
(``host:port``) names. A test that stops or kills brokers starts its own with ``own_kafka``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from bus.kafka import KafkaSettings, TopicSettings
from lacolle.certificates import LocalAuthority
from lacolle.local.errors import LocalServerUnavailableError
from lacolle.local.kafka import ClusterOptions, KafkaCluster, Listener, Tls, free_ports
from lacolle.local.kafka_jars import KafkaJars, kafka_jars
from tests.servers.sharing import do_without, run_folder, shared

ADMIN = "admin"
ADMIN_PASSWORD = "the password of a broker that lives for one test run"  # noqa: S105 - it opens nothing else
CLIENTS = ("us-ny.nysp", "us-vt.vsp")
"""Who has a client certificate, by its common name."""


@dataclass(frozen=True, slots=True)
class TestKafka:
    """The shared broker: its addresses by listener, and the folder of its certificates and clients' files."""

    __test__ = False

    addresses: dict[Listener, str]
    folder: Path
    proxy_port: int
    """Where the clients of the ``PROXIED`` listener come back to; one test at a time may listen there."""

    @property
    def ca_file(self) -> Path:
        """Return the certificate authority of brokers and clients."""
        return self.folder / "ca.pem"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[TestKafka]:
    """Return the broker that all tests of a run share."""
    with shared(run_folder(tmp_path_factory, worker_id) / "kafka", _start) as facts:
        yield TestKafka(addresses=facts["addresses"], folder=Path(facts["folder"]), proxy_port=int(facts["proxy_port"]))


@pytest.fixture(scope="session")
def kafka_address(request: pytest.FixtureRequest) -> str:
    """Return where a broker takes clients in plain text."""
    told = os.environ.get("LACOLLE_TEST_KAFKA")
    if told:
        return told
    found: TestKafka = request.getfixturevalue("kafka")
    return found.addresses["CLIENT"]


@pytest.fixture(scope="session")
def jars() -> KafkaJars:
    """Return Kafka's jars."""
    try:
        return kafka_jars()
    except LocalServerUnavailableError as error:
        do_without(error.reason.en)


OwnKafka = Callable[[ClusterOptions], KafkaCluster]


@pytest.fixture
def own_kafka(jars: KafkaJars, tmp_path: Path) -> Iterator[OwnKafka]:
    """Return a way to start a cluster that is the test's own; it ends with the test."""
    numbers = itertools.count()
    clusters: list[KafkaCluster] = []

    def start(options: ClusterOptions) -> KafkaCluster:
        cluster = KafkaCluster(tmp_path / f"kafka-{next(numbers)}", jars, options)
        clusters.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in clusters:
        cluster.kill()


def settings_for(*addresses: str, **others: Any) -> KafkaSettings:  # noqa: ANN401 - whatever the settings have
    """Return settings for a test: few partitions, one replica, and quick to notice things."""
    given: dict[str, Any] = {
        "topics": TopicSettings(partitions=3, replication=1, min_insync=1),
        "request_timeout": 2.0,
        "delivery_timeout": 10.0,
        "session_timeout": 6.0,
        "heartbeat": 0.2,
        "drain": 2.0,
        "commit_interval": 0.05,
    }
    return KafkaSettings(bootstrap=addresses, **(given | others))


@contextmanager
def _start(folder: Path) -> Iterator[dict[str, Any]]:
    authority = LocalAuthority(folder)
    (proxy_port,) = free_ports(1)
    options = ClusterOptions(
        tls=Tls(keystore=_keystore(authority, folder), ca_file=authority.ca_file),
        scram_users={ADMIN: ADMIN_PASSWORD},
        proxied_through=proxy_port,
    )
    for client in CLIENTS:
        authority.issue(client, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    cluster = KafkaCluster(folder / "cluster", kafka_jars(), options)
    try:
        cluster.start()
        listeners: tuple[Listener, ...] = ("CLIENT", "SCRAM", "MTLS", "PROXIED")
        yield {
            "addresses": {listener: cluster.addresses(listener)[0] for listener in listeners},
            "folder": str(folder),
            "proxy_port": proxy_port,
        }
    finally:
        cluster.stop()


def _keystore(authority: LocalAuthority, folder: Path) -> Path:
    """Return a broker's certificate as Kafka reads PEM: the key and the chain in one file."""
    files = authority.issue("broker")
    keystore = folder / "broker.keystore.pem"
    keystore.write_bytes(files.key.read_bytes() + files.chain.read_bytes())
    keystore.chmod(0o600)
    return keystore

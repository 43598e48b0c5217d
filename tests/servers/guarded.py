"""A Kafka that lets in whom ``lacolle ops kafka`` let in, for the sample world: one for the whole run.

Its users, rights and topics are what one run of the command made. ``us-vt.vsp`` comes with a certificate, under the
name that the settings give it; everybody else has a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from cryptography.x509.oid import ExtendedKeyUsageOID
from typer.testing import CliRunner, Result

from bus.kafka import KafkaSettings, MutualTls, Scram
from lacolle.certificates import LocalAuthority
from lacolle.cli import application
from lacolle.keyfiles import load_key_file
from lacolle.local.kafka import ClusterOptions, KafkaCluster, Tls
from lacolle.local.kafka_jars import kafka_jars
from lacolle.local.ports import free_ports
from lacolle.samples import WorldOptions, build_world, participants
from schemas.signing.keys import SigningKey
from tests.servers.kafka import ADMIN, ADMIN_PASSWORD, keystore_of, settings_for
from tests.servers.sharing import run_folder, shared

READER = "us-ny.nysp"
"""Whom an exchange on this broker has an adapter for; it reads its own topics."""
BY_CERTIFICATE = "us-vt.vsp"
CERTIFICATE_NAME = "alerts.vsp.example"
TOPICS = {"partitions": 2, "replication": 1, "min_insync": 1}


@dataclass(frozen=True, slots=True)
class GuardedKafka:
    """The broker, the world whose folder was set up on it, and the files that this left."""

    folder: Path
    plain: str
    scram: str
    mtls: str

    @property
    def exchange(self) -> Path:
        """The exchange's folder."""
        return self.folder / "exchange"

    @property
    def passwords(self) -> Path:
        """The folder of the passwords."""
        return self.folder / "passwords"

    def key(self, participant: str) -> SigningKey:
        """Return a participant's Ed25519 key."""
        return load_key_file(self.key_file(participant))

    def key_file(self, participant: str) -> Path:
        """Return the file of a participant's Ed25519 key."""
        return self.folder / "participants" / f"{participant}.Ed25519.jwk"

    def settings(self, user: str, **others: Any) -> KafkaSettings:  # noqa: ANN401 - whatever the settings have
        """Return how a user with a password reaches the broker."""
        security = Scram(
            protocol="scram",
            username=user,
            password_file=str(self.passwords / f"{user}.password"),
            ca_file=str(self.folder / "ca.pem"),
        )
        return settings_for(self.scram, security=security, **others)

    def settings_by_certificate(self) -> KafkaSettings:
        """Return how the participant with a certificate reaches the broker."""
        name = self.folder / CERTIFICATE_NAME
        security = MutualTls(
            protocol="mtls", certificate=f"{name}.pem", key=f"{name}.key", ca_file=str(self.folder / "ca.pem")
        )
        return settings_for(self.mtls, security=security)

    def set_up(self, *options: str) -> Result:
        """Run ``lacolle ops kafka`` as the administrator."""
        return self.set_up_as(self.folder / "admin.yaml", *options)

    def set_up_as(self, administrator: Path, *options: str) -> Result:
        """Run ``lacolle ops kafka`` as whom a file names."""
        words = ["--as", str(administrator), "--passwords", str(self.passwords), *options]
        return CliRunner().invoke(application(), ["ops", "kafka", str(self.exchange), *words])


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[GuardedKafka]:
    """Return the broker that all tests of a run share, set up for the sample world."""
    with shared(run_folder(tmp_path_factory, worker_id) / "guarded", _start) as facts:
        yield GuardedKafka(**{**facts, "folder": Path(facts["folder"])})


@contextmanager
def _start(folder: Path) -> Iterator[dict[str, Any]]:
    authority = LocalAuthority(folder)
    authority.issue(CERTIFICATE_NAME, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    options = ClusterOptions(
        tls=Tls(keystore=keystore_of(authority, folder), ca_file=authority.ca_file),
        scram_users={ADMIN: ADMIN_PASSWORD},
        administrators=(ADMIN,),
    )
    cluster = KafkaCluster(folder / "cluster", kafka_jars(), options)
    try:
        cluster.start()
        found = GuardedKafka(
            folder=folder,
            plain=cluster.addresses("CLIENT")[0],
            scram=cluster.addresses("SCRAM")[0],
            mtls=cluster.addresses("MTLS")[0],
        )
        _make_world(found)
        done = found.set_up("--json")
        assert done.exit_code == 0, done.output
        (folder / "first.json").write_text(done.stdout, encoding="utf-8")
        yield orjson.loads(
            orjson.dumps({"folder": str(folder), "plain": found.plain, "scram": found.scram, "mtls": found.mtls})
        )
    finally:
        cluster.stop()


def _make_world(guarded: GuardedKafka) -> None:
    kafka = {
        "bootstrap": [guarded.scram],
        "security": {
            "protocol": "scram",
            "username": "lacolle.serve",
            "password_file": str(guarded.passwords / "lacolle.serve.password"),
            "ca_file": str(guarded.folder / "ca.pem"),
        },
        "topics": TOPICS,
        "delivery_timeout": 5.0,
        "access": {
            "roles": ["gateway", "relay", "adapters", "serve"],
            "certificates": [{"of": BY_CERTIFICATE, "name": CERTIFICATE_NAME}],
        },
    }
    build_world(guarded.folder, WorldOptions(port=free_ports(1)[0], settings={"bus": {"kafka": kafka}}))
    profiles = [
        {"participant": each["participant"], "format": "native", "transport": {"transport": "own-topics"}}
        for each in participants()
        if each["participant"] == READER
    ]
    (guarded.exchange / "partners.yaml").write_text(yaml.safe_dump({"partners": profiles}), encoding="utf-8")
    secret = guarded.folder / "admin.password"
    secret.write_text(f"{ADMIN_PASSWORD}\n", encoding="utf-8")
    secret.chmod(0o600)
    administrator = {
        "security": {"protocol": "scram", "username": ADMIN, "password_file": secret.name, "ca_file": "ca.pem"}
    }
    (guarded.folder / "admin.yaml").write_text(yaml.safe_dump(administrator), encoding="utf-8")

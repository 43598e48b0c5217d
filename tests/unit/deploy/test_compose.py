"""The compose file: valid, hardened, and fed by what secrets.sh makes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from compose_spec import PyCompose
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lacolle.keyfiles import Reader, load_key_file
from tests.unit.deploy.shipped import DEPLOY, ROOT, SAMPLE_ENVIRONMENT, compose

OURS: Final = {"schema", "roles", "topics", "gateway", "relay", "adapters"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that secrets.sh has filled."""
    folder = tmp_path_factory.mktemp("secrets") / "local"
    _make_secrets(folder)
    return folder


def _make_secrets(folder: Path) -> None:
    command = str(Path(sys.executable).with_name("lacolle"))
    environment = {**os.environ, "LACOLLE": command, "PYTHONPATH": str(ROOT), "BASE_URL": "https://alerts.example:8443"}
    done = subprocess.run(
        [str(DEPLOY / "secrets.sh"), str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _environment(local: Path) -> dict[str, str]:
    lines = (local / "compose.env").read_text(encoding="utf-8").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _services() -> dict[str, Any]:
    services: dict[str, Any] = compose(SAMPLE_ENVIRONMENT)["services"]
    return services


def test_it_is_a_compose_file() -> None:
    """The Compose specification's parser takes it, and every network, volume and secret that is used is defined."""
    PyCompose.from_json(orjson.dumps(compose(SAMPLE_ENVIRONMENT)).decode()).validate()


@pytest.mark.parametrize("member", ["networks", "secrets"])
def test_what_is_not_defined_would_be_noticed(member: str) -> None:
    """The parser refuses a service that uses a network or a secret that nobody defines."""
    document = compose(SAMPLE_ENVIRONMENT)
    document["services"]["gateway"][member] = ["nowhere"]
    with pytest.raises(ValueError, match="nowhere"):
        PyCompose.from_json(orjson.dumps(document).decode()).validate()


def test_without_secrets_nothing_starts() -> None:
    """Compose refuses the file where secrets.sh has not run: there is nothing to fall back on."""
    with pytest.raises(AssertionError, match=r"secrets\.sh"):
        compose({})


@pytest.mark.parametrize("name", sorted(_services()))
def test_every_service_is_confined(name: str) -> None:
    """No service gains privileges or keeps a capability; all but Kafka have a read-only root; none runs as root."""
    service = _services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name != "kafka")
    assert "privileged" not in service
    if name not in OURS and name != "kafka":  # those images say USER themselves
        assert not str(service["user"]).startswith("0:")


@pytest.mark.parametrize("name", sorted(_services()))
def test_every_service_says_how_it_is(name: str) -> None:
    """A service that goes on has a health check, its own or the image's; one that ends has none."""
    check = _services()[name].get("healthcheck")
    if name in {"schema", "roles", "topics"}:
        assert check == {"disable": True}
    elif name not in OURS:
        assert check["test"][0] == "CMD"


def test_each_waits_for_what_it_needs() -> None:
    """Who depends on a service that ends waits for its success; on one that goes on, for its health."""
    services = _services()
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            ends = services[name].get("healthcheck") == {"disable": True}
            expected = "service_completed_successfully" if ends else "service_healthy"
            assert condition["condition"] == expected


def test_who_may_talk_to_whom() -> None:
    """Adapters share no network with the database; what is not for the outside is on internal networks alone."""
    document = compose(SAMPLE_ENVIRONMENT)
    services, networks = document["services"], document["networks"]
    assert not set(services["adapters"]["networks"]) & set(services["postgres"]["networks"])
    given = str(services["adapters"]["secrets"])
    assert not any(secret in given for secret in ("key_log", "key_receipt", "database_", "server"))
    internal = {name for name, network in networks.items() if network.get("internal")}
    for name in ("postgres", "kafka", "schema", "roles", "topics", "relay", "prometheus"):
        assert set(services[name]["networks"]) <= internal, name
    assert {name for name, service in services.items() if "ports" in service} == {"gateway", "grafana"}
    for name in ("gateway", "grafana"):
        assert all(port["host_ip"] == "127.0.0.1" for port in services[name]["ports"])


def test_every_secret_and_every_file_is_made(local: Path) -> None:
    """After secrets.sh, every file that the compose file mounts is there."""
    document = compose(_environment(local))
    files = [secret["file"] for secret in document["secrets"].values()]
    for service in document["services"].values():
        files += [volume.split(":")[0] for volume in service.get("volumes", ()) if volume.startswith((".", "/"))]
    assert len(files) > 20
    for file in files:
        assert (DEPLOY / file).exists(), file


def test_secrets_are_read_by_group_alone(local: Path) -> None:
    """Nothing in the folder is for others; its own door is its owner's; the authority's key is never mounted."""
    assert stat.S_IMODE(local.stat().st_mode) == 0o700
    for path in local.rglob("*"):
        assert not path.stat().st_mode & stat.S_IRWXO, path
        assert not path.stat().st_mode & stat.S_IWGRP, path
    assert stat.S_IMODE((local / "tls" / "ca.key").stat().st_mode) == 0o600
    assert "ca.key" not in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


def test_a_container_reads_its_keys(local: Path) -> None:
    """The image's user, in the group that Compose adds, may load the exchange's keys; without the group it may not."""
    group = int(_environment(local)["LACOLLE_GROUP"])
    keys = sorted((local / "exchange" / "keys").glob("*.jwk"))
    assert [key.stem for key in keys] == ["log", "pseudonyms", "receipt", "transport"]
    for key in keys:
        assert key.stat().st_gid == group
        load_key_file(key, reader=Reader(uid=10001, groups=frozenset({10001, group})))


def test_certificates_name_who_they_are_for(local: Path) -> None:
    """Each role's certificate has the name that ``ops kafka`` gives rights to, and servers' have their hosts."""
    told = _services()["relay"]["environment"]["LACOLLE_BUS__KAFKA__ACCESS"]
    for role in ("gateway", "relay", "adapters"):
        certificate = _certificate(local / "tls" / f"lacolle.{role}.pem")
        assert certificate.subject.rfc4514_string() == f"CN=lacolle.{role}"
        assert f"{{of: {role}, name: lacolle.{role}}}" in told
    for name, host in (("server", "alerts.example"), ("kafka", "kafka")):
        names = _certificate(local / "tls" / f"{name}.pem").extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert host in names.value.get_values_for_type(x509.DNSName)
    authority = _certificate(local / "tls" / "ca.pem")
    for path in sorted((local / "tls").glob("lacolle.*.pem")):
        _certificate(path).verify_directly_issued_by(authority)


def test_a_second_run_changes_nothing(local: Path) -> None:
    """Whoever runs secrets.sh again keeps every key, password and certificate."""
    before = {path: path.read_bytes() for path in local.rglob("*") if path.is_file()}
    _make_secrets(local)
    assert {path: path.read_bytes() for path in local.rglob("*") if path.is_file()} == before


def test_what_is_half_made_is_made_anew(local: Path, tmp_path: Path) -> None:
    """An empty password file is no password, and a certificate that is about to end is replaced; the rest stays."""
    copy = tmp_path / "local"
    shutil.copytree(local, copy)
    (copy / "passwords" / "grafana").write_text("", encoding="utf-8")
    tls = copy / "tls"
    request = ["openssl", "x509", "-in", str(tls / "lacolle.relay.pem"), "-x509toreq", "-copy_extensions", "none"]
    subprocess.run([*request, "-signkey", str(tls / "lacolle.relay.key"), "-out", str(tmp_path / "csr")], check=True)
    authority = ["-CA", str(tls / "ca.pem"), "-CAkey", str(tls / "ca.key"), "-days", "10"]
    ending = ["openssl", "x509", "-req", "-in", str(tmp_path / "csr"), *authority]
    subprocess.run([*ending, "-out", str(tls / "lacolle.relay.pem")], check=True, capture_output=True)
    kept = {path: path.read_bytes() for path in tls.glob("*.pem") if path.name != "lacolle.relay.pem"}
    _make_secrets(copy)
    assert len((copy / "passwords" / "grafana").read_text(encoding="utf-8").strip()) == 48
    relay = _certificate(tls / "lacolle.relay.pem")
    assert relay.not_valid_after_utc - datetime.now(UTC) > timedelta(days=800)
    key = serialization.load_pem_private_key((tls / "lacolle.relay.key").read_bytes(), None)
    assert key.public_key() == relay.public_key()
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(copy.rglob("*.part"))


def test_no_password_is_an_argument() -> None:
    """What starts a database reads passwords within the program that needs them: everybody sees its arguments."""
    script = (DEPLOY / "postgres" / "exchange-login.sh").read_text(encoding="utf-8")
    command, _, fed = script.partition("<<'SQL'")
    assert "cat" not in command.partition("set -eu")[2]
    assert "/run/secrets/database_exchange" in fed


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _principal(rules: str, subject: str) -> str:
    """Return whom a certificate's subject is, by the first rule that matches (KIP-371)."""
    for pattern, written in re.findall(r"RULE:([^/]*)/([^/]*)/", rules):
        found = re.match(pattern, subject)
        if found is not None:
            return str(found.expand(written.replace("$", "\\")))
    return subject


@pytest.mark.parametrize("path", [DEPLOY / "kafka" / "compose.properties", ROOT / "lacolle" / "local" / "kafka.py"])
def test_a_certificate_is_its_whole_name(path: Path) -> None:
    """No certificate becomes the administrator whose name only begins so; what follows a comma does not matter."""
    rules = re.search(r"^ssl\.principal\.mapping\.rules=(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert rules is not None
    for subject in ("CN=lacolle.administrator", "CN=lacolle.administrator,O=Agency", "CN=lacolle.administrator,CN=x"):
        assert _principal(rules[1], subject) == "lacolle.administrator"
    for subject in ("CN=lacolle.administrator_x", "CN=lacolle.administratorX", "CN=lacolle.administrator x,O=Agency"):
        assert _principal(rules[1], subject) == subject

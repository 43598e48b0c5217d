"""Engines, secrets and the environment: what settings say of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.exchange import Settings, read_settings
from gateway.settings.section import SettingsError

SMALLEST = "base_url: https://exchange.example:8443\norigin: exchange.example/log\n"


def settings(folder: Path, text: str = "", **environment: str) -> Settings:
    """Return the settings that a text says, with the environment over them."""
    path = folder / "lacolle.yaml"
    path.write_text(SMALLEST + text, encoding="utf-8")
    return read_settings(path, {f"LACOLLE_{name}": value for name, value in environment.items()})


def refusal(folder: Path, text: str = "", **environment: str) -> SettingsError:
    """Return why settings are refused."""
    with pytest.raises(SettingsError) as refused:
        settings(folder, text, **environment)
    assert refused.value.reason.fr != refused.value.reason.en
    return refused.value


def test_the_environment_wins(tmp_path: Path) -> None:
    """A variable replaces the file's value, its neighbours stay, and numbers and lists are what YAML makes of them."""
    read = settings(
        tmp_path,
        "listen: {host: 127.0.0.1, port: 1111}\nbus: embedded\n",
        LISTEN__PORT="2222",
        BUS__KAFKA__BOOTSTRAP="[127.0.0.1:9092, 'localhost:9093']",
        ORIGIN="other.example/log",
        LIMITS__RATE_PER_SECOND="2.5",
    )
    assert (read.listen.host, read.listen.port, read.origin) == ("127.0.0.1", 2222, "other.example/log")
    assert read.bus.kafka is not None
    assert read.bus.kafka.bootstrap == ("127.0.0.1:9092", "localhost:9093")
    assert read.limits.rate_per_second == 2.5


def test_what_is_not_a_setting_is_left_to_its_command(tmp_path: Path) -> None:
    """The client's own variables, and empty ones, change nothing."""
    assert settings(tmp_path, URL="https://a", KEY="k", LISTEN__PORT="") == settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("LISTNE__PORT", "1"), ("LISTEN__PROT", "1"), ("LISTEN__PORT", "many"), ("LISTEN__PORT", "[")],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str) -> None:
    """A variable that names no setting, or holds no value of it, is refused by its name."""
    assert f"LACOLLE_{name}" in str(refusal(tmp_path, **{name: value}))


@pytest.mark.parametrize(
    "text",
    [
        "store: {url: 'postgresql://lacolle:hush@db.example/lacolle'}\n",
        "store: {url: 'postgresql://lacolle@db.example/lacolle?password=hush'}\n",
        "store: {url: 'postgresql://lacolle@db.example/lacolle', password: hush}\n",
        "bus: {kafka: {bootstrap: ['127.0.0.1:9092'], security: {protocol: scram, username: a, password: hush}}}\n",
        "listen: {tls: {certificate: a.pem, key: '-----BEGIN PRIVATE KEY-----hush'}}\n",
    ],
)
def test_a_secret_in_the_settings_is_refused(tmp_path: Path, text: str) -> None:
    """A password or a key that stands in the settings is refused with what to do, and is not repeated."""
    refused = refusal(tmp_path, text)
    assert "password_file" in str(refused)
    assert "hush" not in refused.reason.en + refused.reason.fr


@pytest.mark.parametrize(
    "text",
    [
        "store: {url: 'mysql://db.example/lacolle'}\n",
        "store: {url: 'postgresql://db.example'}\n",
        "store: {sqlite: a.sqlite3, url: 'postgresql://lacolle@db.example/lacolle'}\n",
        "store: {password_file: secret}\n",
        "store: {tls: verify}\n",
        "store: {sqlite: a.sqlite3, ca_file: ca.pem}\n",
        "store: {url: 'postgresql://lacolle@db.example/lacolle?sslmode=require'}\n",
        "store: {url: 'postgresql://lacolle@db.example/lacolle', tls: prefer}\n",
        "store: {url: 'postgresql://lacolle@db.example/lacolle', tls: none, ca_file: ca.pem}\n",
        "bus: {kafka: {bootstrap: []}}\n",
        "bus: {kafka: {bootstrap: ['kafka.example:9092']}}\n",
        "bus: rabbit\n",
        "telemetry: {endpoint: 'grpc://collector'}\n",
        "telemetry: {endpoint: 'http://collector/v1/traces', share: 2}\n",
        "operation: {port: 0}\n",
        "operation: {grace: 0}\n",
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, text: str) -> None:
    """Two databases, a password without one, brokers in the clear beyond loopback: each is refused with its line."""
    assert "lacolle.yaml:3" in str(refusal(tmp_path, text))


def test_the_bus_keeps_what_is_still_being_tried(tmp_path: Path) -> None:
    """Records that Kafka would drop before their delivery is given up are refused; as long as that is enough."""
    text = "bus: {{kafka: {{bootstrap: ['127.0.0.1:9092'], topics: {{retention_hours: {}}}}}}}\n"
    assert "give_up_after" in str(refusal(tmp_path, text.format(71)))
    assert settings(tmp_path, text.format(72)).bus.kafka is not None


def test_a_database_without_a_password_in_it(tmp_path: Path) -> None:
    """PostgreSQL's address is taken as it is, a socket's folder too."""
    url = "postgresql://lacolle@/lacolle?host=/run/postgresql"
    assert settings(tmp_path, f"store: {{url: '{url}', password_file: secret}}\n").store.url == url

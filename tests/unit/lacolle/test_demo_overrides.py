"""What the environment may set of a demonstration's exchange, and what it may not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from gateway.settings.section import SettingsError
from lacolle.demo.overrides import Overrides
from lacolle.folder import create_folder
from lacolle.local.ports import free_ports
from lacolle.local.role import RoleProcess


@pytest.mark.parametrize(
    "name",
    [
        "BASE_URL",
        "ORIGIN",
        "LISTEN",
        "LISTEN__PORT",
        "LISTEN__TLS__KEY",
        "DELIVERY",
        "DELIVERY__CA_FILE",
        "FILES__KEYS",
        "STORE__URL",
        "BUS",
        "BUS__KAFKA__BOOTSTRAP",
        "OPERATION__PORT",
    ],
)
def test_what_a_demonstration_decides_is_withheld_and_named(name: str) -> None:
    """No variable takes a demonstration to another exchange's addresses, files, database or bus, and each is told."""
    overrides = Overrides.of({f"LACOLLE_{name}": "x"})
    told = overrides.told()
    assert overrides.counting == {}
    assert told is not None
    assert f"LACOLLE_{name}. " in told.fr
    assert f"LACOLLE_{name}. " in told.en


@pytest.mark.parametrize(
    "name",
    ["LIMITS__BURST", "LIMITS", "DELIVERY__RETRY_BASE", "LISTEN__DEADLINES__BODY", "OPERATION__LOG_LEVEL", "TELEMETRY"],
)
def test_all_other_settings_count(name: str) -> None:
    """What does not concern the world that a demonstration makes is the environment's to set."""
    overrides = Overrides.of({f"LACOLLE_{name}": "5"})
    assert overrides.counting == {f"LACOLLE_{name}": "5"}
    assert overrides.told() is None


def test_what_is_nobodys_setting_is_left_or_refused() -> None:
    """The client's variables, others' and empty ones are left alone; what only looks like a setting is refused."""
    overrides = Overrides.of({"LACOLLE_URL": "x", "HOME": "/", "LACOLLE_STORE__URL": "", "LACOLLE_TEST_KAFKA": "x"})
    assert (overrides.counting, overrides.told()) == ({}, None)
    with pytest.raises(SettingsError, match="LACOLLE_STORAGE__URL"):
        Overrides.of({"LACOLLE_STORAGE__URL": "x"})


def test_a_demonstration_obeys_the_environment(tmp_path: Path) -> None:
    """A limit and a log level of the environment are those of the exchange that ``demo`` runs; a port's is not."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LACOLLE_")}
    told = {"LACOLLE_LIMITS__BODY_BYTES": "1024", "LACOLLE_OPERATION__LOG_LEVEL": "error", "LACOLLE_LISTEN__PORT": "1"}
    # a process of its own: a demonstration decides where its process's log lines go, for good
    result = subprocess.run(
        [sys.executable, "-m", "lacolle", "demo", "--json", "--lang", "en", "--dir", str(tmp_path)],
        env=inherited | told,
        capture_output=True,
        text=True,
        check=False,
    )
    summary = orjson.loads(result.stdout)
    assert (summary["accepted"], summary["refused"]) == (0, 11)
    assert "Without effect here: LACOLLE_LISTEN__PORT." in result.stderr
    assert (tmp_path / "lacolle.log").read_text() == ""


def test_a_role_gets_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's process has the variables that it was given and none of this process's own."""
    folder, log = tmp_path / "exchange", tmp_path / "role.log"
    create_folder(folder, base_url="https://a.example", origin="a.example/log", host="127.0.0.1", port=1)
    monkeypatch.setenv("LACOLLE_STORE__URL", "postgresql://somebody@elsewhere.example/theirs")
    [port] = free_ports(1)
    role = RoleProcess("relay", folder, log, port, environment={"LACOLLE_LIMITS__BURST": "many"})
    role.launch()
    try:
        asyncio.run(_ended(role))
    finally:
        role.kill()
    told = log.read_text()
    assert "LACOLLE_LIMITS__BURST" in told
    assert "elsewhere" not in told


async def _ended(role: RoleProcess) -> None:
    with pytest.raises(Exception, match="does not run as it should"):
        await role.wait_until_ready()

"""``lacolle up``: the demonstration in its roles on the real engines, as one command that leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest

from lacolle.local.kafka_jars import KafkaJars
from tests.acceptance.commands import lacolle

WITHIN: Final = 240.0
SUMMARY: Final = {
    "accepted", "refused", "decisions", "delivered", "acknowledged",
    "pending", "log_size", "root", "verified", "bus", "store",
}  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a short path that PostgreSQL's account can reach."""
    with tempfile.TemporaryDirectory(prefix="lacolle-up-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def _words(folder: Path, *options: str) -> list[str]:
    return ["up", "--json", "--lang", "en", "--dir", str(folder), *options]


def _up(*options: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lacolle", *_words(folder, *options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _left(folder: Path) -> list[str]:
    """Return the command lines of processes that know of the folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(folder) in line:
                found.append(line)
    return found


@pytest.mark.slow
def test_the_demonstration_runs_on_the_real_engines(jars: KafkaJars, folder: Path) -> None:
    """Everything that was accepted is accounted for, engines and versions are named, and nothing goes on afterwards."""
    out, err = _up(folder=folder).communicate(timeout=WITHIN)
    summary = orjson.loads(out)
    assert set(summary) == SUMMARY, err
    assert summary["bus"] == f"Apache Kafka {jars.version}"
    assert summary["store"].startswith("PostgreSQL 18.")
    assert summary["verified"] is True
    assert summary["accepted"] >= 10
    assert summary["refused"] >= 1
    assert summary["pending"] == 0
    assert summary["delivered"] == summary["acknowledged"] == summary["decisions"]["permit"] > 0
    assert summary["log_size"] > summary["accepted"]
    assert len(bytes.fromhex(summary["root"])) == 32
    assert err == b""
    assert _left(folder) == []
    for role in ("gateway", "relay", "adapters"):
        told = (folder / "logs" / f"{role}.log").read_text(encoding="utf-8")
        assert '"event": "stopped"' in told, role
        assert "Traceback" not in told, role


@pytest.mark.slow
@pytest.mark.usefixtures("jars")
def test_a_stop_ends_all_of_it(folder: Path) -> None:
    """Told to stop while it runs, it ends every process that it started, and its status says that it was cut short."""
    process = _up("--keep", folder=folder)
    try:
        until = time.monotonic() + WITHIN
        while not (folder / "logs" / "adapters.log").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    assert process.returncode == 1
    assert b"Traceback" not in err
    until = time.monotonic() + WITHIN
    while left := _left(folder):  # what was started in that very moment ends as its leash is let go
        assert time.monotonic() < until, left
        time.sleep(0.1)


@pytest.mark.parametrize(("language", "expected"), [("en", "Apache Kafka needs Java"), ("fr", "Apache Kafka demande")])
def test_without_java_it_says_what_to_install(folder: Path, language: str, expected: str) -> None:
    """Where Java is missing, one line in the reader's language says so, and nothing was started."""
    ran = lacolle(*_words(folder / "up", "--lang", language), environment={"PATH": str(folder / "nothing")})
    lines = ran.err.splitlines()
    assert (ran.status, ran.out) == (1, "")
    assert len(lines) == 1
    assert lines[0].startswith(expected)
    assert _left(folder) == []

"""The image's file, and the program that asks a container how it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from tests.unit.deploy.shipped import DEPLOY, ROOT

DOCKERFILE: Final = DEPLOY / "Dockerfile"


def _hadolint(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("hadolint"))
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_the_linter_has_nothing_to_say() -> None:
    """hadolint, which also reads the shell in it, finds nothing."""
    done = _hadolint(str(DOCKERFILE))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    """Hadolint refuses an image without a tag."""
    (tmp_path / "Dockerfile").write_text("FROM python\n", encoding="utf-8")
    assert "DL3006" in _hadolint(str(tmp_path / "Dockerfile")).stdout


def test_what_is_copied_is_there_and_let_in() -> None:
    """Every file that the image copies exists, and the ignore file lets it through to the builder."""
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert {"lacolle", "gateway", "requirements.lock"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert re.search(rf"^!{re.escape(source)}(/\*\*)?$", allowed, re.MULTILINE), source


def test_every_package_is_copied() -> None:
    """What the wheel is made of is what the image copies: a new package is not forgotten."""
    packages = re.search(r"^packages = \[(.+)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert packages is not None
    for package in re.findall(r'"([a-z]+)"', packages[1]):
        assert f"\nCOPY {package} {package}\n" in DOCKERFILE.read_text(encoding="utf-8")


def test_the_image_is_nobodys_and_locked() -> None:
    """The image runs as a numbered user that is not root, and installs by hash alone."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users == ["10001:10001"]
    assert "--require-hashes" in text
    assert "--no-deps" in text


@contextmanager
def _answering(status: int) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _health(port: int) -> int:
    command = [sys.executable, str(DEPLOY / "healthcheck.py")]
    environment = {**os.environ, "LACOLLE_OPERATION__PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_says_what_readiness_says(status: int, expected: int) -> None:
    """The health check succeeds where the operation listener calls the process ready, and fails else."""
    with _answering(status) as port:
        assert _health(port) == expected


def test_nobody_there_is_not_healthy() -> None:
    """Where nothing listens, the health check fails."""
    with _answering(200) as port:
        pass
    assert _health(port) == 1

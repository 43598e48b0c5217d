"""The front door: clients that take their time are ended at their deadline, and keep nobody else waiting."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.agency import Agency
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import TlsServer, calling, serving, serving_tls
from tests.acceptance.slow_clients import (
    EMPTY_LINES,
    HALF_HANDSHAKE,
    NEVER_READING,
    SILENT,
    SLOW_BODY,
    SLOW_HEAD,
    Manner,
    held_connections,
    slow_clients,
)
from tests.patience import GIVES_UP_AFTER, PATIENCE

DEADLINE = 5.0
LATE = 5.0
"""How long after its deadline a slow client may still be there: the time it took to open all of them included."""
PER_ADDRESS = 3
LISTEN = {
    "deadlines": {"handshake": DEADLINE, "head": DEADLINE, "body": DEADLINE, "idle": DEADLINE, "answer": DEADLINE},
    "connections": {"total": 400, "per_address": 40},
}
SETTINGS = {"limits": {"rate_per_second": 10000.0, "burst": 10000}, "listen": LISTEN}
MANNERS = {
    "half a handshake": HALF_HANDSHAKE,
    "silence": SILENT,
    "slow head": SLOW_HEAD,
    "slow body": SLOW_BODY,
    "never reading": NEVER_READING,
    "empty lines": EMPTY_LINES,
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Return an exchange over TLS with short deadlines."""
    with serving_tls(tmp_path_factory.mktemp("guarded"), settings=SETTINGS) as server:
        yield server
    assert "Traceback" not in server.log_file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def honest(guarded: TlsServer) -> Iterator[Agency]:
    """Return an agency whose connection is like anyone's."""
    with calling(guarded) as agencies:
        yield agencies["ca-qc.sq"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open connections are read from /proc")
@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS)
def test_two_hundred_slow_clients(guarded: TlsServer, honest: Agency, manner: Manner) -> None:
    """Two hundred slow clients of ten addresses hold up nobody, and every one is ended at its deadline."""
    honest.http.headers["Connection"] = "close"  # an honest client that comes anew is served, too
    assert honest.submit(stolen_vehicle()).status_code == 201
    before = held_connections(guarded)
    with slow_clients(guarded, manner, number=200, addresses=10):
        _wait_until(lambda: held_connections(guarded) > before + 150, otherwise="they are not all there")
        waits = []
        for _ in range(10):
            began = time.monotonic()
            assert honest.submit(stolen_vehicle()).status_code == 201
            waits.append(time.monotonic() - began)
        assert sorted(waits)[5] < DEADLINE, waits
        _wait_until(lambda: held_connections(guarded) <= before, otherwise="slow clients are still there")


def test_a_place_of_its_own(guarded: TlsServer, honest: Agency) -> None:
    """An address that has all the places it may have gets no more; another's are free."""
    with slow_clients(guarded, HALF_HANDSHAKE, number=60, addresses=1) as slow:
        _wait_until(lambda: slow.survivors() <= 40, otherwise="nobody was turned away")
        assert slow.survivors() == 40
        assert honest.submit(stolen_vehicle()).status_code == 201


def test_told_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In plain HTTP, who is turned away is told why: 503, when to come again, and the reason in both languages."""
    settings = {
        "problem_base": "https://exchange.example/problems",
        "listen": {"connections": {"total": 8, "per_address": PER_ADDRESS}, "deadlines": {"head": 600.0, "idle": 0.5}},
    }
    with serving(tmp_path_factory.mktemp("small"), settings=settings) as server, contextlib.ExitStack() as stack:
        target = urlsplit(server.world.base_url)
        place = target.hostname or "", target.port or 0
        held = [
            stack.enter_context(socket.create_connection(place, timeout=GIVES_UP_AFTER)) for _ in range(PER_ADDRESS + 3)
        ]
        _wait_until(lambda: len(_answered(held)) >= 3, otherwise="nobody is turned away")
        turned_away = [sock.recv(65_536) for sock in _answered(held)]
    for each in turned_away:
        assert each.startswith(b"HTTP/1.1 503 ")
        fields, _, said = each.partition(b"\r\n\r\n")
        assert b"\r\nretry-after: 5\r\n" in fields
        assert b"\r\ncontent-type: application/problem+json\r\n" in fields
        problem = json.loads(said)
        assert problem["type"] == "https://exchange.example/problems/too-many-connections"
        assert problem["title"] == "Trop de connexions / Too many connections"


def test_idle_connections_hold_no_place_for_good(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who holds every connection and asks something now and then keeps nobody out."""
    settings = {"listen": {"connections": {"total": 4}, "deadlines": {"idle": 600.0}}}
    with serving_tls(tmp_path_factory.mktemp("full"), settings=settings) as server, contextlib.ExitStack() as stack:
        target = urlsplit(server.world.base_url)
        for _ in range(8):  # more than there are, for the fixture has had some
            sock = socket.create_connection((target.hostname or "", target.port or 0), timeout=GIVES_UP_AFTER)
            sock = stack.enter_context(server.trust.wrap_socket(sock, server_hostname="localhost"))
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
        with calling(server) as agencies:
            assert agencies["ca-qc.sq"].submit(stolen_vehicle()).status_code == 201


def _wait_until(holds: Callable[[], bool], *, otherwise: str) -> None:
    until = time.monotonic() + (DEADLINE + LATE) * PATIENCE
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def _answered(held: Sequence[socket.socket]) -> list[socket.socket]:
    """Return those on which something came, although they asked for nothing."""
    readable, _, _ = select.select(held, [], [], 0)
    return readable

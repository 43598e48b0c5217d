"""Stopping: what is in hand is finished, nothing new is taken, and a second signal ends a process where it stands."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacolle.samples import WorldOptions, build_world
from tests.acceptance.agency import Agencies
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess, calling, free_port
from tests.acceptance.role_fork import ForkedProcess
from tests.patience import GIVES_UP_AFTER, PATIENCE

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return an exchange of the test's own."""
    world = build_world(tmp_path / "world", WorldOptions(port=free_port()))
    found = ServerProcess(world, tmp_path / "server.log")
    found.start()
    yield found
    found.kill()


def _half_a_request(server: ServerProcess, body: bytes) -> http.client.HTTPConnection:
    """Return a connection on which a submission is being read: all of it is sent but the last ten bytes."""
    port = int(server.world.base_url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVES_UP_AFTER)
    connection.putrequest("POST", "/v1/alerts")
    connection.putheader("Content-Type", "application/jose")
    connection.putheader("Content-Length", str(len(body)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(len(CONTINUE)) == CONTINUE
    connection.send(body[:-10])
    return connection


def _submission(server: ServerProcess) -> bytes:
    with calling(server) as agencies:
        sq = Agencies(server.world, agencies.http)["ca-qc.sq"]
        return sq.sign(stolen_vehicle())


def _refuses(server: ServerProcess) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", int(server.world.base_url.rpartition(":")[2])), timeout=1):
            return False
    except OSError:
        return True


def _told_to_stop(server: ServerProcess) -> ForkedProcess:
    """Tell the server to stop, and return its process once it has begun to."""
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 5 * PATIENCE
    while not _refuses(server):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert server.process.poll() is None
    return server.process


def test_a_request_in_hand_is_answered(server: ServerProcess) -> None:
    """Told to stop, the exchange takes no new connection, and answers the submission that it is reading."""
    body = _submission(server)
    connection = _half_a_request(server, body)
    process = _told_to_stop(server)
    connection.send(body[-10:])
    assert connection.getresponse().status == 201
    assert process.wait(timeout=20 * PATIENCE) == 0


def test_a_second_signal_ends_it_at_once(server: ServerProcess) -> None:
    """With a request in hand that never ends, the second signal does not wait for it."""
    connection = _half_a_request(server, _submission(server))
    process = _told_to_stop(server)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=GIVES_UP_AFTER) == 128 + signal.SIGTERM
    connection.close()


def test_the_grace_has_an_end(server: ServerProcess) -> None:
    """A request that never ends is answered 408, and holds the exchange up for a part of its grace period alone."""
    connection = _half_a_request(server, _submission(server))
    assert server.stop() == 0
    assert "grace_over" not in server.log_file.read_text(encoding="utf-8")
    assert connection.getresponse().status == 408
    connection.close()

"""Connections that misbehave below HTTP, and bodies without an end: others are served, and memory stays bounded."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, JOSE, PREVIEW, Agency, members
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.enrolment import STATEMENTS
from tests.patience import GIVES_UP_AFTER

MEBIBYTE = 1024 * 1024


@contextlib.contextmanager
def connection(server: ServerProcess) -> Iterator[socket.socket]:
    """Open a plain connection to the server."""
    address = urlsplit(server.world.base_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=GIVES_UP_AFTER) as sock:
        yield sock


def posted(body: bytes) -> bytes:
    """Return a whole request that posts a submission."""
    return POST + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def answered(sock: socket.socket) -> bytes:
    """Return what comes until the server closes the connection, or has answered and says no more."""
    received = b""
    sock.settimeout(GIVES_UP_AFTER)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while chunk := sock.recv(65_536):
            received += chunk
            sock.settimeout(0.5)
    return received


POST = b"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

GARBAGE = {
    "nothing": b"",
    "a line": b"\r\n",
    "zeros": b"\x00" * 4096,
    "noise": hashlib.sha512(b"noise").digest() * 64,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "http/0.9": b"GET /\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "bad version": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    "bad method": b"G\x00T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad header": b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
    "folded header": GET + b"A: b\r\n c\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": POST + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "bad chunk": POST + CHUNKED + b"\r\nzz\r\nab\r\n",
    "huge chunk": POST + CHUNKED + b"\r\nffffffffffffffff\r\nab",
    "huge length": POST + b"Content-Length: 99999999999999999999\r\n\r\nab",
    "unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\nab",
    "long address": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": GET + b"A: " + b"a" * MEBIBYTE + b"\r\n\r\n",
    "many headers": GET + b"A: b\r\n" * 50_000 + b"\r\n",
    "upgrade": GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    "upgrade of a submission": POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 30\r\n\r\n" + GET,
    "percent": b"GET /v1/alerts/%ff%fe%00%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "high bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
    "absolute": b"GET http://elsewhere.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
}


def _served(sq: Agency) -> bool:
    return sq.submit(stolen_vehicle()).status_code == httpx2.codes.CREATED


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage(standing: ServerProcess, sq: Agency, case: str) -> None:
    """What is no HTTP, or no sound HTTP, is never a 5xx, and the next caller is served."""
    with connection(standing) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(GARBAGE[case])
            sock.shutdown(socket.SHUT_WR)
        status_line = answered(sock).partition(b"\r\n")[0]
    assert not status_line.startswith(b"HTTP/1.1 5"), status_line
    assert _served(sq)


def test_half_sent(standing: ServerProcess, sq: Agency) -> None:
    """A hundred requests that stop half-way, in the header or in the body, keep nobody else from being served."""
    body = sq.sign(stolen_vehicle())
    request = posted(body)
    with contextlib.ExitStack() as stack:
        for number in range(100):
            sock = stack.enter_context(connection(standing))
            sock.sendall(request[: 1 + number * (len(request) - 1) // 100])
        assert _served(sq)
    assert _served(sq)


def test_gone_before_the_answer(standing: ServerProcess, sq: Agency) -> None:
    """A client that hangs up at once leaves an alert that was stored whole, or not at all."""
    alert = stolen_vehicle()
    body = sq.sign(alert)
    for _ in range(10):
        with connection(standing) as sock:
            sock.sendall(posted(body))
    answer = sq.submit(alert)
    assert answer.status_code in (200, 201)
    assert sq.read(members(answer)["alert_id"])["identifier"] == alert["identifier"]


def test_one_connection_many_requests(standing: ServerProcess, sq: Agency) -> None:
    """Requests on one connection are each answered; one that did not wait for the last answer is not taken at all."""
    bodies = [sq.sign(stolen_vehicle()) for _ in range(5)]
    with connection(standing) as sock:
        for body in bodies[:2]:
            sock.sendall(posted(body))
            with contextlib.closing(http.client.HTTPResponse(sock)) as answer:
                answer.begin()
                assert answer.status == httpx2.codes.CREATED
                answer.read()
        sock.sendall(b"".join(posted(body) for body in bodies[2:]))
        received = answered(sock)
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 201 ") == 1
    assert b"connection: close\r\n" in received
    assert [sq.post(body).status_code for body in bodies[2:]] == [200, 201, 201]


def memory(server: ServerProcess, name: str) -> int:
    """Return a figure of the server process's memory, in bytes (proc(5))."""
    assert server.process is not None
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


@contextlib.contextmanager
def bounded_memory(server: ServerProcess) -> Iterator[None]:
    """Fail where the server's memory grows by more than 30 MiB in the block, were it for a moment."""
    assert server.process is not None
    before = memory(server, "VmRSS")
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak is counted from here on
    yield
    assert memory(server, "VmHWM") - before < 30 * MEBIBYTE


def _endless(size: int) -> Iterator[bytes]:
    block = b"A" * 65_536
    for _ in range(size // len(block)):
        yield block


reads_proc = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")


@reads_proc
def test_endless_bodies(standing: ServerProcess, sq: Agency) -> None:
    """Twenty bodies of 50 MB, in chunks that say no length, are refused without being kept."""
    assert _served(sq)
    with bounded_memory(standing):
        for number in range(20):
            path = (ALERTS, PREVIEW, STATEMENTS, "/oauth/token", f"{ALERTS}/x/acknowledgements")[number % 5]
            headers = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/oauth/token" else JOSE
            with contextlib.suppress(httpx2.TransportError), httpx2.Client(base_url=standing.world.base_url) as http:
                # a server that has answered may hang up on a client that is still sending
                assert http.post(path, content=_endless(50 * MEBIBYTE), headers=headers).status_code == 413
    assert _served(sq)


ENDLESS = {
    "address": (b"GET /", b"a" * 65_536),
    "header": (GET + b"A: ", b"a" * 65_536),
    "headers": (GET, b"A: " + b"a" * 1000 + b"\r\n"),
    "chunk's extension": (POST + CHUNKED + b"\r\n1;", b"a" * 65_536),
    "trailers": (POST + CHUNKED + b"\r\n1\r\nA\r\n0\r\n", b"A: " + b"a" * 1000 + b"\r\n"),
    "white space": (b"", b"\r\n" * 32_768),
}


@reads_proc
@pytest.mark.parametrize("case", ENDLESS)
def test_endless_headers(standing: ServerProcess, sq: Agency, case: str) -> None:
    """A request whose address, header or trailer has no end is cut off without being kept."""
    beginning, more = ENDLESS[case]
    with bounded_memory(standing), connection(standing) as sock:
        sock.sendall(beginning)
        with contextlib.suppress(OSError):
            for _ in range(64 * MEBIBYTE // len(more)):
                sock.sendall(more)
    assert _served(sq)


def test_a_header_too_long(standing: ServerProcess) -> None:
    """A header that is too long for any use is told so before the connection ends."""
    with connection(standing) as sock:
        sock.sendall(GET + b"A: " + b"a" * 65_536)
        assert answered(sock).startswith(b"HTTP/1.1 431 ")


def test_a_refused_length(standing: ServerProcess, sq: Agency) -> None:
    """A length over the limit is refused before the body comes."""
    with connection(standing) as sock:
        sock.sendall(POST + b"Content-Length: 50000000\r\n\r\n")
        assert answered(sock).startswith(b"HTTP/1.1 413 ")
    assert _served(sq)


def test_expect_continue(standing: ServerProcess, sq: Agency) -> None:
    """A client that waits to be told to go on is told so, or refused at once (RFC 9110 section 10.1.1)."""
    body = sq.sign(stolen_vehicle())
    with connection(standing) as sock:
        head, _, _ = posted(body).partition(b"\r\n\r\n")
        sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(65_536).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert answered(sock).startswith(b"HTTP/1.1 201 ")

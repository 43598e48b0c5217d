"""Clients that take their time on purpose: raw sockets, each of which goes on just fast enough to look alive."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.conftest import ServerProcess

DRIP_SECONDS = 0.25


@dataclass(frozen=True)
class Manner:
    """How a slow client behaves: what it sends at first, what it goes on with, and whether it gets as far as TLS."""

    first: bytes
    drip: bytes = b""
    handshake: bool = True


HALF_HANDSHAKE = Manner(b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\xfc", handshake=False)
SILENT = Manner(b"", handshake=False)
SLOW_HEAD = Manner(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", b"a")
SLOW_BODY = Manner(
    b"POST /v1/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 1000\r\n\r\n", b"a"
)
_DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
NEVER_READING = Manner(_DOCUMENT, _DOCUMENT)
EMPTY_LINES = Manner(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n")


class SlowClients:
    """Open connections that all behave alike; ``survivors`` says how many the server still holds."""

    def __init__(self, sockets: Sequence[socket.socket], manner: Manner) -> None:
        self._sockets = list(sockets)
        self._manner = manner
        self._stopping = threading.Event()
        self._dripping = threading.Thread(target=self._drip)
        self._dripping.start()

    def stop(self) -> None:
        """Drip no more, and close what is open."""
        self._stopping.set()
        self._dripping.join()
        for sock in self._sockets:
            sock.close()

    def survivors(self) -> int:
        """Return how many connections the server has not ended."""
        return len(self._sockets)

    def _drip(self) -> None:
        while not self._stopping.wait(DRIP_SECONDS):
            for sock in [each for each in self._sockets if self._is_over(each)]:
                sock.close()
                self._sockets.remove(sock)

    def _is_over(self, sock: socket.socket) -> bool:
        try:
            if self._manner.drip:
                sock.send(self._manner.drip)
            return _hung_up(sock)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True


def _hung_up(sock: socket.socket) -> bool:
    """Say whether the peer has closed, reading nothing of what it sent."""
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))


def held_connections(server: ServerProcess) -> int:
    """Return how many sockets the server's process has open."""
    assert server.process is not None
    files = Path(f"/proc/{server.process.pid}/fd")
    return sum(_points_to_a_socket(file) for file in files.iterdir())


def _points_to_a_socket(file: Path) -> bool:
    try:
        return str(file.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def slow_clients(server: ServerProcess, manner: Manner, *, number: int, addresses: int) -> Iterator[SlowClients]:
    """Open slow connections from 127.0.0.2 and so many addresses after it, for as long as the block lasts."""
    target = urlsplit(server.world.base_url)
    with contextlib.ExitStack() as stack:
        sockets = []
        for each in range(number):
            sock = socket.socket()
            stack.callback(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(20.0)
            sock.bind((f"127.0.0.{2 + each % addresses}", 0))
            sock.connect((target.hostname or "", target.port or 0))
            if target.scheme == "https" and manner.handshake:
                sock = stack.enter_context(server.trust.wrap_socket(sock, server_hostname="localhost"))
            if manner.first:
                sock.sendall(manner.first)
            sock.setblocking(False)  # noqa: FBT003 - the name of the argument is its method's
            sockets.append(sock)
        clients = SlowClients(sockets, manner)
        stack.callback(clients.stop)
        yield clients

"""The connections that are kept to one partner, so that not every message has to shake hands.

A connection serves one message at a time and belongs to the address it was opened to; whoever takes one has checked
that address. It is opened when no idle one is there, under the partner's name for SNI and the certificate, and closed
after a while without a message, or after the first message after ``LIFE_SECONDS``, so that a certificate that was
replaced is soon asked for. How many there are is bounded by how many messages are in hand at once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from typing import Final

from adapters.transports.addresses import Address
from adapters.transports.http11 import Connection

IDLE_SECONDS: Final = 4.0
"""How long a connection is kept without a message: shorter than the five seconds after which many servers hang up."""
LIFE_SECONDS: Final = 300.0
_SHUTDOWN_SECONDS: Final = 1.0


class NoConnectionError(Exception):
    """No connection could be opened; ``tls`` says whether the partner was there and its TLS was not sound."""

    def __init__(self, *, tls: bool) -> None:
        super().__init__("tls" if tls else "connection failed")
        self.tls = tls


class Pool:
    """The connections to one host and port, each kept for ``idle`` seconds without a message.

    ``tls`` must verify certificates and names.
    """

    def __init__(self, *, host: str, port: int, tls: ssl.SSLContext, idle: float) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._kept = idle
        self._open: dict[Connection, tuple[Address, float]] = {}
        """Every open connection: where it goes, and since when."""
        self._idle: defaultdict[Address, list[tuple[Connection, float]]] = defaultdict(list)
        """What may serve, by address, with the time since when it is idle; the last used is the last."""
        self._closed = False
        self._all_closed = asyncio.Event()
        self._sweeping: asyncio.TimerHandle | None = None

    def idle(self, address: Address) -> Connection | None:
        """Return a connection to an address that may serve now, and let it be the caller's; None where there is none.

        The one that was used last, so that those that are not needed grow old.
        """
        idle = self._idle.get(address, [])
        while idle:
            connection, _ = idle.pop()
            if connection.usable:
                return connection
        return None

    async def open(self, address: Address) -> Connection:
        """Return a new connection to an address, the caller's. Raises ``NoConnectionError``."""
        loop = asyncio.get_running_loop()
        reached = await self._reach(address)
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(on_idle=self._keep, on_lost=self._lose),
                sock=reached,
                ssl=self._tls,
                server_hostname=self._host,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except OSError:  # ssl.SSLError is one
            raise NoConnectionError(tls=True) from None
        if self._closed or not connection.usable:
            connection.abort()
            raise NoConnectionError(tls=False)
        self._open[connection] = address, loop.time()
        return connection

    async def close(self) -> None:
        """Close every connection, also those in use, and open no more. Idempotent."""
        self._closed = True
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()  # which says so to the partner
        self._idle.clear()
        while self._open:
            for connection in list(self._open):
                connection.abort()
            self._all_closed.clear()
            await self._all_closed.wait()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    async def _reach(self, address: Address) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the Internet Protocol's
        reached = socket.socket(family, socket.SOCK_STREAM)
        try:
            reached.settimeout(0)  # not blocking
            reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(reached, (str(address), self._port))
        except BaseException as error:
            reached.close()
            if isinstance(error, OSError):
                raise NoConnectionError(tls=False) from None
            raise
        return reached

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        address, since = self._open[connection]
        if loop.time() - since > LIFE_SECONDS:
            connection.close()
            return
        self._idle[address].append((connection, loop.time()))
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._kept, self._sweep)

    def _lose(self, connection: Connection) -> None:
        address, _ = self._open.pop(connection, (None, 0.0))
        if address is not None and address in self._idle:
            self._idle[address] = [each for each in self._idle[address] if each[0] is not connection]
        if not self._open:
            self._all_closed.set()

    def _sweep(self) -> None:
        """Close what has been idle for too long, and look again in a while if there is something to look at."""
        loop = asyncio.get_running_loop()
        for address, idle in list(self._idle.items()):
            for connection, since in idle:
                if loop.time() - since >= self._kept:
                    connection.close()
            fresh = [each for each in idle if loop.time() - each[1] < self._kept]
            if fresh:
                self._idle[address] = fresh
            else:
                del self._idle[address]
        self._sweeping = loop.call_later(self._kept / 4, self._sweep) if self._idle else None

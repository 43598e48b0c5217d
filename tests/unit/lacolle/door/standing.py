"""A server behind the front door in this process, over an application of a few lines."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.settings.exchange import Deadlines, Listen
from lacolle.certificates import IssuedCertificate, LocalAuthority
from lacolle.door.server import Server, http_server

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

QUICK = Deadlines(handshake=0.5, head=0.5, body=0.5, idle=0.5, answer=0.5)
MEBIBYTE = 1024 * 1024


class Application:
    """Answers with as many bytes as the path says, and keeps what it was asked.

    It ``takes`` so many seconds for it, once it has the body, if it ``waits`` for that.
    """

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.gone = 0
        self.takes = 0.0
        self.waits = True

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        self.scopes.append(scope)
        body, more = b"", self.waits
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body += message["body"]
            more = message.get("more_body", False)
        self.bodies.append(body)
        await asyncio.sleep(self.takes)
        size = int(scope["path"].removeprefix("/") or 0)
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"a" * size})


@dataclass(frozen=True)
class Standing:
    """A server that serves, and its application."""

    server: Server
    app: Application
    bound: socket.socket
    serving: asyncio.Task[None]

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self.bound.getsockname()[1])

    async def connect(self, tls: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to it."""
        name = None if tls is None else "localhost"
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)


def client_side(authority: LocalAuthority, certificate: IssuedCertificate | None) -> ssl.SSLContext:
    """Return a client's context."""
    context = ssl.create_default_context(cafile=authority.ca_file)
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


@asynccontextmanager
async def standing(
    listen: Listen | None = None, tls: ssl.SSLContext | None = None, *, grace: float = 1.0
) -> AsyncIterator[Standing]:
    """Serve on loopback for as long as the block lasts."""
    app = Application()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()  # so that who connects before it accepts waits
        server = http_server(app, tls=tls, grace=grace, listen=listen or Listen(deadlines=QUICK))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield Standing(server, app, bound, serving)
        finally:
            server.should_exit = True
            await serving

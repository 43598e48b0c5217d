"""Every partner of the sample world as one HTTPS server, which remembers all that it is ever handed.

A partner has its own path. It takes most messages, asks for some again with 503, and answers some with 500 although
it has taken them, so that the exchange can't know: the same delivery then comes again, and must be the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from lacolle.certificates import LocalAuthority
from lacolle.door.server import http_server, tls_context
from lacolle.samples import participants
from schemas.ids import ParticipantId

_ASKS_AGAIN: Final = 0.04
_FAILS_LATE: Final = 0.04

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handed:
    """One message as a partner took it: the delivery it says it is, of which alert, and its bytes' SHA-256.

    ``at`` is when, on the clock of ``time.monotonic``; it makes no other message of it.
    """

    recipient: ParticipantId
    delivery_id: str
    alert_id: str
    content_type: str
    digest: str
    at: float = field(compare=False)


@dataclass(slots=True)
class Partners:
    """The server's memory. ``endpoints`` is where each receiver is reached.

    ``arrivals`` are all messages in the order in which they were taken, ``met`` is told of each before it is answered.
    """

    authority: LocalAuthority
    endpoints: dict[ParticipantId, str]
    dice: Random
    arrivals: list[Handed] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    met: Callable[[Handed], None] = field(default=lambda _handed: None)

    @property
    def handed(self) -> set[Handed]:
        """What was taken, however often."""
        return set(self.arrivals)

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        body = await _body(receive)
        if body is None:
            return
        chance = self.dice.random()
        if chance < _ASKS_AGAIN:
            await _answer(send, 503)
            return
        self._take(scope, body)
        await _answer(send, 500 if chance < _ASKS_AGAIN + _FAILS_LATE else 204)

    def _take(self, scope: dict[str, Any], body: bytes) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        recipient = ParticipantId(scope["path"].removeprefix("/"))
        if recipient not in self.endpoints or not {"idempotency-key", "ce-subject"} <= headers.keys():
            self.strays.append(f"{scope['method']} {scope['path']}")
            return
        handed = Handed(
            recipient=recipient,
            delivery_id=headers["idempotency-key"],
            alert_id=headers["ce-subject"],
            content_type=headers.get("content-type", ""),
            digest=hashlib.sha256(body).hexdigest(),
            at=time.monotonic(),
        )
        self.arrivals.append(handed)
        self.met(handed)


@asynccontextmanager
async def open_partners(folder: Path, dice: Random) -> AsyncIterator[Partners]:
    """Yield the partners, who serve on a loopback port of their own until the block ends."""
    authority = LocalAuthority(folder)
    certificate = authority.issue("partners")
    with socket.create_server(("127.0.0.1", 0)) as bound:
        base = f"https://127.0.0.1:{bound.getsockname()[1]}"
        receivers = [ParticipantId(each["participant"]) for each in participants() if "receiver" in each["roles"]]
        partners = Partners(authority, {receiver: f"{base}/{receiver}" for receiver in receivers}, dice)
        server = http_server(partners.answer, tls=tls_context(certificate.chain, certificate.key), grace=1)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield partners
        finally:
            server.should_exit = True
            await serving


async def _body(receive: Receive) -> bytes | None:
    """Return a request's content; None where the exchange died in the middle of it."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
    return None


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})

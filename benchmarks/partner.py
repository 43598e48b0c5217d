"""A partner's HTTPS endpoint that takes everything and notes when each alert reached it.

It answers 204 to every request, and keeps, by the alert's id (the ``ce-subject`` header that comes with every
delivery over HTTPS), the monotonic clock's nanoseconds at which the request was complete.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httptools
import orjson

from benchmarks.connection import Answer
from benchmarks.process import HOST

_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner listens on loopback; TLS with this PEM chain and key where there is one."""

    port: int
    certificate: Path | None = None
    private_key: Path | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.port, self.certificate, self.private_key) if part is not None)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read what ``str`` wrote: ``PORT`` or ``PORT:CERTIFICATE:KEY``; raises ``ValueError``."""
        port, *files = text.split(":")
        certificate, private_key = (Path(file) for file in files) if files else (None, None)
        return cls(port=int(port), certificate=certificate, private_key=private_key)


@dataclass(slots=True)
class Arrivals:
    """When each alert reached each partner, in nanoseconds of the monotonic clock, by alert id."""

    times: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    def note(self, alert_id: str) -> None:
        """Note that an alert has just arrived."""
        self.times[alert_id].append(time.monotonic_ns())
        self.count += 1

    def between(self, start: int, end: int) -> int:
        """Return how many arrivals there were from one instant until another."""
        return sum(start <= arrival < end for arrivals in self.times.values() for arrival in arrivals)

    async def settled(self, *, quiet: float, patience: float) -> None:
        """Return once nothing has arrived for ``quiet`` seconds, or after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        seen = -1
        while seen != self.count and time.monotonic() < deadline:
            seen = self.count
            await asyncio.sleep(quiet)

    def delays(self, answers: Iterable[Answer]) -> list[int]:
        """Return, ascending, the nanoseconds from each alert's 201 to each of its arrivals.

        An alert may arrive before its sender has read the answer; its delay is then counted as nothing.
        """
        return sorted(
            max(0, arrival - answer.at)
            for answer in answers
            if answer.success
            for arrival in self.times[orjson.loads(answer.body)["alert_id"]]
        )


class _Session(asyncio.Protocol):
    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._subject = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports register as no asyncio class, so this can't be an isinstance check.
        self._transport = transport  # type: ignore[assignment]  # a stream connection's transport can be written to

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"ce-subject":
            self._subject = value.decode()

    def on_message_complete(self) -> None:
        self._arrivals.note(self._subject)
        if self._transport is not None:
            self._transport.write(_NO_CONTENT)


@asynccontextmanager
async def listening(endpoints: Iterable[Endpoint]) -> AsyncIterator[Arrivals]:
    """Listen at every endpoint for as long as the block lasts."""
    arrivals = Arrivals()
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: _Session(arrivals), HOST, endpoint.port, ssl=_tls(endpoint))
        for endpoint in endpoints
    ]
    try:
        yield arrivals
    finally:
        for server in servers:
            server.close()


def _tls(endpoint: Endpoint) -> ssl.SSLContext | None:
    if endpoint.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(endpoint.certificate, endpoint.private_key)
    return context

"""One keep-alive HTTP/1.1 connection that posts requests made beforehand, one at a time, and times their answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

import httptools


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered request: when it fell due and when its answer was complete, monotonic nanoseconds."""

    due: int
    at: int
    status: int
    body: bytes

    @property
    def success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110 section 15.3


class Owner(Protocol):
    """Who is told what becomes of a connection."""

    def answered(self, connection: Connection, answer: Answer) -> None:
        """Take an answer; the connection may be posted to again at once."""

    def lost(self) -> None:
        """Hear that a connection ended while its answer was owing."""


class Connection(asyncio.Protocol):
    """A connection; httptools calls its ``on_…`` methods as it parses an answer."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._body = b""
        self._due: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports register as no asyncio class, so this can't be an isinstance check.
        self._transport = transport  # type: ignore[assignment]  # a stream connection's transport can be written to

    def post(self, request: bytes, *, due: int) -> None:
        """Send a whole request; ``due`` is when its latency began to count."""
        if self._transport is None or self._transport.is_closing():
            self._owner.lost()
            return
        self._due, self._body = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand what came to the parser."""
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Collect an answer's content."""
        self._body += part

    def on_message_complete(self) -> None:
        """Report an answer."""
        due, self._due = self._due, None
        if due is not None:
            status = self._parser.get_status_code()
            self._owner.answered(self, Answer(due=due, at=time.monotonic_ns(), status=status, body=self._body))

    def connection_lost(self, _error: Exception | None) -> None:
        """Report a connection that went away with its answer owing."""
        if self._due is not None:
            self._owner.lost()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


def request_bytes(submission: bytes, *, host: str) -> bytes:
    """Return the HTTP/1.1 request that submits a compact JWS."""
    head = (
        f"POST /v1/alerts HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose\r\n"
        f"Content-Length: {len(submission)}\r\n\r\n"
    )
    return head.encode() + submission

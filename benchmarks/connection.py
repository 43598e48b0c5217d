"""One keep-alive HTTP/1.1 connection that posts requests made beforehand, one at a time, and times their answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import httptools
import orjson


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
        return success(self.status)

    def statuses(self, *, batch: bool) -> Iterator[int]:
        """Yield the status of each submission that the request brought; of a ``batch`` its lines'."""
        if not batch or not self.success:
            yield self.status
            return
        for line in self.body.splitlines():
            yield orjson.loads(line)["status"]


def success(status: int) -> bool:
    """Return whether a status is 2xx (RFC 9110 section 15.3)."""
    return status // 100 == 2  # noqa: PLR2004 - the 2 of 2xx


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
        self._body: list[bytes] = []
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
        self._due, self._body = due, []
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand what came to the parser."""
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Collect an answer's content."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Report an answer."""
        due, self._due = self._due, None
        if due is not None:
            status = self._parser.get_status_code()
            body = b"".join(self._body)
            self._owner.answered(self, Answer(due=due, at=time.monotonic_ns(), status=status, body=body))

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
    return _request("/v1/alerts", "application/jose", submission, host=host)


def batch_bytes(submissions: Sequence[bytes], *, host: str) -> bytes:
    """Return the HTTP/1.1 request that submits several together."""
    return _request("/v1/alerts/batch", "application/jose-seq", b"\n".join(submissions), host=host)


def _request(path: str, media_type: str, body: bytes, *, host: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body

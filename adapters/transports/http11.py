"""One connection to a partner, over which requests are answered one at a time (HTTP/1.1, RFC 9112).

Of an answer only the status and Retry-After are of use, so the answer is known when its head is whole; what follows
is read a little further, so that the connection can serve again, or the connection is closed:

======================================================  =======================================
what the partner sends                                  what comes of it
======================================================  =======================================
a head, and content within ``CONTENT_LIMIT``            the answer; the connection serves again
more content, or content for over ``CONTENT_SECONDS``   the answer; the connection is closed
``Connection: close``, HTTP/1.0, bytes after the end    the answer; the connection is closed
an interim answer (1xx)                                 nothing: the answer is still to come
no head within ``HEAD_LIMIT``, or no HTTP/1             ``BrokenConnectionError``; closed
anything at all while no request is under way           closed (RFC 9112 section 9.2)
======================================================  =======================================

The grammar is llhttp's, in its strict mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httptools

HEAD_LIMIT: Final = 65_536
"""Bytes that the head of an answer may have, interim answers included."""
CONTENT_LIMIT: Final = 65_536
"""Bytes of content that are read for the sake of the connection."""
CONTENT_SECONDS: Final = 1.0

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_FIRST_STATUS: Final = 100
_FIRST_FINAL: Final = 200


class BrokenConnectionError(Exception):
    """The connection ended, or carried something else than HTTP/1, before there was an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner said: the status, and Retry-After where there was one and no more."""

    status: int
    retry_after: str | None


class Connection(asyncio.Protocol):
    """A connection; httptools calls its ``on_…`` methods as it parses.

    ``on_idle`` is called when it can serve again, and ``on_lost`` when it has ended.
    """

    def __init__(self, *, on_idle: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._retry_after: list[bytes] = []
        self._read = 0
        self._complete = False
        self._surplus = False
        self._keep_alive = False
        self._patience: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether a request could be sent now, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and return the answer to it.

        Raises ``BrokenConnectionError``. Whatever it raises, cancellation too, the connection is closed.
        """
        if self._transport is None or self._transport.is_closing():
            raise BrokenConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self._read, self._complete, self._surplus = 0, False, False
        self._transport.write(request)
        try:
            return await self._answer
        except BaseException:
            self.abort()
            raise

    def close(self) -> None:
        """End the connection as TLS has it."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports register as no asyncio class, so this can't be an isinstance check.
        self._transport = transport  # type: ignore[assignment]  # a stream connection's transport can be written to

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell whoever waits for an answer that none will come."""
        self._transport = None
        self._break()
        self._forget_patience()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer, and see what the connection is still good for."""
        if self._answer is None:
            self.abort()
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break()
            self.abort()
            return
        if self._complete:
            self._finish()
        elif self._read > (HEAD_LIMIT + CONTENT_LIMIT if self._answer.done() else HEAD_LIMIT):
            self._break()
            self.abort()
        elif self._answer.done() and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(CONTENT_SECONDS, self.abort)

    def on_message_begin(self) -> None:
        """Notice an answer to no request; and forget an interim answer's fields."""
        self._surplus = self._complete
        self._retry_after.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep Retry-After."""
        if name.lower() == b"retry-after":
            self._retry_after.append(value)

    def on_headers_complete(self) -> None:
        """Answer the request, unless this is an interim answer (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        if self._answer is None or self._answer.done() or _FIRST_STATUS <= status < _FIRST_FINAL:
            return
        if status < _FIRST_STATUS or self._parser.get_http_version() not in _VERSIONS:
            self._break()
            self.abort()
            return
        retry_after = self._retry_after[0].decode("latin-1") if len(self._retry_after) == 1 else None
        self._answer.set_result(Answer(status, retry_after))
        self._keep_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        """Note the end of the answer."""
        self._complete = self._answer is not None and self._answer.done()

    def _finish(self) -> None:
        self._forget_patience()
        self._answer = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        # What is still to be sent of a request was not waited for, and a second one must not queue behind it.
        if self._surplus or not self._keep_alive or transport.get_write_buffer_size():
            transport.close()
        else:
            self._on_idle(self)

    def _break(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BrokenConnectionError())

    def _forget_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

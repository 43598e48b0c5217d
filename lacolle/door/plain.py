"""HTTP/1.1 as far as anyone needs it here: one request at a time, each with an end to its head.

A connection is always in one stage of one request. What nobody here needs is not supported in part but refused whole,
for wherever a proxy and this server could read the same bytes differently, one client could speak in another's name:

======================================================  ===========================================================
asked                                                   answered
======================================================  ===========================================================
CONNECT, Upgrade (RFC 9110, 9.3.6 and 7.8)              400: the parser would take the body for what comes after it
HTTP/0.9, HTTP/2.0, RTSP                                400
no Host, or more than one (RFC 9112, 3.2)               400
a transfer coding other than chunked (RFC 9112, 6.1)    400
a head that is too long, or has too many fields         431 (RFC 6585, 5)
a request before the last one's answer (RFC 9112, 9.3)  nothing: that answer says ``connection: close``
======================================================  ===========================================================

Trailer fields are read and dropped: they must not become header fields (RFC 9110, 6.5.1).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Final

from httptools import HttpParserError
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from lacolle.door.places import Reason
from lacolle.door.refusals import Refusals

HEAD_LIMIT: Final = 64 * 1024
"""How much of a request may come without its header's end, or any of its body, in bytes; one read more is possible."""
FIELDS_LIMIT: Final = 100
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_FRAMING: Final = frozenset({b"expect", b"host", b"transfer-encoding"})


class Stage(IntEnum):
    """What a connection waits for."""

    HEAD = 0
    BODY = 1
    WORK = 2
    IDLE = 3


HEAD: Final = Stage.HEAD
BODY: Final = Stage.BODY
WORK: Final = Stage.WORK
IDLE: Final = Stage.IDLE
"""Names of their own, for each request passes them a dozen times: Python 3.11 looks a member up ten times slower."""


class NotTakenError(Exception):
    """The parser is to stop where it is; of what it was given, nothing more counts."""


class PlainHttp(HttpToolsProtocol):
    """HTTP/1.1 for requests that come one after the other."""

    stage: Stage = HEAD
    _kept = 0
    _hosts = 0
    _over = False

    def __init__(self, config: Config, server_state: ServerState, refusals: Refusals) -> None:
        """Belong to the running event loop; ``refusals`` are what it answers itself."""
        super().__init__(config, server_state, {}, _loop=asyncio.get_running_loop())
        self._refusals = refusals

    def enter(self, stage: Stage) -> None:
        """Begin a stage."""
        self.stage = stage

    def data_received(self, data: bytes) -> None:
        """Read on; the first byte after an answer begins the next request, whatever it is."""
        if self.transport.is_closing():
            return
        self._kept += len(data)
        if self._over:  # a little is read and dropped, for TCP's reset would cost the client the answer that is to come
            if self._kept > HEAD_LIMIT:
                self.flow.pause_reading()
            return
        if self.stage is IDLE:
            self.enter(HEAD)
        try:
            self.parser.feed_data(data)
        except HttpParserError:  # what a callback raised comes as one, too
            if not self._over:
                self.refuse(Reason.MALFORMED)
        else:
            if self._kept > HEAD_LIMIT:
                self.refuse(Reason.HEAD_TOO_LONG)

    def refuse(self, reason: Reason) -> None:
        """Take nothing more, say why where no answer is begun, and end the connection.

        Where a whole request is being worked on, its answer is what its client waits for: it comes, and ends it.
        """
        self._over = True
        if self.stage is WORK:
            self.cycle.keep_alive = False
            return
        begun = False
        if self.stage is BODY:
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not begun:
            self.transport.write(self._refusals.answer(reason, self.server_state.default_headers))
        self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request. Raises ``NotTakenError`` where the last one has no answer yet."""
        if self.stage is WORK:
            self.refuse(Reason.PIPELINED)
            raise NotTakenError
        if self.stage is not HEAD:
            self.enter(HEAD)
        self._hosts = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field. Raises ``NotTakenError`` for a coding that nobody here reads."""
        if self.stage is BODY:
            return
        name = name.lower()
        if name in _FRAMING:
            self._weigh(name, value.strip().lower())
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the request to the application. Raises ``NotTakenError`` where it is not one to take."""
        version = self.parser.get_http_version()
        if len(self.headers) > FIELDS_LIMIT:
            self.refuse(Reason.HEAD_TOO_LONG)
            raise NotTakenError
        if self.parser.should_upgrade() or version not in _VERSIONS or self._hosts > 1:
            raise NotTakenError
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110 section 10.1.1
        elif not self._hosts:
            raise NotTakenError
        super().on_headers_complete()
        self._kept = 0
        self.enter(BODY)

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: the application bounds bodies itself."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the answer, or for the next request where it was answered early."""
        self._kept = 0
        super().on_message_complete()
        self.enter(IDLE if self.cycle.response_complete else WORK)

    def on_response_complete(self) -> None:
        """Wait for the next request; none is waiting already, and the deadlines need no timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.stage is WORK:
            self.enter(IDLE)

    def _weigh(self, name: bytes, value: bytes) -> None:
        match name:
            case b"host":
                self._hosts += 1
            case b"expect":
                self.expect_100_continue = value == b"100-continue"
            case _:
                if value != b"chunked":
                    raise NotTakenError

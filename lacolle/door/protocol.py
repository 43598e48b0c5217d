"""One connection: HTTP/1.1 with absolute deadlines, and the client's certificate in the ASGI scope.

A connection is always in one stage, and each stage has an end that going on slowly does not move:

======  ==========================================  ===================================================
stage   from                                        until
======  ==========================================  ===================================================
HEAD    the connection, or a request's first byte   the end of its fields; then 408 (RFC 9110, 15.5.9)
BODY    the end of its fields                       the end of its body; then 408
WORK    the end of its body                         the answer; that time is the exchange's own
IDLE    the answer                                  the next request's first byte; then it is closed, or
                                                    before, where another needs the place
======  ==========================================  ===================================================

An answer must be taken within a time of its own, counted from when the client first held it up; one that is streamed,
each part of it that fills the buffer. Deadlines are held against the clock twice a second, by ``expire``: no timer is
set and cancelled for each request.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.http.certificates import EXTENSION
from gateway.settings.exchange import Deadlines
from lacolle.door.certificates import FORWARDED, forwarded_certificate
from lacolle.door.places import Place, Reason
from lacolle.door.plain import BODY, HEAD, IDLE, PlainHttp, Stage
from lacolle.door.refusals import Refusals

_NEVER: Final = math.inf


class Connection(PlainHttp):
    """One client's connection, at its place."""

    def __init__(
        self,
        *,
        config: Config,
        server_state: ServerState,
        deadlines: Deadlines,
        place: Place,
        refusals: Refusals,
        on_end: Callable[[Reason], None],
    ) -> None:
        super().__init__(config, server_state, refusals)
        self._deadlines = deadlines
        self._place = place
        place.give_way = self._give_way
        self._on_end = on_end
        self._lasts = (deadlines.head, deadlines.body, _NEVER, deadlines.idle)
        """By stage: how long it may last, in seconds."""
        self._due = _NEVER
        self._answer_due = _NEVER
        self._extensions: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request; what the handshake verified holds for all of them."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(binary_form=True)
        if der is not None and not self._place.proxy:
            self._extensions[EXTENSION] = {"der": der}
        self.enter(HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._place.leave()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Hand the request to the application, which never sees a ``Client-Cert`` field, nobody's.

        Raises ``NotTakenError`` and ``MalformedFieldError``, which the parser turns into a 400.
        """
        if self._extensions:
            self.scope["extensions"] = dict(self._extensions)
        if any(name in FORWARDED for name, _ in self.headers):
            self._take_forwarded()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; an answer that the client did not hold up is done with."""
        super().on_response_complete()
        if not self.flow.write_paused:
            self._answer_due = _NEVER

    def pause_writing(self) -> None:
        """Begin to wait for the client to take its answer."""
        super().pause_writing()
        self._answer_due = min(self._answer_due, self.loop.time() + self._deadlines.answer)

    def resume_writing(self) -> None:
        """Go on: what was written so far is as good as taken, and what is still to come of it has its own time."""
        super().resume_writing()
        self._answer_due = _NEVER

    def enter(self, stage: Stage) -> None:
        """Begin a stage, and its time."""
        super().enter(stage)
        self._due = self.loop.time() + self._lasts[stage]
        if stage is IDLE:
            self._place.rest()
        elif stage is HEAD:
            self._place.work()

    def refuse(self, reason: Reason) -> None:
        """Count it, and end the connection."""
        self._on_end(reason)
        super().refuse(reason)

    def hurry(self, until: float) -> None:
        """Take no other request; what the client still sends or takes of this one, it must by ``until``."""
        self.shutdown()
        if self.stage is BODY:
            self._due = min(self._due, until)
        if self.flow.write_paused or self.transport.is_closing():
            self._answer_due = min(self._answer_due, until)

    def expire(self) -> None:
        """End the connection where its stage, or its answer, is over time."""
        now = self.loop.time()
        if self.transport.is_closing():  # what is still to be sent must be taken, too
            self._answer_due = min(self._answer_due, now + self._deadlines.answer)
        if self._answer_due <= now:
            self._on_end(Reason.ANSWER)
            self.transport.abort()
        elif self._due <= now and not self.transport.is_closing():
            self._run_out(now)

    def _run_out(self, now: float) -> None:
        match self.stage:
            case Stage.BODY if self.flow.read_paused:  # it is the exchange that is behind
                self._due = now + self._deadlines.body
            case Stage.HEAD:
                self.refuse(Reason.HEAD)
            case Stage.BODY:
                self.refuse(Reason.BODY)
            case Stage.IDLE:
                self.transport.close()
            case Stage.WORK:
                self._due = _NEVER

    def _give_way(self) -> None:
        self._on_end(Reason.GAVE_WAY)
        self.transport.abort()  # an orderly end would take its time, and the place is another's already

    def _take_forwarded(self) -> None:
        if self._place.proxy:
            der = forwarded_certificate(self.headers)
            if der is not None:
                self.scope["extensions"] = {**self._extensions, EXTENSION: {"der": der}}
        self.headers[:] = [(name, value) for name, value in self.headers if name not in FORWARDED]

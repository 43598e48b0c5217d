"""``POST /add-checkpoint`` (C2SP tlog-witness) over HTTP.

======================================================  ==================================================
the request                                             the answer
======================================================  ==================================================
is larger than any needs to be                          413
is no such request, or its old size the larger one      400
is of a log that this witness does not know             404
is not signed by that log's key                         403
comes too often                                         429, ``Retry-After``
goes on from another size than was cosigned last        409, that size
has another root for the size that was cosigned last    409, that size
does not prove that the log has only grown              422
is sound                                                200, the cosignature, once it is on the disk
======================================================  ==================================================

Whoever asks is told the reason in their language. Nobody is identified but by the log's signature.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
from collections import defaultdict
from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from audit.errors import (
    AuditError,
    ForkedLogError,
    ProofError,
    StaleRequestError,
    UntrustedNoteError,
)
from audit.note import Verifier, open_note
from audit.witness import MOST_BYTES, SIZE_TYPE, AddCheckpoint
from gateway.clock import Clock
from gateway.errors import RateLimitedError
from gateway.intake.ratelimit import Rate, RateLimiter
from lacolle.door.server import http_server
from lacolle.witness.folder import WitnessFolder
from schemas.bilingual import Bilingual, preferred_language
from schemas.ids import ParticipantId

log = structlog.get_logger(__name__)


class Witness:
    """The application: one witness, with the logs that its folder knew when it was opened."""

    def __init__(self, folder: WitnessFolder, *, clock: Clock) -> None:
        """Read the memory of every log. Raises ``ConfigurationError``."""
        settings = folder.settings
        self._memory = folder.memory
        self._cosigner = folder.cosigner
        self._clock = clock
        self._logs: dict[str, Verifier] = {origin: each.verifier for origin, each in folder.memory.logs().items()}
        self._limiter = RateLimiter(Rate(settings.rate_per_second, settings.burst))
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def origins(self) -> list[str]:
        """The logs that it knows."""
        return sorted(self._logs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "http":
            await (await self._response(Request(scope, receive)))(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        match request.method, request.url.path:
            case "POST", "/add-checkpoint":
                return await self._add(request)
            case "GET" | "HEAD", "/healthz":
                return Response(b'{"status":"ok"}', media_type="application/json")
            case _, "/add-checkpoint" | "/healthz":
                return Response(status_code=405)
            case _:
                return Response(status_code=404)

    async def _add(self, request: Request) -> Response:
        try:
            return await self._cosigned(AddCheckpoint.parse(await _body(request)))
        except StaleRequestError as error:
            if isinstance(error, ForkedLogError):
                log.critical("log_forked", cosigned=error.size)
            # as a header: of a media type that is text, Starlette would add the charset
            return Response(f"{error.size}\n", status_code=409, headers={"Content-Type": SIZE_TYPE})
        except RateLimitedError as error:
            seconds = str(max(1, math.ceil(error.retry_after)))
            return _refusal(request, 429, _TOO_OFTEN, {"Retry-After": seconds})
        except _RefusedError as error:
            return _refusal(request, error.status, error.reason)
        except AuditError as error:
            return _refusal(request, _status(error), error.reason)

    async def _cosigned(self, wanted: AddCheckpoint) -> Response:
        verifier = self._logs.get(wanted.origin)
        if verifier is None:
            raise _RefusedError(404, _UNKNOWN)
        text = open_note(wanted.note, verifier)  # strangers are told so before they cost anything, or anyone's turn
        self._limiter.take(ParticipantId(wanted.origin), now=time.monotonic())
        async with self._turns[wanted.origin]:
            # a thread that writes is not stopped with its request: what it has admitted may be asked for again
            checkpoint = await asyncio.to_thread(self._memory.admit, wanted)
        line = self._cosigner.cosign(text, time=int(self._clock().timestamp()))
        log.info("cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return Response(line, media_type="text/plain; charset=utf-8")


class WitnessServer:
    """The witness on a socket that is bound already."""

    def __init__(
        self, folder: WitnessFolder, *, bound: socket.socket, tls: ssl.SSLContext | None, clock: Clock
    ) -> None:
        self._bound = bound
        self.witness = Witness(folder, clock=clock)
        self._server = http_server(self.witness, tls=tls, grace=folder.settings.grace, listen=folder.settings.listen)

    async def run(self) -> None:
        """Answer until ``stop``, then finish the requests in hand."""
        await self._server.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Take no new request. Idempotent."""
        self._server.should_exit = True


class _RefusedError(Exception):
    """The request is refused before anything of the protocol is decided."""

    def __init__(self, status: int, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.status = status
        self.reason = reason


async def _body(request: Request) -> bytes:
    """Return a request's body. Raises ``_RefusedError`` where it is too large, or its sender is gone."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise _RefusedError(413, _TOO_LARGE)
    except ClientDisconnect:
        raise _RefusedError(400, _GONE) from None
    return bytes(body)


def _status(error: AuditError) -> int:
    match error:
        case UntrustedNoteError():
            return 403
        case ProofError():
            return 422
        case _:  # the request, or the note in it, is malformed
            return 400


def _refusal(request: Request, status: int, reason: Bilingual, headers: dict[str, str] | None = None) -> Response:
    language = preferred_language(request.headers.get("accept-language"))
    return Response(
        f"{reason.in_language(language)}\n",
        status_code=status,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Language": language, **(headers or {})},
    )


_TOO_LARGE: Final = Bilingual(
    fr="La demande est plus longue qu'aucune ne doit l'être.",
    en="The request is longer than any needs to be.",
)
_GONE: Final = Bilingual(
    fr="La demande n'est pas arrivée en entier.",
    en="The request did not arrive whole.",
)
_TOO_OFTEN: Final = Bilingual(
    fr="Ce journal demande trop souvent : réessayez plus tard.",
    en="This log asks too often: try again later.",
)
_UNKNOWN: Final = Bilingual(
    fr="Ce témoin ne connaît pas ce journal.",
    en="This witness does not know this log.",
)

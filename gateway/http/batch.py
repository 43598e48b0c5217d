"""``POST /v1/alerts/batch``: many submissions in one request, and for each what it would have been answered alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.errors import BodyTooLargeError, GatewayError, MalformedSubmissionError
from gateway.http import problems
from gateway.http.bodies import read_body
from gateway.http.services import services
from gateway.http.traced import accept
from schemas.bilingual import Bilingual

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
log = structlog.get_logger(__name__)

JOSE_SEQUENCE: Final = "application/jose-seq"
NDJSON: Final = "application/x-ndjson"
MOST_LINES: Final = 1_000
_COME_AGAIN: Final = frozenset({429, 503})
_WHAT: Final = "One compact JWS a line, at most 1,000 lines; the last may end in a line feed"
_RESULT: Final = {
    "type": "object",
    "required": ["status", "body"],
    "properties": {
        "status": {"type": "integer", "description": "What the single call's status would have been"},
        "location": {"type": "string", "description": "Where the alert can be read, of a 200 or 201"},
        "retry_after": {"type": "integer", "description": "Seconds, of a 429 or 503"},
        "body": {"type": "object", "description": "What the single call's body would have been"},
    },
}


@dataclass(frozen=True, slots=True)
class _Result:
    """What one line is answered. ``body`` is JSON already, on one line."""

    status: int
    members: Mapping[str, str | int]
    body: bytes

    def line(self) -> bytes:
        """Return the result as NDJSON has it."""
        return orjson.dumps({"status": self.status, **self.members})[:-1] + b',"body":' + self.body + b"}\n"


@router.post(
    "/batch",
    summary="Submit many signed alerts",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": _WHAT,
            "content": {JOSE_SEQUENCE: {"schema": {"type": "string"}}},
        }
    },
    responses={200: {"description": "One result a line, in order", "content": {NDJSON: {"schema": _RESULT}}}},
)
async def batch(request: Request) -> Response:
    """Answer a result for each line. Lines that name each other are taken in their order; one never harms another."""
    use, request_id = services(request), problems.new_request_id()
    refused: Counter[str] = Counter()

    async def result(submission: bytes) -> _Result:
        try:
            _check_length(submission, use.body_limit)
            answer = await accept(use, request.scope, submission)
        except GatewayError as refusal:
            refused[refusal.name] += 1
            return _refusal(problems.unlogged_response(request, refusal, request_id=request_id))
        except Exception as error:  # noqa: BLE001 - one line's error is not its neighbours'
            return _refusal(problems.failure_response(request, error, request_id=request_id))
        return _Result(200 if answer.replayed else 201, {"location": f"/v1/alerts/{answer.alert_id}"}, answer.body)

    with use.bodies.share() as share:
        body = read_body(request.scope, request.receive, media_type=JOSE_SEQUENCE, limit=use.batch_limit, share=share)
        lines = _lines(await body)
        results = await use.batches.run(lines, result, holds_up=lambda found: found.status in _COME_AGAIN)
    if refused:  # in one line for all of them: a stranger's thousand would be as many lines from two kilobytes
        log.info("refused_in_batch", problems=dict(refused), lines=len(lines), request_id=request_id)
    return Response(
        b"".join(each.line() for each in results), media_type=NDJSON, headers={problems.REQUEST_ID: request_id}
    )


def _lines(body: bytes) -> list[bytes]:
    """Return a batch's lines. Raises ``MalformedSubmissionError`` where there are none or too many."""
    lines = body.removesuffix(b"\n").split(b"\n", MOST_LINES)
    if not body or len(lines) > MOST_LINES:
        raise MalformedSubmissionError(_NO_BATCH)
    return lines


def _check_length(submission: bytes, limit: int) -> None:
    if len(submission) > limit:
        raise BodyTooLargeError(limit)


def _refusal(answer: Response) -> _Result:
    later = answer.headers.get("retry-after")
    return _Result(answer.status_code, {} if later is None else {"retry_after": int(later)}, bytes(answer.body))


_NO_BATCH: Final = Bilingual(
    fr="un lot compte de 1 à 1000 lignes, chacune une soumission signée (JWS compacte ou SD-JWT)",
    en="a batch has 1 to 1,000 lines, each of them a signed submission (a compact JWS or an SD-JWT)",
)

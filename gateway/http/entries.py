"""``GET /v1/log/entries``: the log's entries for auditors, each with its salt and its proof."""

from __future__ import annotations

import base64
import unicodedata
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from gateway.asked import read_filters
from gateway.auditing import MOST, Answer, Shown
from gateway.errors import JustificationRequiredError
from gateway.http.answers import json_answer
from gateway.http.auth import bearer, reader_of
from gateway.http.queries import Index, canonical_number
from gateway.http.services import services
from gateway.tokens import Scope

router = APIRouter(tags=["log"])

USUAL: Final = 50
LONGEST_JUSTIFICATION: Final = 500
Filter = Annotated[str, Query(max_length=256)]
Limit = Annotated[int, Field(ge=1, le=MOST), canonical_number]
JUSTIFICATION: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Justification",
            "in": "header",
            "required": True,
            "description": "Why this is asked, in UTF-8; it becomes part of the log, and those who are shown read it",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_JUSTIFICATION},
        }
    ]
}


@router.get("/v1/log/entries", summary="Entries of the log, for auditors", openapi_extra=JUSTIFICATION)
async def entries(  # noqa: PLR0917 - a query's parameters have names
    request: Request,
    kind: Filter = "",
    jurisdiction: Filter = "",
    participant: Filter = "",
    agreement: Filter = "",
    clause: Filter = "",
    alert_id: Filter = "",
    alert_type: Annotated[str, Query(alias="type", max_length=256)] = "",
    text: Filter = "",
    since: Annotated[str, Query(alias="from", max_length=40, description="RFC 3339, inclusive")] = "",
    until: Annotated[str, Query(max_length=40, description="RFC 3339, exclusive")] = "",
    after: Annotated[Index | None, Query(description="The index of the last entry of the page before")] = None,
    limit: Annotated[Limit, Query()] = USUAL,
) -> Response:
    """Answer the entries that have all that is asked for, oldest first; the question itself becomes an entry."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.LOG_READ))
    justification = justification_of(request)
    given = {
        "kind": kind,
        "jurisdiction": jurisdiction,
        "participant": participant,
        "agreement": agreement,
        "clause": clause,
        "alert_id": alert_id,
        "type": alert_type,
        "text": text,
        "from": since,
        "until": until,
    }
    asked = read_filters(given, after=-1 if after is None else after)
    answer = await use.auditing.answer(reader, asked, limit=limit, justification=justification)
    return json_answer(_document(answer))


def justification_of(request: Request) -> str:
    """Return why this is asked. Raises ``JustificationRequiredError`` for nothing, too much, or what can't be read."""
    given = [value for name, value in request.scope["headers"] if name == b"justification"]
    try:
        (said,) = given
        text = unicodedata.normalize("NFC", said.decode("utf-8")).strip()
    except ValueError:
        raise JustificationRequiredError(LONGEST_JUSTIFICATION) from None
    if not 0 < len(text) <= LONGEST_JUSTIFICATION or not text.isprintable():
        raise JustificationRequiredError(LONGEST_JUSTIFICATION)
    return text


def _document(answer: Answer) -> dict[str, Any]:
    return {
        "checkpoint": answer.checkpoint.note,
        "size": answer.checkpoint.size,
        "entries": [_entry(each) for each in answer.shown],
        "next": answer.following,
        "log_index": answer.log_index,
    }


def _entry(shown: Shown) -> dict[str, Any]:
    entry = shown.entry
    return {
        "index": entry.index,
        "salt": entry.salt.hex(),
        "commitment": entry.commitment.hex(),
        "entry": orjson.loads(entry.canonical),
        "proof": [base64.b64encode(each).decode("ascii") for each in shown.proof],
    }

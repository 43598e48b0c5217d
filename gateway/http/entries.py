"""``GET /v1/log/entries``: the log's entries for auditors, each with its salt, what it withholds, and its proof."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from gateway.errors import NotFoundError
from gateway.http.answers import json_answer
from gateway.http.asking import JUSTIFICATION, Filters, justification_of
from gateway.http.auth import bearer, reader_of
from gateway.http.queries import Index, canonical_number
from gateway.http.services import services
from gateway.inquiry.asked import read_filters
from gateway.inquiry.auditing import MOST, Answer, Shown
from gateway.inquiry.questions import QUESTIONS
from gateway.intake.tokens import Scope

router = APIRouter(tags=["log"])

USUAL: Final = 50
Limit = Annotated[int, Field(ge=1, le=MOST), canonical_number]


@router.get("/v1/log/entries", summary="Entries of the log, for auditors", openapi_extra=JUSTIFICATION)
async def entries(
    request: Request,
    filters: Filters,
    after: Annotated[Index | None, Query(description="The index of the last entry of the page before")] = None,
    limit: Annotated[Limit, Query()] = USUAL,
) -> Response:
    """Answer the entries that have all that is asked for, oldest first; the question itself becomes an entry."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.LOG_READ))
    justification = justification_of(request)
    asked = read_filters(filters, after=-1 if after is None else after)
    answer = await use.auditing.answer(reader, asked, limit=limit, justification=justification)
    return json_answer(_document(answer))


@router.get("/v1/log/questions", summary="The ready-made questions to the log")
async def questions() -> Response:
    """Answer their names, what they ask, and the filters that each needs and takes."""
    told = [
        {
            "question": name,
            "caption": {"fr": each.caption.fr, "en": each.caption.en},
            "needs": sorted(each.needs),
            "takes": sorted(each.takes),
        }
        for name, each in QUESTIONS.items()
    ]
    return json_answer({"questions": told})


@router.get("/v1/log/questions/{question}", summary="A ready-made question, for auditors", openapi_extra=JUSTIFICATION)
async def answer(
    request: Request,
    question: str,
    filters: Filters,
    after: Annotated[Index | None, Query(description="The index of the last entry of the page before")] = None,
    limit: Annotated[Limit, Query()] = USUAL,
) -> Response:
    """Answer the entries that answer a question, as ``/v1/log/entries`` does; that it was asked becomes an entry."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.LOG_READ))
    justification = justification_of(request)
    known = QUESTIONS.get(question)
    if known is None:
        raise NotFoundError
    asked = known.read(filters, after=-1 if after is None else after)
    found = await use.auditing.answer(reader, asked, limit=limit, justification=justification, question=question)
    return json_answer(_document(found))


def _document(answer: Answer) -> dict[str, Any]:
    return {
        "checkpoint": answer.checkpoint.published,
        "size": answer.checkpoint.size,
        "entries": [_entry(each) for each in answer.shown],
        "next": answer.following,
        "log_index": answer.log_index,
    }


def _entry(shown: Shown) -> dict[str, Any]:
    read, entry = shown.read, shown.read.entry
    return {
        "index": entry.index,
        "salt": entry.salt.hex(),
        "commitment": entry.commitment.hex(),
        "entry": read.whole,
        "withheld": read.state.value,
        "disclosures": read.disclosures,
        "proof": [base64.b64encode(each).decode("ascii") for each in shown.proof],
    }

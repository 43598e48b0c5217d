"""``/v1/consents``: what one is asked to consent to before an alert is released, and the answers."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.errors import NotFoundError
from gateway.http.alerts import JOSE
from gateway.http.answers import json_answer
from gateway.http.auth import bearer, reader_of
from gateway.http.bodies import read_body
from gateway.http.certificates import shown_certificate
from gateway.http.services import services
from gateway.intake.tokens import Scope
from gateway.store.questions import read_question, read_questions
from schemas.ids import ConsentId

router = APIRouter(prefix="/v1/consents", tags=["consents"])

LIMIT: Final = 16 * 1024
_ANSWER: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A compact JWS of typ consent+jws",
        "content": {JOSE: {"schema": {"type": "string"}}},
    }
}


@router.get("", summary="What one is asked to consent to, whatever ends first coming first")
async def listing(
    request: Request,
    every: Annotated[bool, Query(alias="all", description="also what can't be answered any more")] = False,  # noqa: FBT002 - a parameter of a query has a name
) -> Response:
    """Answer the questions asked of the bearer, and, where it audits, of its jurisdiction."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    open_at_ms = None if every else int(use.clock().timestamp() * 1000)
    async with use.store.reading() as connection:
        questions = await read_questions(connection, use.contents, reader, open_at_ms=open_at_ms)
    return json_answer({"consents": list(questions)})


@router.get("/{consent_id}", summary="One question of consent")
async def one(request: Request, consent_id: str) -> Response:
    """Answer it to whoever is asked, and to the sender of the alert that waits; 404 for everybody else."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    async with use.store.reading() as connection:
        question = await read_question(connection, use.contents, reader, consent_id)
    if question is None:
        raise NotFoundError
    return json_answer(question)


@router.post("/{consent_id}", status_code=201, summary="Give or refuse consent", openapi_extra=_ANSWER)
async def answer(request: Request, consent_id: str) -> Response:
    """Answer 201 when the answer is in the log; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=LIMIT)
    consent, answered = await services(request).consents.answer(
        ConsentId(consent_id), compact, certificate=shown_certificate(request.scope)
    )
    document = {"consent_id": consent_id, "decision": consent.decision.value, "log_index": answered.log_index}
    return json_answer(document, status=200 if answered.replayed else 201)

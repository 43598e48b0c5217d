"""``/v1/alerts``: submit, preview, read back, acknowledge."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from starlette.types import Receive
from starlette.types import Scope as AsgiScope

from agreements.explain import explain
from gateway.errors import InvalidQueryError, MalformedSubmissionError, NotFoundError
from gateway.http.answers import JSON, json_answer
from gateway.http.auth import bearer, reader_of
from gateway.http.bodies import Share, read_body, read_either
from gateway.http.certificates import shown_certificate
from gateway.http.services import Services, services
from gateway.http.traced import accept
from gateway.intake.accept import Considered
from gateway.intake.tokens import Scope
from gateway.store.reading import read_alert, read_alert_by_name
from gateway.store.terms import terms_document
from schemas.bilingual import Bilingual
from schemas.decisions import Decision, Permit
from schemas.ids import AlertId, ParticipantId
from schemas.submission import Form, form_of
from schemas.timestamps import utc_text

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

JOSE: Final = "application/jose"
FORMS: Final = tuple(form.value for form in Form)
ACKNOWLEDGEMENT_LIMIT: Final = 16 * 1024
NAME_LIMIT: Final = 256
_SUBMISSION: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A signed alert in the native form (see /v1/schemas): a compact JWS, or an SD-JWT (RFC 9901)",
        "content": {form: {"schema": {"type": "string"}} for form in FORMS},
    }
}


@router.post("", status_code=201, summary="Submit a signed alert", openapi_extra=_SUBMISSION)
async def submit(request: Request) -> Response:
    """Answer 201 with a signed receipt once the alert is durable; 200 with the first answer for a repetition."""
    status, headers, body = await submission_answer(services(request), request.scope, request.receive)
    answer = Response(body, status_code=status)
    answer.raw_headers = headers
    return answer


async def submission_answer(
    use: Services, scope: AsgiScope, receive: Receive
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the status, the headers (ASGI's) and the body that answer a submission. Raises ``GatewayError``."""
    with use.bodies.share() as share:
        answer = await accept(use, scope, await _submission(use, scope, receive, share))
    headers = [
        (b"location", b"/v1/alerts/" + answer.alert_id.encode("ascii")),
        (b"content-length", str(len(answer.body)).encode("ascii")),
        (b"content-type", JSON.encode("ascii")),
    ]
    return 200 if answer.replayed else 201, headers, answer.body


@router.post("/preview", summary="Ask what a submission would lead to", openapi_extra=_SUBMISSION)
async def preview(request: Request) -> Response:
    """Answer every decision with its reason. Nothing is stored or sent; the log records that a preview was asked."""
    use = services(request)
    with use.bodies.share() as share:
        submission = await _submission(use, request.scope, request.receive, share)
        considered = await use.intake.preview(submission, certificate=shown_certificate(request.scope))
    return json_answer(_preview_document(considered))


@router.get("", summary="Read an alert back by its sender and identifier")
async def by_name(
    request: Request,
    sender: Annotated[str, Query(max_length=NAME_LIMIT)] = "",
    identifier: Annotated[str, Query(max_length=NAME_LIMIT)] = "",
) -> Response:
    """Answer what the bearer may see of the alert."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    if not sender or not identifier:
        raise InvalidQueryError(
            Bilingual(
                fr="les paramètres sender et identifier sont tous deux nécessaires",
                en="both sender and identifier are needed",
            )
        )
    async with use.store.reading() as connection:
        found = await read_alert_by_name(
            connection, use.contents, reader, sender=ParticipantId(sender), identifier=identifier
        )
    return _found(found)


@router.get("/{alert_id}", summary="Read an alert back by its id")
async def by_id(request: Request, alert_id: str) -> Response:
    """Answer what the bearer may see of the alert."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    async with use.store.reading() as connection:
        found = await read_alert(connection, use.contents, reader, alert_id=AlertId(alert_id))
    return _found(found)


@router.post(
    "/{alert_id}/acknowledgements",
    status_code=201,
    summary="Acknowledge a delivery",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A compact JWS of typ acknowledgement+jws by the recipient",
            "content": {JOSE: {"schema": {"type": "string"}}},
        }
    },
)
async def acknowledge(request: Request, alert_id: str) -> Response:
    """Answer 201 when the recipient's own word is in the log; 200 for a repetition. The signature is the credential."""
    use = services(request)
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=ACKNOWLEDGEMENT_LIMIT)
    word, recorded = await use.acknowledgements.record(
        AlertId(alert_id), compact, certificate=shown_certificate(request.scope)
    )
    return json_answer(
        {
            "alert_id": word.alert_id,
            "delivery_id": word.delivery_id,
            "status": str(word.status),
            "log_index": recorded.log_index,
        },
        status=200 if recorded.replayed else 201,
    )


async def _submission(use: Services, scope: AsgiScope, receive: Receive, share: Share) -> bytes:
    """Return a submission, whose media type must be that of its form."""
    media_type, submission = await read_either(scope, receive, media_types=FORMS, limit=use.body_limit, share=share)
    if media_type != form_of(submission):
        raise MalformedSubmissionError(_ANOTHER_FORM)
    return submission


def _found(document: dict[str, Any] | None) -> Response:
    if document is None:
        raise NotFoundError
    return json_answer(document)


def _preview_document(considered: Considered) -> dict[str, Any]:
    document: dict[str, Any] = {
        "sender": considered.alert.sender,
        "identifier": considered.alert.identifier,
        "thread": None if considered.thread is None else considered.thread.first,
        "deadline": utc_text(considered.deadline),
        "decisions": [_decision_document(decision) for decision in considered.decisions],
    }
    if considered.warnings:
        document["warnings"] = list(considered.warnings)
    return document


def _decision_document(decision: Decision) -> dict[str, Any]:
    reason = explain(decision.reason)
    words = {"fr": reason.fr, "en": reason.en}
    if isinstance(decision, Permit):
        return {
            "participant": decision.recipient,
            "decision": "permit",
            "under": str(decision.under),
            "lane": decision.lane,
            **terms_document(decision.terms),
            "reason": words,
        }
    return {
        "participant": decision.recipient,
        "decision": "deny",
        "reason": words,
        "considered": [
            {"clause": str(clause), "reason": {"fr": explain(why).fr, "en": explain(why).en}}
            for clause, why in decision.considered
        ],
    }


_ANOTHER_FORM: Final = Bilingual(
    fr="le type de média annonce une autre forme que celle du corps : application/jose pour une JWS compacte, "
    "application/alert+sd-jwt pour un SD-JWT",
    en="the media type is another form's than the body's: application/jose for a compact JWS, "
    "application/alert+sd-jwt for an SD-JWT",
)

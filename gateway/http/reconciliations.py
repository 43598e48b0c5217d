"""``/v1/reconciliations``: what was handed over in a period, by the exchange's books and by the partner's."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from gateway.books.reconciling import Stated
from gateway.errors import InvalidQueryError, NotFoundError
from gateway.http.alerts import JOSE
from gateway.http.answers import json_answer
from gateway.http.auth import bearer
from gateway.http.bodies import read_body
from gateway.http.certificates import shown_certificate
from gateway.http.services import services
from gateway.intake.tokens import Scope
from schemas.bilingual import Bilingual
from schemas.decisions import Lane
from schemas.ids import AGREEMENT_PATTERN, AgreementId
from schemas.reconciliation import EVERYTHING, LINE_BYTES, MOST_LINES, GroupName, Period, day_of

router = APIRouter(prefix="/v1/reconciliations", tags=["reconciliations"])

LIMIT: Final = 64 * 1024
LINES: Final = "text/plain"
_STATEMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A compact JWS of typ reconciliation-statement+jws",
        "content": {JOSE: {"schema": {"type": "string"}}},
    }
}
_LINES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The lines of the group, a delivery id and a digest each, which the statement has the digest of",
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@router.get("", summary="What the exchange handed to the bearer in a period")
async def period(
    request: Request,
    begins: Annotated[str, Query(alias="from", description="RFC 3339, UTC: the first instant inside")],
    until: Annotated[str, Query(description="RFC 3339, UTC: the first instant after")],
) -> Response:
    """Answer the exchange's signed statement of a period that is over, of at most 31 days."""
    participant = bearer(request, Scope.ALERTS_READ).participant
    try:
        wanted = Period.model_validate({"from": begins, "until": until})
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        raise InvalidQueryError(_NO_PERIOD, str(place[0]) if place else None) from None
    return _answer(await services(request).reconciliations.state(participant, wanted))


@router.get("/{day}", summary="What the exchange handed to the bearer on a day")
async def of_day(request: Request, day: str) -> Response:
    """Answer the exchange's signed statement of a day that is over, UTC."""
    participant = bearer(request, Scope.ALERTS_READ).participant
    try:
        if not _DAY.fullmatch(day):
            raise InvalidQueryError(_NO_DAY)
        wanted = day_of(date.fromisoformat(day))
    except (ValueError, OverflowError):
        raise InvalidQueryError(_NO_DAY) from None
    return _answer(await services(request).reconciliations.state(participant, wanted))


@router.post(
    "", status_code=201, summary="State what one has received, and learn what differs", openapi_extra=_STATEMENT
)
async def compare(request: Request) -> Response:
    """Answer 201 when the comparison is in the log; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=LIMIT)
    compared = await services(request).reconciliations.compare(compact, certificate=shown_certificate(request.scope))
    return json_answer(compared.answer, status=200 if compared.replayed else 201)


@router.post("/{reconciliation_id}/lines", summary="Learn which deliveries of a group differ", openapi_extra=_LINES)
async def lines(
    request: Request,
    reconciliation_id: str,
    agreement: Annotated[str | None, Query(pattern=AGREEMENT_PATTERN, description="The group's agreement")] = None,
    lane: Annotated[Lane | None, Query(description="The group's lane; without both, the group of everything")] = None,
) -> Response:
    """Answer each delivery that one side alone has, or that was not the same bytes, once they are in the log."""
    use = services(request)
    participant = bearer(request, Scope.ALERTS_READ).participant
    if not _DIGEST.fullmatch(reconciliation_id):
        raise NotFoundError
    name = _group(agreement, lane)
    with use.bodies.share() as share:
        body = await read_body(
            request.scope, request.receive, media_type=LINES, limit=MOST_LINES * LINE_BYTES, share=share
        )
        found = await use.reconciliations.name_differences(participant, bytes.fromhex(reconciliation_id), name, body)
    return json_answer(found)


def _group(agreement: str | None, lane: Lane | None) -> GroupName:
    if agreement is None and lane is None:
        return EVERYTHING
    if agreement is None or lane is None:
        raise InvalidQueryError(_HALF_A_GROUP)
    return AgreementId(agreement), lane


def _answer(stated: Stated) -> Response:
    document = {**stated.statement.model_dump(mode="json"), "statement": stated.signed}
    return json_answer(document, headers={"Cache-Control": "no-store"})


_NO_DAY: Final = Bilingual(fr="le jour s'écrit comme 2026-11-21", en="a day is written like 2026-11-21")
_NO_PERIOD: Final = Bilingual(
    fr="from et until sont deux instants en UTC, dans cet ordre et à 31 jours d'intervalle au plus",
    en="from and until are two instants in UTC, in this order and at most 31 days apart",
)
_HALF_A_GROUP: Final = Bilingual(
    fr="un groupe se nomme par son entente et sa voie (agreement, lane), l'une avec l'autre",
    en="a group is named by its agreement and its lane, the one with the other",
)

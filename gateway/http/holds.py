"""``/v1/holds`` and ``/v1/erasures``: what authorities state of an alert's content."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.http.alerts import JOSE
from gateway.http.answers import json_answer
from gateway.http.auth import bearer, reader_of
from gateway.http.bodies import read_body
from gateway.http.services import services
from gateway.intake.tokens import Scope
from gateway.store.held import read_holds

router = APIRouter(prefix="/v1", tags=["holds"])

LIMIT: Final = 16 * 1024


def _signed(typ: str) -> dict[str, Any]:
    content = {JOSE: {"schema": {"type": "string"}}}
    return {"requestBody": {"required": True, "description": f"A compact JWS of typ {typ}", "content": content}}


@router.get("/holds", summary="The legal holds that one may know of, the latest first")
async def listing(
    request: Request,
    every: Annotated[bool, Query(alias="all", description="also those that were released")] = False,  # noqa: FBT002 - a parameter of a query has a name
) -> Response:
    """Answer the holds of what the bearer sent, and, where it audits, those that concern its jurisdiction."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    async with use.store.reading() as connection:
        holds = await read_holds(connection, use.contents, reader, every=every)
    return json_answer({"holds": list(holds)})


@router.post(
    "/holds", status_code=201, summary="Put an alert's content on hold", openapi_extra=_signed("legal-hold+jws")
)
async def place(request: Request) -> Response:
    """Answer 201 when the hold is in the log; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=LIMIT)
    hold, stated = await services(request).holds.place(compact)
    return json_answer({"hold": hold, "log_index": stated.log_index}, status=200 if stated.replayed else 201)


@router.post(
    "/holds/{hold}/release", status_code=201, summary="Release a hold", openapi_extra=_signed("legal-hold+jws")
)
async def release(request: Request, hold: str) -> Response:
    """Answer 201 when the release is in the log; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=LIMIT)
    stated = await services(request).holds.release(hold, compact)
    return json_answer({"hold": hold, "log_index": stated.log_index}, status=200 if stated.replayed else 201)


@router.post(
    "/erasures", status_code=201, summary="Erase an alert's content now", openapi_extra=_signed("erasure-order+jws")
)
async def erase(request: Request) -> Response:
    """Answer 201 when the content is erased; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=LIMIT)
    stated = await services(request).holds.erase(compact)
    return json_answer({"log_index": stated.log_index}, status=200 if stated.replayed else 201)

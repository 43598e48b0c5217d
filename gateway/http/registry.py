"""The registry as participants see it, the schemas of alerts, and the door for authority statements."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.errors import NotFoundError
from gateway.http.alerts import JOSE
from gateway.http.answers import json_answer
from gateway.http.auth import bearer
from gateway.http.bodies import read_body
from gateway.http.services import services
from gateway.intake.tokens import Scope
from schemas.alerts.catalogue import alert_types, json_schema
from schemas.ids import AlertType, ParticipantId
from schemas.registry import Registry
from schemas.timestamps import utc_text

router = APIRouter(prefix="/v1", tags=["registry"])

STATEMENT_LIMIT = 64 * 1024


@router.get("/schemas", summary="The types of alerts")
async def types() -> Response:
    """Answer every type with the address of its schema."""
    return json_answer({"types": [{"type": each, "schema": f"/v1/schemas/{each}"} for each in alert_types()]})


@router.get("/schemas/{alert_type:path}", summary="The JSON Schema of one type")
async def schema(alert_type: str) -> Response:
    """Answer the JSON Schema (2020-12) of an alert of this type, header and body."""
    if alert_type not in alert_types():
        raise NotFoundError
    return Response(orjson.dumps(json_schema(AlertType(alert_type))), media_type="application/schema+json")


@router.get("/jurisdictions", summary="The jurisdictions of the exchange")
async def jurisdictions(request: Request) -> Response:
    """Answer every jurisdiction with its pinned authority keys."""
    bearer(request, Scope.ALERTS_READ)
    pinned = services(request).registry.jurisdictions
    return json_answer({"jurisdictions": [pinned[code].model_dump(mode="json") for code in sorted(pinned)]})


@router.get("/participants", summary="The participants of the exchange")
async def participants(request: Request) -> Response:
    """Answer every participant as its jurisdiction's authority stated it."""
    bearer(request, Scope.ALERTS_READ)
    registry = services(request).registry.registry
    return json_answer({"participants": [_participant(registry, each) for each in sorted(registry.participants)]})


def _participant(registry: Registry, participant: ParticipantId) -> dict[str, Any]:
    """Return a participant's statement, when it was signed, and the keys of replaced ones while they counted.

    What those signed then is the participant's, whatever the statement says; of a key among them the statement speaks
    from its signature on.
    """
    current = registry.participants[participant]
    superseded = [
        {"jwk": dict(held.key.jwk), "from": utc_text(held.first), "until": utc_text(held.end)}
        for held in registry.superseded_of(participant)
    ]
    return {
        **current.statement.model_dump(mode="json"),
        "issued_at": utc_text(current.issued_at),
        "superseded_keys": superseded,
    }


@router.post(
    "/statements",
    status_code=201,
    summary="Register a participant or revoke a key, by its authority's signed statement",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A compact JWS of typ authority-statement+jws",
            "content": {JOSE: {"schema": {"type": "string"}}},
        }
    },
)
async def statements(request: Request) -> Response:
    """Answer 201 when the statement is in the log and counts; 200 for a repetition. The signature is the credential."""
    compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=STATEMENT_LIMIT)
    statement, recorded = await services(request).enrolment.record(compact)
    return json_answer(
        {"participant": statement.statement.participant, "log_index": recorded.log_index},
        status=200 if recorded.replayed else 201,
    )

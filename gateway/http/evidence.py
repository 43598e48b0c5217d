"""``GET /v1/alerts/{alert_id}/evidence``: one file with everything to verify an alert's history offline."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.http.asking import JUSTIFICATION, justification_of
from gateway.http.auth import bearer, reader_of
from gateway.http.services import services
from gateway.intake.tokens import Scope
from schemas.ids import AlertId

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

ZIP: Final = "application/zip"
_EVIDENCE: Final[dict[str, Any]] = {
    **JUSTIFICATION,
    "responses": {
        "200": {
            "description": "The evidence bundle (docs/evidence.md)",
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}


@router.get(
    "/{alert_id}/evidence",
    summary="Everything to verify an alert's history offline, in one file",
    response_class=Response,
    openapi_extra=_EVIDENCE,
)
async def evidence(request: Request, alert_id: str) -> Response:
    """Answer the bundle, as far as the bearer may see; that it was drawn, and why, becomes an entry of the log."""
    reader = reader_of(bearer(request, Scope.ALERTS_READ))
    justification = justification_of(request)
    data = await services(request).evidences.draw(reader, AlertId(alert_id), justification=justification)
    name = f"lacolle-evidence-{alert_id}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type=ZIP, headers=headers)

"""For the operator: alive, ready, metrics; and the exchange's public keys."""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from gateway.http.services import services

router = APIRouter(tags=["operation"])

_SPARED: Final = frozenset({"bus", "adapters"})
"""What alerts are accepted without: they wait in the database."""


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Response:
    """Answer 200 while the process answers at all."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get(
    "/readyz",
    summary="Can the exchange accept alerts?",
    responses={503: {"description": "It can't, and says which parts are broken", "content": {"application/json": {}}}},
)
async def readyz(request: Request) -> Response:
    """Answer 200 where every part works, or where all but bus and adapters do (``degraded``); 503 else.

    The adapters do not work where some have not reported for over a minute on what is on the bus for them.
    """
    parts = services(request).health.report()
    broken = [name for name, works in parts.items() if not works]
    status = "ready" if not broken else "degraded" if _SPARED.issuperset(broken) else "unavailable"
    return Response(
        orjson.dumps({"status": status, "broken": broken, "parts": parts}),
        status_code=503 if status == "unavailable" else 200,
        media_type="application/json",
    )


@router.get("/metrics", summary="Metrics in Prometheus' text format")
async def metrics(request: Request) -> Response:
    """Answer every metric of the process."""
    return Response(generate_latest(services(request).metrics), media_type=CONTENT_TYPE_LATEST)


@router.get("/.well-known/jwks.json", summary="The exchange's public keys")
async def jwks(request: Request) -> Response:
    """Answer the keys of receipts, access tokens and signed HTTP requests (RFC 7517 section 5)."""
    keys = [dict(key.jwk) | {"use": "sig"} for key in services(request).public_keys]
    return Response(orjson.dumps({"keys": keys}), media_type="application/jwk-set+json")

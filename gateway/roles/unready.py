"""What a process answers before its exchange is open: alive, not ready, and everything else later.

Nothing was stored, so whoever asks may come again with the same bytes: 503 ``log-unavailable``, as when the database
goes away later.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.responses import Response

from gateway.errors import LogUnavailableError
from gateway.http import problems
from gateway.http.health import alive_answer, readiness_answer
from gateway.watching.health import Condition, Finding, Health

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def database_away() -> Health:
    """Return the health of a process whose database has not been there yet."""

    async def away() -> Finding:
        return Finding(Condition.FAILING, "unreachable")

    return Health((("database", away, Condition.FAILING),))


def unready_application(health: Health, *, problem_base: str) -> FastAPI:
    """Return the application of such a process; ``problem_base`` is what every problem's ``type`` begins with."""
    api = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    api.state.problem_base = problem_base
    problems.install(api)

    async def healthz() -> Response:
        return alive_answer()

    async def readyz() -> Response:
        return readiness_answer(await health.report(), bare=True)

    async def later() -> Response:
        raise LogUnavailableError

    api.add_api_route("/healthz", healthz, methods=["GET", "HEAD"])
    api.add_api_route("/readyz", readyz, methods=["GET", "HEAD"])
    api.add_api_route("/{path:path}", later, methods=_METHODS)
    return api

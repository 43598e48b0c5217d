"""The ASGI application: routes, problems, nothing else. It is built in ``main``, from services that exist already."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Route

from gateway.http import agreements, alerts, auth, health, log, problems, registry
from gateway.http.services import Services

VERSION = "1"


def create_app(services: Services, *, problem_base: str) -> FastAPI:
    """Return the application over ``services``; ``problem_base`` is what every problem's ``type`` begins with."""
    app = FastAPI(
        title="Lacolle",
        version=VERSION,
        summary="An exchange of signed alerts between jurisdictions",
        docs_url=None,  # its page loads scripts from another party's servers
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.services = services
    app.state.problem_base = problem_base
    problems.install(app)
    # Submitting uses nothing of FastAPI's handling of parameters, which costs as much as a signature: the same function
    # is met here first, as a plain route; the router's own route documents it.
    app.router.routes.append(Route("/v1/alerts", alerts.submit, methods=["POST"]))
    for each in (alerts, auth, registry, agreements, log, health):
        app.include_router(each.router)
    return app

"""The ASGI application: routes, problems, nothing else. It is built in ``main``, from services that exist already."""

from __future__ import annotations

from fastapi import FastAPI

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
    )
    app.state.services = services
    app.state.problem_base = problem_base
    problems.install(app)
    for each in (alerts, auth, registry, agreements, log, health):
        app.include_router(each.router)
    return app

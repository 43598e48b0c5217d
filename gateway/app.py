"""The ASGI application: routes, problems, nothing else. It is built in ``main``, from services that exist already.

Submissions take a way of their own, in front of FastAPI: they use nothing of its handling of parameters, responses
and errors. The route that documents them is FastAPI's and calls the same code.
"""

from __future__ import annotations

import asyncio
from functools import cache

from fastapi import FastAPI, Request
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.http import (
    agreements,
    alerts,
    auth,
    batch,
    consents,
    documents,
    entries,
    evidence,
    exports,
    health,
    holds,
    log,
    problems,
    reconciliations,
    registry,
    simulation,
)
from gateway.http.contract import openapi_document
from gateway.http.services import Services

VERSION = "1"
SUBMISSIONS = "/v1/alerts"


class Application:
    """The whole application: submissions, and FastAPI for everything else."""

    def __init__(self, services: Services, *, problem_base: str) -> None:
        """Build it over ``services``; ``problem_base`` is what every problem's ``type`` begins with."""
        self.services = services
        self.api = _create_api(services, problem_base=problem_base)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "http" and scope["path"] == SUBMISSIONS and scope["method"] == "POST":
            await self._submit(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "HEAD":
            head = _Head(receive, send)
            await self.api({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await self.api(scope, receive, send)

    async def _submit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, headers, body = await alerts.submission_answer(self.services, scope, receive)
        except GatewayError as refusal:
            await problems.problem_response(self._request(scope), refusal)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last place where an error can still be answered
            await problems.failure_response(self._request(scope), error)(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def _request(self, scope: Scope) -> Request:
        return Request({**scope, "app": self.api})


class _Head:
    """Sends an answer to GET as the one to HEAD: its fields, and no content (RFC 9110 section 9.3.2).

    Whoever streams its content is told that its reader has left: nobody takes what would follow.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._told = asyncio.Event()

    async def receive(self) -> Message:
        """Return what the client sends, until it has its answer."""
        told = asyncio.create_task(self._told.wait())
        received: asyncio.Task[Message] = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((told, received), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if told.done() else received.result()
        finally:
            told.cancel()
            received.cancel()

    async def send(self, message: Message) -> None:
        """Send the fields, and that there is nothing more."""
        if message["type"] != "http.response.body":
            await self._send(message)
        elif not self._told.is_set():
            self._told.set()
            await self._send({**message, "body": b"", "more_body": False})


def _create_api(services: Services, *, problem_base: str) -> FastAPI:
    api = FastAPI(
        title="Lacolle",
        version=VERSION,
        summary="An exchange of signed alerts between jurisdictions",
        docs_url=None,  # its page loads scripts from another party's servers; ours is in documents
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    api.state.services = services
    api.state.problem_base = problem_base
    problems.install(api)
    for each in (
        alerts,
        evidence,
        batch,
        consents,
        holds,
        auth,
        registry,
        agreements,
        simulation,
        log,
        entries,
        exports,
        reconciliations,
        health,
        documents,
    ):
        api.include_router(each.router)
    api.openapi = cache(lambda: openapi_document(api))  # type: ignore[method-assign]  # as FastAPI would have it
    return api

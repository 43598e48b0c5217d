"""The operator's own listener: health in full, and metrics, on an address that nobody else reaches."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.health import alive_answer, metrics_answer, readiness_answer
from gateway.roles.unready import database_away, unready_application
from gateway.settings.engines import OPERATION_PORTS
from gateway.settings.exchange import Settings
from gateway.watching.health import Health
from gateway.watching.metrics import new_registry
from lacolle.door.server import Door, http_server
from lacolle.door.sockets import bind
from lacolle.processes.lineup import Part


class Operation:
    """``/healthz``, ``/readyz`` and ``/metrics`` of one process, over plain HTTP on a socket that is bound already."""

    def __init__(self, bound: socket.socket, *, health: Health, metrics: CollectorRegistry) -> None:
        self._bound = bound
        self._health = health
        self._metrics = metrics
        self._server = http_server(self._answer, tls=None, grace=1.0)

    async def run(self) -> None:
        """Answer until ``stop``."""
        await self._server.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Take no new request. Idempotent."""
        self._server.should_exit = True

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._response(Request(scope)))(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        match request.url.path:
            case "/healthz":
                return alive_answer()
            case "/readyz":
                return readiness_answer(await self._health.report(), bare=False)
            case "/metrics":
                return metrics_answer(self._metrics, await self._health.report())
            case _:
                return Response(status_code=404)


def unready_parts(
    settings: Settings, *, operator: socket.socket | None, door: tuple[socket.socket, ssl.SSLContext | None] | None
) -> list[Part]:
    """Return what answers on a role's sockets while its database is away: it is alive, and not ready.

    Each has a twin of the socket, for whoever answers closes it.
    """
    health = database_away()
    parts: list[Part] = []
    if door is not None:
        bound, tls = door
        app = unready_application(health, problem_base=settings.problem_base)
        parts.append(Door(app, bound=bound.dup(), tls=tls, settings=settings))
    if operator is not None:
        parts.append(Operation(operator.dup(), health=health, metrics=new_registry()))
    return parts


@contextmanager
def bound_operation(
    settings: Settings, *, role: str, port: int | None = None, offset: int = 0
) -> Iterator[socket.socket | None]:
    """Yield the socket of a role's listener, or None where it has none; close it when the block ends.

    ``port`` is the command's own word over ``operation.port``; ``offset`` is a worker's number, for each worker counts
    for itself. Raises ``ConfigurationError``.
    """
    chosen = port or settings.operation.port or OPERATION_PORTS.get(role)
    if chosen is None:
        yield None
        return
    with closing(bind(settings.operation.host, chosen + offset, setting="operation.port, --operation-port")) as bound:
        yield bound

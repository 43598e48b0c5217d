"""``lacolle gateway``: one process, or several behind one socket."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from typing import Final

import structlog
import uvloop

from gateway.clock import system_clock
from gateway.errors import StoreError
from gateway.roles.apart import Gateway, Means, open_gateway
from lacolle.contents import contents_of
from lacolle.door.server import BACKLOG, Door
from lacolle.door.sockets import Address, bind, server_tls
from lacolle.errors import LacolleError
from lacolle.folder import SETTINGS, ExchangeFolder
from lacolle.processes.awaiting import StoppedMeanwhileError, opened_once_reachable
from lacolle.processes.lineup import MARGIN, Lineup, Part, run_until_told, spare_collections
from lacolle.processes.machinery import bus_look, open_shared_database, require_shared_database
from lacolle.processes.operation import Operation, bound_operation, unready_parts
from lacolle.processes.telemetry import open_tracing
from lacolle.processes.workers import REFUSED, Workers

log = structlog.get_logger(__name__)

AFTERWARDS: Final = 2.0
"""Seconds that workers have beyond their own grace before the parent kills them."""


def serve_gateway(
    folder: ExchangeFolder,
    *,
    workers: int,
    insecure_http: bool,
    operation_port: int | None,
    complain: Callable[[Exception], None],
) -> int:
    """Run the gateway role until SIGINT or SIGTERM and return the exit status.

    ``complain`` says what keeps a worker from starting. Raises ``ConfigurationError``; one process also what
    ``run_gateway`` does.
    """
    settings = folder.settings
    require_shared_database(settings)
    tls = server_tls(folder, insecure_http=insecure_http)
    with closing(bind(settings.listen.host, settings.listen.port, setting=f"listen.port, {SETTINGS}")) as bound:
        log.info("listening", address=str(Address.of(bound, tls=tls is not None)), workers=workers)
        if workers == 1:
            uvloop.run(run_gateway(folder, bound, tls=tls, operation_port=operation_port))
            return 0
        if operation_port is None and settings.operation.port is None:
            log.warning("no_metrics", reason="several workers need operation.port")
        bound.listen(BACKLOG)

        def work(number: int, orphaned: int) -> None:
            try:
                uvloop.run(
                    run_gateway(
                        folder,
                        bound,
                        tls=tls,
                        operation_port=operation_port,
                        worker=number,
                        alone=False,
                        orphaned=orphaned,
                    )
                )
            except (LacolleError, StoreError) as error:
                complain(error)
                raise SystemExit(REFUSED) from None

        return Workers(workers, work, grace=settings.operation.grace + MARGIN + AFTERWARDS).run()


async def run_gateway(
    folder: ExchangeFolder,
    bound: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    operation_port: int | None = None,
    worker: int = 0,
    alone: bool = True,
    orphaned: int | None = None,
) -> None:
    """Answer on a socket until told to stop, or until the pipe ``orphaned`` is closed at its other end.

    ``worker`` is this process's number among those that share the socket; where it is not ``alone``, metrics are on the
    operator's listener or nowhere. A database that is away is waited for. Raises ``ConfigurationError`` and
    ``StoreError``.
    """
    settings, grace = folder.settings, folder.settings.operation.grace
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="gateway"))
        operator = stack.enter_context(bound_operation(settings, role="gateway", port=operation_port, offset=worker))
        contents = contents_of(settings, folder.path)

        async def open_() -> Gateway:
            store, leadership = open_shared_database(folder)
            means = Means(
                store=store,
                contents=contents,
                leadership=leadership,
                bus=bus_look(settings, folder.path),
                clock=system_clock,
                randomness=os.urandom,
                tracing=tracing,
                operator=operator is not None or not alone,
            )
            return await open_gateway(settings, keys=folder.keys, founding=folder.founding, means=means)

        def answering() -> list[Part]:
            return unready_parts(settings, operator=operator, door=(bound, tls))

        try:
            gateway = await opened_once_reachable(open_, listeners=answering, grace=grace, orphaned=orphaned)
        except StoppedMeanwhileError:
            log.info("stopped", role="gateway", worker=worker)
            return
        stack.push_async_callback(gateway.close)
        parts: list[Part] = [Door(gateway.front.app, bound=bound, tls=tls, settings=settings), gateway]
        if operator is not None:
            parts.append(Operation(operator, health=gateway.front.health, metrics=gateway.front.metrics))
        spare_collections()
        log.info("serving", role="gateway", worker=worker, origin=settings.origin)
        await run_until_told(Lineup(parts), grace=grace, orphaned=orphaned)
    log.info("stopped", role="gateway", worker=worker)

"""``lacolle gateway``: one process, or several behind one socket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog
import uvloop

from gateway.errors import LogUnavailableError, StoreError, StoreUnavailableError
from lacolle.errors import LacolleError
from lacolle.folder import SETTINGS, ExchangeFolder
from lacolle.lineup import MARGIN
from lacolle.listening import Address, bind, server_tls
from lacolle.machinery import require_shared_database
from lacolle.processes import run_gateway
from lacolle.serving import BACKLOG
from lacolle.workers import REFUSED, Workers

log = structlog.get_logger(__name__)

AFTERWARDS: Final = 2.0
"""Seconds that workers have beyond their own grace before the parent kills them."""
AWAY: Final = 75
"""The exit status (EX_TEMPFAIL) of a worker that found the database away: it is replaced, and no other is stopped."""


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
            except StoreUnavailableError as error:
                complain(error)
                raise SystemExit(AWAY) from None
            except LogUnavailableError:  # it went away while the registry was read
                log.warning("database_away", worker=number)
                raise SystemExit(AWAY) from None
            except (LacolleError, StoreError) as error:
                complain(error)
                raise SystemExit(REFUSED) from None

        return Workers(workers, work, grace=settings.operation.grace + MARGIN + AFTERWARDS).run()

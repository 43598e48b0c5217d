"""uvicorn as a part of a larger program: sockets, signals and certificates are its owner's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn

BACKLOG: Final = 1024


class Server(uvicorn.Server):
    """A server that leaves signals to its owner; ``should_exit`` ends it gracefully."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def http_server(app: Any, *, tls: ssl.SSLContext | None, grace: float) -> Server:  # noqa: ANN401 - any ASGI application
    """Return a server for ``app``, over TLS where there is a context; ``grace`` is the seconds a stop may take."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="httptools",
        proxy_headers=False,  # nobody in front of us is trusted to say who calls
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(grace),
    )
    config.load()
    config.ssl = tls
    return Server(config)


def tls_context(chain: Path, key: Path) -> ssl.SSLContext:
    """Return a server's TLS context, version 1.2 or newer. Raises ``OSError``, of which ``ssl.SSLError`` is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context

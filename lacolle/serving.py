"""uvicorn as a part of a larger program: sockets, signals and certificates are its owner's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

BACKLOG: Final = 1024

HEAD_LIMIT: Final = 64 * 1024
"""How much of a request may come without its header's end, or any of its body, in bytes; one read more is possible."""


class BoundedHead(HttpToolsProtocol):
    """HTTP/1.1 for requests whose address, header fields and trailer fields have an end.

    The parser keeps what it has read of them for as long as more of them comes, and has no limit of its own. Beyond
    ``HEAD_LIMIT`` the answer is 431 (RFC 6585 section 5) and the connection ends.
    """

    _kept = 0
    _asked = False

    def data_received(self, data: bytes) -> None:
        """Read on, and end what has become too long."""
        self._kept += len(data)
        super().data_received(data)
        if self._kept > HEAD_LIMIT and not self.transport.is_closing():
            if not self._asked or self.cycle.response_complete:
                self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin to count anew: the application has the header."""
        self._kept, self._asked = 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: the application bounds bodies itself."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to count anew: the next request is another."""
        self._kept = 0
        super().on_message_complete()


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
        http=BoundedHead,
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

"""uvicorn as a part of a larger program: sockets, signals and certificates are its owner's, and so is the door."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from gateway.settings.exchange import PROBLEM_BASE, Listen, Settings
from lacolle.door.listener import Listener
from lacolle.door.places import Place, Places, Reason
from lacolle.door.protocol import Connection
from lacolle.door.refusals import Refusals

log = structlog.get_logger(__name__)

BACKLOG: Final = 1024
_TICKS_A_LOOK: Final = 5
"""uvicorn ticks ten times a second; connections are held against their deadlines at every so many."""
_TICKS_A_WORD: Final = 100
_LOOK_SECONDS: Final = 0.5
_OF_THE_GRACE: Final = 0.5
"""How much of a stop's time clients may take to send what they began to send, and to take their answers."""


class Server(uvicorn.Server):
    """A server behind the front door. It leaves signals to its owner; ``should_exit`` ends it gracefully.

    ``ended`` counts the connections that were not taken, or ended by the server, by reason.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        tls: ssl.SSLContext | None,
        listen: Listen,
        grace: float,
        refusals: Refusals,
    ) -> None:
        super().__init__(config)
        self.ended: Counter[Reason] = Counter()
        self._tls = tls
        self._listen = listen
        self._refusals = refusals
        self._hurry = grace * _OF_THE_GRACE
        self._places = Places(
            total=listen.connections.total,
            per_address=listen.connections.per_address,
            trusted_proxies=listen.trusted_proxies,
            shared=listen.connections.shared_addresses,
        )
        self._failure: BaseException | None = None
        self._told: Counter[Reason] = Counter()

    @property
    def connections(self) -> int:
        """How many connections there are, those in their handshake too."""
        return self._places.taken

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop. Raises what made accepting end before."""
        await super().serve(sockets)
        if self._failure is not None:
            raise self._failure

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept on the owner's sockets."""
        self.servers = [self._listener(bound) for bound in sockets or ()]  # type: ignore[misc]  # it asks of them no more than they do
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """End what is over time, now and then, and say so, now and then."""
        if counter % _TICKS_A_LOOK == 0:
            self._look()
        if counter % _TICKS_A_WORD == 0:
            self._tell()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests in hand. Who drags on sending one, or taking its answer, is ended before the grace is."""
        hurrying = asyncio.create_task(self._hurry_them())
        try:
            await super().shutdown(sockets)
        finally:
            hurrying.cancel()
            self._tell()

    async def _hurry_them(self) -> None:
        until = asyncio.get_running_loop().time() + self._hurry
        while True:
            for connection in self._connections():
                connection.hurry(until)
            self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    def _listener(self, bound: socket.socket) -> Listener:
        return Listener(
            bound,
            protocol=self._connection,
            places=self._places,
            tls=self._tls,
            deadlines=self._listen.deadlines,
            backlog=BACKLOG,
            refusals=self._refusals,
            on_end=self._count,
            on_failure=self._fail,
        )

    def _connection(self, place: Place) -> Connection:
        return Connection(
            config=self.config,
            server_state=self.server_state,
            deadlines=self._listen.deadlines,
            place=place,
            refusals=self._refusals,
            on_end=self._count,
        )

    def _look(self) -> None:
        for connection in self._connections():
            connection.expire()

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]

    def _fail(self, error: BaseException) -> None:
        """Stop: a server that accepts nobody is of no use, and whoever started it must hear of it."""
        log.error("accepting_failed", error=type(error).__name__)
        self._failure = error
        self.should_exit = True

    def _count(self, reason: Reason) -> None:
        self.ended[reason] += 1

    def _tell(self) -> None:
        new = self.ended - self._told
        if new:
            log.warning("connections_ended", **{str(reason): number for reason, number in new.items()})
        self._told = self.ended.copy()


def http_server(
    app: Any,  # noqa: ANN401 - any ASGI application
    *,
    tls: ssl.SSLContext | None,
    grace: float,
    listen: Listen = Listen(),  # noqa: B008 - frozen: one value for all
    problem_base: str = PROBLEM_BASE,
) -> Server:
    """Return a server for ``app``, over TLS where there is a context; ``grace`` is the seconds a stop may take.

    Of ``listen`` it takes deadlines, connections and trusted proxies. ``problem_base`` is what the ``type`` of each of
    its own refusals begins with.
    """
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=Connection,
        proxy_headers=False,  # nobody in front of us is trusted to say who calls
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace,  # type: ignore[arg-type]  # a number of asyncio's, which need not be whole
    )
    config.load()
    return Server(config, tls=tls, listen=listen, grace=grace, refusals=Refusals(problem_base))


def tls_context(chain: Path, key: Path, *, client_ca: Path | None = None, required: bool = False) -> ssl.SSLContext:
    """Return a server's TLS context, version 1.2 or newer; with ``client_ca`` 1.3 alone.

    With ``client_ca`` (PEM) a client's certificate is verified against it where one comes, on every connection anew;
    ``required`` takes no connection without one. Raises ``OSError``, of which ``ssl.SSLError`` is one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        context.minimum_version = ssl.TLSVersion.TLSv1_3  # 1.2 resumes by session id, too, and has no switch for it
        context.num_tickets = 0
    return context


class Door:
    """The HTTP server of a process, on a socket that is bound already."""

    def __init__(self, app: Any, *, bound: socket.socket, tls: ssl.SSLContext | None, settings: Settings) -> None:  # noqa: ANN401 - any ASGI application
        self._bound = bound
        self._server = http_server(
            app,
            tls=tls,
            grace=settings.operation.grace,
            listen=settings.listen,
            problem_base=settings.problem_base,
        )

    async def run(self) -> None:
        """Answer until ``stop``, then finish the requests in hand."""
        await self._server.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Take no new request. Idempotent."""
        self._server.should_exit = True

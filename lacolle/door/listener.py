"""Accepting connections: each gets its place before its TLS handshake, or is turned away.

asyncio's own servers hide a connection until its handshake is done; a client that never finishes one would be counted
nowhere. So connections are accepted here, one by one, and only then handed to the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from gateway.settings.exchange import Deadlines
from lacolle.door.places import NoPlaceError, Place, Places, Reason
from lacolle.door.refusals import Refusals

log = structlog.get_logger(__name__)

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OF_ONE_CONNECTION: Final = frozenset(
    number
    for number, name in errno.errorcode.items()
    if name
    in {
        "ECONNABORTED",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ENONET",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "EPERM",
        "EPROTO",
    }
)
"""What Linux reports of a connection that is gone before it was accepted, or that a firewall forbids (accept(2))."""
_REST_SECONDS: Final = 0.5
_FAREWELL_SECONDS: Final = 1.0
"""How long a client may take to answer the end of TLS; nothing depends on its answer (RFC 8446 section 6.1)."""


class Listener:
    """Accepts on one listening socket until closed; ``protocol`` makes the protocol of a connection at its place."""

    def __init__(
        self,
        bound: socket.socket,
        *,
        protocol: Callable[[Place], asyncio.Protocol],
        places: Places,
        tls: ssl.SSLContext | None,
        deadlines: Deadlines,
        backlog: int,
        refusals: Refusals,
        on_end: Callable[[Reason], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Listen and begin to accept; there must be a running event loop.

        ``on_failure`` is told what made accepting end before ``close``.
        """
        self._bound = bound
        self._protocol = protocol
        self._places = places
        self._tls = tls
        self._deadlines = deadlines
        self._refusals = refusals
        self._on_end = on_end
        self._on_failure = on_failure
        self._greeting: set[asyncio.Task[None]] = set()
        bound.settimeout(0)
        bound.listen(backlog)
        self._accepting = asyncio.create_task(self._accept(), name="accepting")
        self._accepting.add_done_callback(self._ended)

    def close(self) -> None:
        """Accept no more, and let go of those whose handshake is not done. Idempotent."""
        for task in (self._accepting, *self._greeting):
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when nothing of it runs any more."""
        await asyncio.gather(self._accepting, *self._greeting, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._bound)
            except OSError as error:
                if error.errno in _OF_ONE_CONNECTION:
                    continue
                if error.errno not in _EXHAUSTED:
                    raise
                log.warning("cannot_accept", error=errno.errorcode[error.errno or 0])
                await asyncio.sleep(_REST_SECONDS)  # as long as there are no descriptors, the backlog waits
                continue
            try:
                place = self._places.take(address[0])
            except NoPlaceError as none:
                self._turn_away(connection, none.reason)
                continue
            greeting = asyncio.create_task(self._greet(connection, place))
            self._greeting.add(greeting)
            greeting.add_done_callback(self._greeting.discard)

    def _ended(self, accepting: asyncio.Task[None]) -> None:
        error = None if accepting.cancelled() else accepting.exception()
        if error is not None:
            self._on_failure(error)

    async def _greet(self, connection: socket.socket, place: Place) -> None:
        """Hand a connection to the loop, after its TLS handshake where there is TLS."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._protocol(place),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self._deadlines.handshake,
                ssl_shutdown_timeout=None if self._tls is None else _FAREWELL_SECONDS,
            )
        except OSError:  # of which ssl.SSLError, TimeoutError and ConnectionError are some
            place.leave()
            self._on_end(Reason.HANDSHAKE)
        except BaseException:
            place.leave()
            raise

    def _turn_away(self, connection: socket.socket, reason: Reason) -> None:
        """Close a connection, with a word why where it is not one that only a handshake could make readable."""
        self._on_end(reason)
        with connection:
            connection.settimeout(0)
            if self._tls is None:
                try:
                    connection.send(self._refusals.answer(reason))
                except OSError:
                    return  # it is closed either way

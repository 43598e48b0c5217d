"""Accepting: a full house makes room for who has a request, and a listener that can't go on says so."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.settings.exchange import Connections, Deadlines, Listen
from lacolle.certificates import LocalAuthority
from lacolle.door.places import Reason
from lacolle.door.server import tls_context
from tests.patience import GIVES_UP_AFTER
from tests.unit.lacolle.door.standing import client_side, standing

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FULL = Listen(
    deadlines=Deadlines(head=60.0, body=60.0, idle=60.0, answer=60.0), connections=Connections(total=3, per_address=9)
)


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
async def test_idle_connections_hold_no_place_for_good(authority: LocalAuthority, *, over_tls: bool) -> None:
    """Who keeps all connections, and asks now and then, keeps nobody out; a request in hand is not given up for it."""
    own = authority.issue("server")
    server, client = (tls_context(own.chain, own.key), client_side(authority, None)) if over_tls else (None, None)
    async with standing(FULL, tls=server) as there:
        held = [await there.connect(client) for _ in range(3)]
        for reader, writer in held:
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
        there.app.takes = 1.0
        held[0][1].write(GET)
        while len(there.app.scopes) < len(held) + 1:  # noqa: ASYNC110 - nothing tells when it is in hand
            await asyncio.sleep(0.01)
        reader, writer = await there.connect(client)
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert (await held[0][0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await held[1][0].read() == b""
        assert (there.server.ended, there.server.connections) == ({Reason.GAVE_WAY: 1}, 3)
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_a_listener_that_cannot_go_on() -> None:
    """A server that can accept nobody any more ends by itself, and raises why."""
    with pytest.raises(OSError, match="Invalid argument"):
        await _with_its_socket_gone()


async def _with_its_socket_gone() -> None:
    async with standing(FULL) as there:
        _, writer = await there.connect()
        while not there.server.connections:  # noqa: ASYNC110 - nothing tells when it begins to accept
            await asyncio.sleep(0.01)
        writer.close()
        there.bound.shutdown(socket.SHUT_RDWR)
        ended, _ = await asyncio.wait({there.serving}, timeout=GIVES_UP_AFTER)
        assert ended

"""A stop: what is in hand is answered, and no client that drags on has all of the time for itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.settings.exchange import Deadlines, Listen
from lacolle.door.places import Reason
from tests.unit.lacolle.door.standing import MEBIBYTE, Standing, standing

PATIENT = Listen(deadlines=Deadlines(head=60.0, body=60.0, idle=60.0, answer=60.0))
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


@asynccontextmanager
async def told_to_stop(there: Standing, beginning: bytes, drop: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """Yield a connection that was begun on before the stop, and goes on slowly."""
    reader, writer = await there.connect()
    writer.write(beginning)
    whole = beginning.count(b"\r\n\r\n")
    while len(there.app.scopes) < whole or not (whole or there.server.connections):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    there.server.should_exit = True
    dripping = asyncio.create_task(_drip(writer, drop))
    try:
        yield reader
    finally:
        dripping.cancel()
        writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(0.5)  # seldom: what comes after the end resets the connection, and the answer is lost
            writer.write(drop)
            await writer.drain()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


@pytest.mark.parametrize("beginning", [b"", GET[:20], GET + GET[:20]], ids=["silent", "in a head", "in a second head"])
async def test_no_request_begun(beginning: bytes) -> None:
    """Who has no request in hand is let go at once, also half-way through a head."""
    async with standing(PATIENT, grace=60.0) as there, asyncio.timeout(20.0):  # long before a half of the grace
        there.app.takes = 0.0
        async with told_to_stop(there, beginning, b"a") as reader:
            assert (await _rest(reader)).count(b"HTTP/1.1 ") == beginning.count(GET)


async def test_a_body_that_drags_on() -> None:
    """A body that drags on is ended before the grace is, with 408, and its request is not cancelled."""
    async with standing(PATIENT, grace=2.0) as there:
        async with told_to_stop(there, POST, b"a") as reader:
            rest = await _rest(reader)
        assert not rest or rest.startswith(b"HTTP/1.1 408 ")  # nothing, where what was still sent crossed the answer
        assert there.app.gone == 1
        assert there.server.ended == {Reason.BODY: 1}


async def test_an_answer_that_is_not_taken() -> None:
    """A client that does not take its answer is ended before the grace is."""
    async with standing(PATIENT, grace=2.0) as there:
        async with told_to_stop(there, f"GET /{64 * MEBIBYTE} HTTP/1.1\r\nHost: x\r\n\r\n".encode()):
            async with asyncio.timeout(20.0):  # long before an answer's own time
                while there.server.connections:  # noqa: ASYNC110 - nothing tells when it has let go
                    await asyncio.sleep(0.05)
        assert there.server.ended == {Reason.ANSWER: 1}


async def test_less_than_a_second() -> None:
    """A grace of less than a second is one: the request in hand is answered."""
    async with standing(PATIENT, grace=0.9) as there:
        there.app.takes = 0.6
        async with told_to_stop(there, GET) as reader:
            assert (await _rest(reader)).startswith(b"HTTP/1.1 200 ")

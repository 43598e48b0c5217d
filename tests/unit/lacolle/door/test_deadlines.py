"""Deadlines: each stage of a request has an end that going on slowly does not move."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.settings.exchange import Deadlines, Listen
from lacolle.door.places import Reason
from tests.unit.lacolle.door.standing import MEBIBYTE, Standing, standing

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
ENDED_WITHIN = 9.0
"""Seconds: long before any deadline that stands where nobody sets one."""


async def _ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server ends the connection, which it must soon."""
    async with asyncio.timeout(ENDED_WITHIN):
        try:
            return await reader.read()
        except ConnectionError:  # what a client still sends crosses the answer, and TCP then drops that
            return b""


async def _drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)


async def _slowly(there: Standing, beginning: bytes, drop: bytes) -> bytes:
    reader, writer = await there.connect()
    writer.write(beginning)
    dripping = asyncio.create_task(_drip(writer, drop))
    try:
        return await _ended(reader)
    finally:
        dripping.cancel()
        writer.close()


async def test_a_slow_head() -> None:
    """A head that goes on slowly is ended; the application never hears of it."""
    async with standing() as there:
        await _slowly(there, b"GET / HTTP/1.1\r\nA: ", b"a")
        assert there.app.scopes == []
        assert there.server.ended == {Reason.HEAD: 1}


async def test_a_slow_body() -> None:
    """A body that goes on slowly is ended; the application learns that its client is gone."""
    async with standing() as there:
        await _slowly(there, POST, b"a")
        assert there.server.ended == {Reason.BODY: 1}
        assert there.app.gone == 1


async def test_told_that_it_was_too_slow() -> None:
    """A client that stops in its head or its body is answered 408."""
    async with standing() as there:
        for beginning in (GET[:-2], POST):
            assert (await _slowly(there, beginning, b"")).startswith(b"HTTP/1.1 408 ")


async def test_between_requests() -> None:
    """After an answer a connection may be idle for a while; empty lines do not prolong it."""
    async with standing() as there:
        assert (await _slowly(there, GET, b"")).count(b"HTTP/1.1 200 ") == 1
        assert not there.server.ended
        await _slowly(there, GET, b"\r\n")
        assert there.server.ended == {Reason.HEAD: 1}


async def test_the_next_request_has_all_its_time() -> None:
    """A connection lasts as long as its requests come in time, however many."""
    async with standing(Listen(deadlines=Deadlines(head=1.5, idle=1.5))) as there:
        reader, writer = await there.connect()
        for _ in range(8):
            await asyncio.sleep(0.25)
            writer.write(GET)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_an_answer_not_taken() -> None:
    """A client that does not read its answer is ended, and what it did not read is dropped."""
    async with standing() as there:
        _, writer = await there.connect()
        writer.write(f"GET /{32 * MEBIBYTE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(ENDED_WITHIN):
            while there.server.connections or not there.app.scopes:  # noqa: ASYNC110 - nothing tells when it has let go
                await asyncio.sleep(0.05)
        assert there.server.ended == {Reason.ANSWER: 1}
        writer.transport.abort()


async def test_an_answer_taken_in_time() -> None:
    """A large answer that is read at once comes whole, whatever the client did before."""
    async with standing(Listen(deadlines=Deadlines(answer=ENDED_WITHIN))) as there:
        reader, writer = await there.connect()
        writer.write(f"GET /{32 * MEBIBYTE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(32 * MEBIBYTE)) == 32 * MEBIBYTE
        writer.close()


async def test_the_exchange_takes_its_own_time() -> None:
    """While the application works no deadline runs: its client waits for it, not it for its client."""
    async with standing() as there:
        there.app.takes = 1.3
        reader, writer = await there.connect()
        for _ in range(2):
            writer.write(GET)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_silence() -> None:
    """Who connects and says nothing has as long as for a head."""
    async with standing(Listen(deadlines=Deadlines(head=0.5))) as there:
        reader, writer = await there.connect()
        assert (await _ended(reader)).startswith(b"HTTP/1.1 408 ")
        writer.close()

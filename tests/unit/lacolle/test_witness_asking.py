"""Asking a witness that may be anybody's: how much of its answer is taken in."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.log.witness_calls import WitnessTroubleError
from lacolle.witness.asking import asking

PACKED = gzip.compress(bytes(12_000))


@asynccontextmanager
async def witness(body: bytes, *fields: str) -> AsyncIterator[str]:
    """Yield the address of a server that answers one thing to everybody."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "\r\n".join(("HTTP/1.1 200 OK", "Connection: close", f"Content-Length: {len(body)}", *fields))
        writer.write(f"{head}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_is_packed_is_never_unpacked() -> None:
    """A few kilobytes that would become gigabytes stay a few kilobytes."""
    async with witness(PACKED, "Content-Encoding: gzip") as url, asking(None) as ask:
        assert (await ask(url, b"old 0\n")).body == PACKED


async def test_a_long_answer_is_not_read_to_its_end() -> None:
    """An answer that is longer than any cosignature is trouble."""
    async with witness(bytes(100_000)) as url, asking(None) as ask:
        with pytest.raises(WitnessTroubleError, match="a long answer"):
            await ask(url, b"old 0\n")

"""A TCP proxy between a client and a server of a test: it can be slow, cut connections, or fall silent.

Silent is what a half-open connection looks like from here: the bytes are taken, and nothing ever comes back; new
connections are accepted and treated alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65_536


class Proxy:
    """Passes on what comes to one port of loopback to another, as it is told."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._refusing = False
        self.serving: set[asyncio.Task[None]] = set()
        """What handles each connection."""
        self.delay = 0.0
        """Seconds that every piece of data is held, each way."""
        self.connections = 0
        """How many there were."""

    def cut(self) -> None:
        """Cut every connection without a word, as a firewall that restarts does. New ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Cut every connection, and every new one at once, until ``mend``."""
        self._refusing = True
        self.cut()

    def silence(self) -> None:
        """Take everything and pass on nothing until ``mend``."""
        self._speaking.clear()

    def mend(self) -> None:
        """Pass everything on again. What was taken while silent is lost with its connections."""
        if not self._speaking.is_set():
            self.cut()
        self._speaking.set()
        self._refusing = False
        self.delay = 0.0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a new connection."""
        task = asyncio.create_task(self._serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there_writer))
                both.create_task(self._pass(there_reader, writer))
        finally:
            for each in (writer, there_writer):
                each.transport.abort()
                self._writers.discard(each)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                await self._speaking.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def proxying(*, port: int, target: str) -> AsyncIterator[Proxy]:
    """Yield a proxy from a port of loopback to ``target`` (``host:port``), which ends with the block."""
    host, _, target_port = target.rpartition(":")
    proxy = Proxy((host, int(target_port)))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
        proxy.mend()
        proxy.cut()
        await server.wait_closed()
        await asyncio.gather(*proxy.serving)

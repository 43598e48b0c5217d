"""PostgreSQL behind TLS: what ends TLS before the tests' server as PostgreSQL itself does, and takes nothing else.

The server of the tests is built without OpenSSL. So the negotiation is done here (PostgreSQL manual, section 54.2.11:
``SSLRequest``, one byte of answer, then TLS), and what is inside goes to the server's own socket.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from lacolle.certificates import IssuedCertificate

_SSL_REQUEST: Final = struct.pack(">II", 8, 80_877_103)
_CHUNK: Final = 65_536


@dataclass(slots=True)
class TlsPostgres:
    """Where it listens, and what came: ``names`` by which it was called in TLS, and how often ``in_the_clear``."""

    port: int
    names: list[str | None] = field(default_factory=list)
    in_the_clear: int = 0

    def url_of(self, behind: str, *, host: str) -> str:
        """Return the URL of a database of the server behind, with its role and its password, through TLS."""
        place = make_url(behind).set(host=host, port=self.port, query={})
        return place.render_as_string(hide_password=False)


@asynccontextmanager
async def tls_postgres(behind: str, certificate: IssuedCertificate) -> AsyncIterator[TlsPostgres]:
    """Yield a listener on loopback before the server of a database's URL; it ends with all its connections."""
    seen = TlsPostgres(port=0)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.sni_callback = lambda _socket, name, _context: seen.names.append(name)
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(seen, context, behind, (reader, writer)))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _serve(seen: TlsPostgres, context: ssl.SSLContext, behind: str, client: _Streams) -> None:
    reader, writer = client
    inner: asyncio.StreamWriter | None = None
    try:
        if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
            seen.in_the_clear += 1
            return
        writer.write(b"S")
        await writer.start_tls(context)
        inner_reader, inner = await _behind(behind)
        passing = [asyncio.create_task(_pass(reader, inner)), asyncio.create_task(_pass(inner_reader, writer))]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in passing:
                each.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
    except (OSError, asyncio.IncompleteReadError):
        return  # the client went away, or does not trust the certificate
    finally:
        for end in (writer, inner):
            if end is not None:
                end.transport.abort()


async def _behind(url: str) -> _Streams:
    place = make_url(url)
    if place.host:
        return await asyncio.open_connection(place.host, place.port or 5432)
    return await asyncio.open_unix_connection(Path(str(place.query["host"])) / f".s.PGSQL.{place.port or 5432}")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()

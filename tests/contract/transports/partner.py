"""A partner for the transport suites: its certificate authority, and its HTTPS server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import h11
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.contract import Message
from adapters.signatures import SentRequest
from adapters.transports.addresses import AllowList
from adapters.transports.https import Endpoint, Exchange, HttpsTransport

NAME = "partner.example"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Respond = Callable[[SentRequest, asyncio.StreamWriter], Awaitable[None]]


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = self._certified(self._name, self._key.public_key(), constraints)

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority alone."""
        pem = self._certificate.public_bytes(Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return a context with a certificate for some names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._certified(subject, key.public_key(), _alternatives(names))
        path = self._directory / f"{secrets.token_hex(4)}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certified(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        return (
            builder.not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )


def _alternatives(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    def entry(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return x509.SubjectAlternativeName([entry(name) for name in names])


class PartnerServer:
    """A partner's endpoint: keeps what it was sent, and answers as ``respond`` says."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.requests: list[SentRequest] = []
        self.server_names: list[str | None] = []
        self.connections = 0
        self.port = 0
        self.respond: Respond = self.accept
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.server_names.append(name)

    @property
    def url(self) -> str:
        """Return the address that the partner gives out."""
        return f"https://{NAME}:{self.port}/alerts"

    async def accept(self, _request: SentRequest, writer: asyncio.StreamWriter) -> None:
        """Answer 200."""
        writer.write(OK)

    async def start(self) -> None:
        """Listen on loopback, on the port of the last time."""
        # A client that keeps a connection need not answer its closing, and asyncio would wait for that.
        patience = None if self._tls is None else 0.1
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls, ssl_shutdown_timeout=patience
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.connections += 1
        try:
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                await self.respond(request, writer)
                await writer.drain()
                if writer.is_closing():
                    break
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> SentRequest | None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65_536)
        head: h11.Request | None = None
        body = b""
        while True:
            match connection.next_event():
                case h11.Request() as head:
                    pass
                case h11.Data(data=data):
                    body += bytes(data)
                case h11.EndOfMessage():
                    assert head is not None
                    lines = tuple((name.decode().title(), value.decode()) for name, value in head.headers)
                    url = f"https://{dict(lines)['Host']}{head.target.decode()}"
                    return SentRequest(head.method.decode(), url, lines, body)
                case h11.NEED_DATA:
                    data = await reader.read(65_536)
                    if not data:
                        return None
                    connection.receive_data(data)
                case _:
                    return None


Serve = Callable[[ssl.SSLContext | None], Awaitable[PartnerServer]]
MakeMessage = Callable[..., Message]


def raw(answer: bytes, *, then_close: bool = False, wait: float = 0.0) -> Respond:
    """Return a partner that answers these bytes, after a while, and may hang up."""

    async def respond(_request: SentRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(wait)
        writer.write(answer)
        if then_close:
            await writer.drain()
            writer.close()

    return respond


def status(line: str, *fields: str) -> bytes:
    """Return an answer without content."""
    return "\r\n".join([f"HTTP/1.1 {line}", "Content-Length: 0", *fields, "", ""]).encode()


@asynccontextmanager
async def opened(
    url: str, exchange: Exchange, *, hosts: tuple[str, ...] = (NAME, "127.0.0.1"), seconds: float = 5.0
) -> AsyncIterator[HttpsTransport]:
    """Yield a transport to a URL."""
    transport = HttpsTransport(Endpoint(url=url, allowed=lambda: AllowList.of(hosts), timeout=seconds), exchange)
    yield transport
    await transport.close()

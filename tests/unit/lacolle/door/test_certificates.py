"""Certificates: a connection's own is in the scope, and a ``Client-Cert`` field counts from a trusted hop alone."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable

import pytest

from gateway.http.certificates import EXTENSION
from gateway.settings.exchange import Deadlines, Listen
from lacolle.certificates import IssuedCertificate, LocalAuthority
from lacolle.door.certificates import MalformedFieldError, forwarded_certificate
from lacolle.door.places import Reason
from lacolle.door.server import tls_context
from tests.unit.lacolle.door.standing import Standing, client_side, standing


def der(certificate: IssuedCertificate) -> bytes:
    """Return a certificate's DER form."""
    return ssl.PEM_cert_to_DER_cert(certificate.chain.read_text())


def field(data: bytes) -> bytes:
    """Return bytes as a structured field."""
    return b":" + base64.b64encode(data) + b":"


def server_side(authority: LocalAuthority, *, required: bool = False) -> ssl.SSLContext:
    """Return a server's context that verifies clients."""
    own = authority.issue("server")
    return tls_context(own.chain, own.key, client_ca=authority.ca_file, required=required)


async def ask(there: Standing, tls: ssl.SSLContext | None = None, fields: bytes = b"") -> bytes:
    """Make one request, and return the line of its answer."""
    reader, writer = await there.connect(tls)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
        return (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
    finally:
        writer.close()


async def test_a_connections_own(authority: LocalAuthority) -> None:
    """A certificate that the handshake verified is in the scope, as its very bytes; else nothing is."""
    client = authority.issue("client")
    async with standing(tls=server_side(authority)) as there:
        await ask(there, client_side(authority, client))
        await ask(there, client_side(authority, None))
    first, second = (scope.get("extensions", {}) for scope in there.app.scopes)
    assert (first, second) == ({EXTENSION: {"der": der(client)}}, {})


async def test_required(authority: LocalAuthority) -> None:
    """Where a certificate is required, who has none is never heard."""
    async with standing(tls=server_side(authority, required=True)) as there:
        assert await asyncio.to_thread(_first_byte, client_side(authority, None), there.port) == b""
        assert there.app.scopes == []
        assert there.server.ended[Reason.HANDSHAKE] == 1
        assert there.server.connections == 0


def _first_byte(tls: ssl.SSLContext, port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        try:
            with tls.wrap_socket(sock, server_hostname="localhost") as own:
                return own.recv(1)  # in TLS 1.3 a client learns only now that it was refused
        except ssl.SSLError:
            return b""


async def test_every_connection_shows_its_own(authority: LocalAuthority) -> None:
    """Where clients show certificates, none resumes an earlier handshake, and TLS 1.2, which could, is not spoken."""
    client = authority.issue("client")
    async with standing(tls=server_side(authority)) as there:
        tls = client_side(authority, client)
        assert await asyncio.to_thread(_resumed, tls, there.port) is False
        assert [scope["extensions"][EXTENSION]["der"] for scope in there.app.scopes] == [der(client)] * 2
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await there.connect(tls)
        assert there.server.ended[Reason.HANDSHAKE] == 1


def _resumed(tls: ssl.SSLContext, port: int) -> bool:
    """Say whether the second of two connections went on with the first one's session."""
    session, resumed = None, False
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            tls.wrap_socket(sock, server_hostname="localhost", session=session) as own,
        ):
            own.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            own.recv(65_536)
            session, resumed = own.session, bool(own.session_reused)
    return resumed


async def test_older_tls(authority: LocalAuthority) -> None:
    """Where no client shows a certificate, TLS 1.2 is spoken."""
    own = authority.issue("server")
    tls = client_side(authority, None)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with standing(tls=tls_context(own.chain, own.key)) as there:
        assert b" 200 " in await ask(there, tls)


async def test_half_a_handshake(authority: LocalAuthority) -> None:
    """A handshake that does not end in time is given up, and its place given back."""
    listen = Listen(deadlines=Deadlines(handshake=0.3))
    async with standing(listen, tls=server_side(authority)) as there:
        reader, writer = await there.connect()
        writer.write(b"\x16\x03\x01\x02\x00\x01")
        assert await reader.read() == b""
        assert (there.server.ended, there.server.connections) == ({Reason.HANDSHAKE: 1}, 0)
        writer.close()


async def test_a_field_of_nobodys(authority: LocalAuthority) -> None:
    """A ``Client-Cert`` field of anyone but a trusted hop is dropped, before the application sees it."""
    shown = field(der(authority.issue("client")))
    async with standing() as there:
        assert b" 200 " in await ask(there, fields=b"Client-Cert: " + shown + b"\r\nCLIENT-CERT-CHAIN: x\r\nA: b\r\n")
    assert dict(there.app.scopes[0]["headers"]) == {b"host": b"x", b"a": b"b"}
    assert EXTENSION not in there.app.scopes[0].get("extensions", {})


async def test_a_trusted_hops_field(authority: LocalAuthority) -> None:
    """A trusted hop's field names the certificate; the hop's own stands for nobody."""
    proxy, client = authority.issue("proxy"), authority.issue("client")
    listen = Listen.model_validate({"trusted_proxies": ["127.0.0.1"]})
    async with standing(listen, tls=server_side(authority)) as there:
        tls = client_side(authority, proxy)
        await ask(there, tls)
        await ask(there, tls, b"Client-Cert: " + field(der(client)) + b"\r\n")
        assert b" 400 " in await ask(there, tls, b"Client-Cert: x\r\n")
    first, second = (scope.get("extensions", {}) for scope in there.app.scopes)
    assert EXTENSION not in first
    assert second[EXTENSION] == {"der": der(client)}


def test_one_byte_sequence(authority: LocalAuthority) -> None:
    """The field is one structured Byte Sequence that holds one certificate; nothing else is taken for one."""
    data = der(authority.issue("client"))
    assert forwarded_certificate([(b"a", b"b"), (b"client-cert", b" " + field(data) + b" ")]) == data
    assert forwarded_certificate([(b"a", b"b")]) is None


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no colons": base64.b64encode,
    "one colon": lambda data: field(data)[:-1],
    "parameters": lambda data: field(data) + b";a=1",
    "a list": lambda data: field(data) + b", " + field(data),
    "url alphabet": lambda data: b":" + base64.urlsafe_b64encode(data + b"\xff\xfe\xff") + b":",
    "padding left out": lambda data: field(data[:-1] if len(data) % 3 == 0 else data).replace(b"=", b""),
    "white space inside": lambda data: field(data)[:9] + b" " + field(data)[9:],
    "more after the certificate": lambda data: field(data + b"\x00\x00\x00"),
    "no certificate": lambda _: field(b"certificate"),
    "nothing": lambda _: b"::",
    "too long": lambda data: field(data + bytes(16 * 1024)),
    "pem": lambda data: field(ssl.DER_cert_to_PEM_cert(data).encode()),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(authority: LocalAuthority, case: str) -> None:
    """What is not exactly that is refused, for a hop that writes it can't be understood."""
    data = der(authority.issue("client"))
    with pytest.raises(MalformedFieldError):
        forwarded_certificate([(b"client-cert", MALFORMED[case](data))])


def test_one_of_them(authority: LocalAuthority) -> None:
    """A field that occurs twice, or a chain without its certificate, is refused."""
    shown = (b"client-cert", field(der(authority.issue("client"))))
    for headers in ([shown, shown], [(b"client-cert-chain", shown[1])]):
        with pytest.raises(MalformedFieldError):
            forwarded_certificate(headers)

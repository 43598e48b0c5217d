"""The HTTPS transport against real servers: whom it takes for the partner, and where it never connects."""

from __future__ import annotations

import ssl
from dataclasses import replace
from ipaddress import ip_address

import pytest

from adapters.transports.addresses import Address, Resolver
from adapters.transports.https import Exchange
from schemas.parcels import Deferred, Delivered, Outcome, Refused
from tests.contract.transports.partner import NAME, Authority, MakeMessage, PartnerServer, Serve, opened

LOOPBACK = ip_address("127.0.0.1")


async def handed_to(server: PartnerServer, exchange: Exchange, make_message: MakeMessage) -> Outcome:
    """Return the outcome of one message at a server, and see to it that the server saw none."""
    async with opened(server.url, exchange) as transport:
        outcome = await transport.deliver(make_message())
    assert server.requests == []
    return outcome


async def test_another_name_in_the_certificate(
    authority: Authority, serve: Serve, exchange: Exchange, make_message: MakeMessage
) -> None:
    """A server whose certificate is for another name sees no message; it may be mended, so it is Deferred."""
    server = await serve(authority.server_context("other.example", "127.0.0.1"))
    assert await handed_to(server, exchange, make_message) == Deferred("tls")


async def test_an_authority_that_is_not_trusted(
    strange_authority: Authority, serve: Serve, exchange: Exchange, make_message: MakeMessage
) -> None:
    """A server whose certificate nobody vouches for sees no message."""
    server = await serve(strange_authority.server_context(NAME))
    assert await handed_to(server, exchange, make_message) == Deferred("tls")


@pytest.mark.parametrize(
    ("version", "detail"), [(ssl.TLSVersion.TLSv1_2, "tls"), (ssl.TLSVersion.TLSv1_3, "no answer")]
)
async def test_a_server_that_asks_for_a_certificate(
    authority: Authority,
    serve: Serve,
    exchange: Exchange,
    make_message: MakeMessage,
    *,
    version: ssl.TLSVersion,
    detail: str,
) -> None:
    """A server that lets in only clients with a certificate takes no message; TLS 1.3 refuses after its handshake."""
    tls = authority.server_context(NAME)
    tls.maximum_version = version
    tls.verify_mode = ssl.CERT_REQUIRED
    assert await handed_to(await serve(tls), exchange, make_message) == Deferred(detail)


async def test_a_server_without_tls(serve: Serve, exchange: Exchange, make_message: MakeMessage) -> None:
    """Plain HTTP on the partner's port is no partner."""
    assert await handed_to(await serve(None), exchange, make_message) == Deferred("tls")


@pytest.mark.parametrize("weaken", ["check_hostname", "verify_mode"])
def test_a_context_that_trusts_anybody_is_refused(exchange: Exchange, weaken: str) -> None:
    """An exchange can't be set up to hand over to whoever answers."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    if weaken == "verify_mode":
        tls.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="must verify"):
        replace(exchange, tls=tls)


def resolving(*answers: tuple[Address, ...]) -> tuple[Resolver, list[str]]:
    """Return a resolver that gives each answer once, and the hosts it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> tuple[Address, ...]:
        asked.append(host)
        return answers[len(asked) - 1]

    return resolve, asked


async def test_the_resolved_address_is_pinned(
    server: PartnerServer, exchange: Exchange, make_message: MakeMessage
) -> None:
    """A name is resolved once for each message, and the connection goes there, under the name.

    No other resolver knows ``partner.example``, so a second look-up of any kind would find nothing.
    """
    resolve, asked = resolving((LOOPBACK,), (LOOPBACK,))
    async with opened(server.url, replace(exchange, resolve=resolve)) as transport:
        assert await transport.deliver(make_message(1)) == Delivered("http 200")
        assert await transport.deliver(make_message(2)) == Delivered("http 200")
    assert asked == [NAME, NAME]
    assert server.server_names == [NAME]
    assert {dict(request.headers)["Host"] for request in server.requests} == {f"{NAME}:{server.port}"}


async def test_a_name_that_moves_inside_is_refused(
    server: PartnerServer, exchange: Exchange, make_message: MakeMessage
) -> None:
    """DNS rebinding: an address that was public yesterday and is private today gets nothing, open connection or not."""
    resolve, _ = resolving((LOOPBACK,), (ip_address("10.0.0.1"),))
    async with opened(server.url, replace(exchange, resolve=resolve)) as transport:
        assert await transport.deliver(make_message(1)) == Delivered("http 200")
        assert await transport.deliver(make_message(2)) == Refused("address not allowed")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("host", "hosts", "addresses"),
    [
        (NAME, (NAME,), (LOOPBACK,)),
        (NAME, (NAME,), (ip_address("203.0.114.1"), LOOPBACK)),
        (NAME, ("127.0.0.1",), (LOOPBACK,)),
        (NAME, (), (LOOPBACK,)),
        ("127.0.0.1", (NAME,), ()),
        ("localhost", ("127.0.0.1",), (LOOPBACK,)),
    ],
    ids=["private", "private beside public", "name not listed", "empty", "literal not listed", "another name"],
)
async def test_where_it_never_connects(
    server: PartnerServer,
    exchange: Exchange,
    make_message: MakeMessage,
    *,
    host: str,
    hosts: tuple[str, ...],
    addresses: tuple[Address, ...],
) -> None:
    """A host that is not listed, or a private address that is not, is Refused and no connection is made."""
    resolve, _ = resolving(addresses)
    url = f"https://{host}:{server.port}/alerts"
    async with opened(url, replace(exchange, resolve=resolve), hosts=hosts) as transport:
        assert await transport.deliver(make_message()) == Refused("address not allowed")
    assert server.connections == 0


async def test_a_listed_address_is_used(server: PartnerServer, exchange: Exchange, make_message: MakeMessage) -> None:
    """A URL with a literal address works where the statement lists it, with a certificate for the address."""
    url = f"https://127.0.0.1:{server.port}/alerts"
    async with opened(url, exchange, hosts=("127.0.0.1",)) as transport:
        assert await transport.deliver(make_message()) == Delivered("http 200")


async def test_a_name_that_resolves_to_nothing(exchange: Exchange, make_message: MakeMessage) -> None:
    """A name that the system's resolver does not know is Deferred."""

    async def resolve(_host: str, _port: int) -> tuple[Address, ...]:
        raise OSError("no such name")

    for resolver in (resolve, resolving(())[0]):
        async with opened(f"https://{NAME}/", replace(exchange, resolve=resolver)) as transport:
            assert await transport.deliver(make_message()) == Deferred("name not resolved")


async def test_a_second_address_is_tried(server: PartnerServer, exchange: Exchange, make_message: MakeMessage) -> None:
    """Where a name's first address does not answer the door, the next one is knocked at, with one message sent."""
    silent = ip_address("127.0.0.2")
    resolve, _ = resolving((silent, LOOPBACK))
    hosts = (NAME, "127.0.0.1", "127.0.0.2")
    async with opened(server.url, replace(exchange, resolve=resolve), hosts=hosts) as transport:
        assert await transport.deliver(make_message()) == Delivered("http 200")
    assert len(server.requests) == 1

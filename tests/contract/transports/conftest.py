"""What the transport suites run against: an exchange, a partner's server, and messages."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from adapters.contract import Message
from adapters.transports.addresses import Address, AllowList
from adapters.transports.https import Endpoint, Exchange, HttpsTransport
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, KeyId
from schemas.signing.keys import SigningKey
from tests.contract.transports.partner import NAME, Authority, MakeMessage, PartnerServer, Serve
from tests.unit.bus.parcels import parcel


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the authority that the exchange trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def strange_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("strange"))


@pytest.fixture(scope="session")
def exchange_key() -> SigningKey:
    """Return the key with which the exchange signs its requests."""
    return SigningKey.generate(KeyId("exchange.transport"), "Ed25519")


@pytest.fixture
def exchange(authority: Authority, exchange_key: SigningKey) -> Exchange:
    """Return an exchange for which every name is on loopback."""

    async def resolve(_host: str, _port: int) -> tuple[Address, ...]:
        return (ip_address("127.0.0.1"),)

    return Exchange(
        origin="exchange.example",
        key=exchange_key,
        tls=authority.client_context(),
        now=lambda: datetime.now(UTC),
        randomness=secrets.token_bytes,
        resolve=resolve,
    )


@pytest.fixture
def allowed() -> AllowList:
    """Return what the partner's authority statement allows: its name, and the loopback address behind it."""
    return AllowList.of([NAME, "127.0.0.1"])


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Yield a starter of partners' servers, which are stopped at the end."""
    started: list[PartnerServer] = []

    async def start(tls: ssl.SSLContext | None) -> PartnerServer:
        server = PartnerServer(tls)
        started.append(server)
        await server.start()
        return server

    yield start
    for server in started:
        await server.stop()


@pytest.fixture
async def server(authority: Authority, serve: Serve) -> PartnerServer:
    """Return the partner's server, which has a certificate for its name."""
    return await serve(authority.server_context(NAME, "127.0.0.1"))


@pytest.fixture
async def https(server: PartnerServer, exchange: Exchange, allowed: AllowList) -> AsyncIterator[HttpsTransport]:
    """Yield the transport to the partner's server."""
    transport = HttpsTransport(Endpoint(url=server.url, allowed=lambda: allowed, timeout=5.0), exchange)
    yield transport
    await transport.close()


@pytest.fixture
def make_message() -> MakeMessage:
    """Return a maker of messages: the same number makes the same delivery."""

    def make(number: int = 1, *, body: bytes = b"the body", clause: str = "4.1", exercise: bool = False) -> Message:
        under = ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 2, clause)
        sent = replace(parcel(number, body=body), under=under, exercise=exercise)
        return Message(
            parcel=sent, content_type="application/jose", data_schema=sent.data_schema, extension="jws", body=body
        )

    return make

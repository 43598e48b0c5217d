"""The HTTPS transport against a partner's real server: what is sent, what answers mean, where it never connects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

from adapters.signatures import NonceMemory, RequestNotTrustedError, SentRequest, verify_request
from adapters.transports.addresses import Address, AllowList, Resolver
from adapters.transports.https import Endpoint, Exchange, HttpsTransport, outcome_of, percent_encoded
from schemas.parcels import Deferred, Delivered, Outcome, Refused

if TYPE_CHECKING:
    from schemas.signing.keys import SigningKey
    from tests.contract.transports.conftest import Authority, MakeMessage, PartnerServer, Respond, Serve

NAME = "partner.example"
LOOPBACK = ip_address("127.0.0.1")
NOON = datetime(2026, 1, 17, 12, 0, 0, tzinfo=UTC)


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
    transport = HttpsTransport(Endpoint(url=url, allowed=AllowList.of(hosts), timeout=seconds), exchange)
    yield transport
    await transport.close()


# What is sent


async def test_the_request_is_as_promised(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """One POST to the partner's own URL, the message as its body, and the fields of the wire."""
    message = make_message()
    parcel = message.parcel
    await https.deliver(message)
    (request,) = server.requests
    fields = dict(request.headers)
    assert (request.method, request.url, request.body) == ("POST", server.url, message.body)
    assert fields.pop("Content-Digest").startswith("sha-256=:")
    assert fields.pop("Signature").startswith("lacolle=:")
    assert ';keyid="exchange.transport";nonce="' in fields.pop("Signature-Input")
    assert fields == {
        "Host": f"{NAME}:{server.port}",
        "User-Agent": "lacolle",
        "Content-Type": "application/jose",
        "Content-Length": str(len(message.body)),
        "Idempotency-Key": parcel.delivery_id,
        "Ce-Specversion": "1.0",
        "Ce-Id": parcel.delivery_id,
        "Ce-Source": "/exchange.example",
        "Ce-Type": "org.lacolle.alert.v1",
        "Ce-Subject": parcel.alert_id,
        "Ce-Time": "2026-01-17T19:05:09.250Z",
        "Ce-Sender": "ca-qc.sq",
        "Ce-Agreement": "ca-qc.us-ny.crime-2008/2#4.1",
        "Ce-Deadline": "2026-01-17T20:05:09.250Z",
    }


async def test_the_cloudevents_package_reads_the_request(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """Another implementation of CloudEvents finds the attributes, also what must be encoded on the way."""
    message = make_message(clause='§ 4 "a" 100%', exercise=True)
    await https.deliver(message)
    (request,) = server.requests
    event = from_binary_event(HTTPMessage(headers=dict(request.headers), body=request.body))
    assert event.get_id() == message.parcel.delivery_id
    assert event.get_time() == message.parcel.sent_at
    assert event.get_extension("agreement") == 'ca-qc.us-ny.crime-2008/2#§ 4 "a" 100%'
    assert event.get_extension("exercise") == "true"


async def test_the_partner_can_verify_the_request(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, exchange_key: SigningKey
) -> None:
    """The partner verifies what arrived under the exchange's key, and takes the same request only once."""
    await https.deliver(make_message())
    (request,) = server.requests
    nonces, now = NonceMemory(), datetime.now(UTC)
    keys = {exchange_key.kid: exchange_key.public}
    assert verify_request(request, keys=keys.get, nonces=nonces, now=now) == exchange_key.kid
    with pytest.raises(RequestNotTrustedError):
        verify_request(request, keys=keys.get, nonces=nonces, now=now)


async def test_a_redelivery_is_signed_anew(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, exchange_key: SigningKey
) -> None:
    """The same delivery again has the same Idempotency-Key and a nonce of its own, so it is not taken for a replay."""
    await https.deliver(make_message())
    await https.deliver(make_message())
    nonces, keys = NonceMemory(), {exchange_key.kid: exchange_key.public}
    for request in server.requests:
        verify_request(request, keys=keys.get, nonces=nonces, now=datetime.now(UTC))
    assert len({dict(request.headers)["Idempotency-Key"] for request in server.requests}) == 1


async def test_the_environment_names_no_proxy(
    https: HttpsTransport, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment is not used: it would see whom the exchange talks to."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await https.deliver(make_message()) == Delivered("http 200")


async def test_no_cookie_is_kept(server: PartnerServer, https: HttpsTransport, make_message: MakeMessage) -> None:
    """A partner's cookie does not come back to it."""
    server.respond = raw(status("200 OK", "Set-Cookie: session=1; Secure; Path=/"))
    await https.deliver(make_message(1))
    await https.deliver(make_message(2))
    assert all("Cookie" not in dict(request.headers) for request in server.requests)


async def test_a_connection_serves_again(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A partner that answers in a few bytes is not made to shake hands for every message."""
    server.respond = raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nnoted")
    for number in range(5):
        assert await https.deliver(make_message(number)) == Delivered("http 202")
    assert server.connections == 1


# What answers mean


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("200 OK", Delivered("http 200")),
        ("201 Created", Delivered("http 201")),
        ("204 No Content", Delivered("http 204")),
        ("299 Fine", Delivered("http 299")),
        ("300 Multiple Choices", Refused("http 300")),
        ("304 Not Modified", Refused("http 304")),
        ("400 Bad Request", Refused("http 400")),
        ("401 Unauthorized", Refused("http 401")),
        ("404 Not Found", Refused("http 404")),
        ("408 Request Timeout", Deferred("http 408")),
        ("409 Conflict", Refused("http 409")),
        ("410 Gone", Refused("http 410")),
        ("413 Content Too Large", Refused("http 413")),
        ("425 Too Early", Deferred("http 425")),
        ("429 Too Many Requests", Deferred("http 429")),
        ("499 Unheard Of", Refused("http 499")),
        ("500 Internal Server Error", Deferred("http 500")),
        ("503 Service Unavailable", Deferred("http 503")),
        ("599 Late", Deferred("http 599")),
        ("600 Odd", Refused("http 600")),
    ],
)
async def test_every_class_of_status(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, line: str, outcome: Outcome
) -> None:
    """2xx is Delivered; 408, 425, 429 and 5xx are Deferred; the rest is Refused."""
    server.respond = raw(status(line))
    assert await https.deliver(make_message()) == outcome


async def test_retry_after_in_seconds(server: PartnerServer, https: HttpsTransport, make_message: MakeMessage) -> None:
    """A partner that names the seconds is heard."""
    server.respond = raw(status("503 Service Unavailable", "Retry-After: 120"))
    assert await https.deliver(make_message()) == Deferred("http 503", 120.0)


def test_retry_after_as_a_date() -> None:
    """A partner that names the instant is heard, against the exchange's clock."""
    field = format_datetime(NOON + timedelta(minutes=2), usegmt=True)
    assert outcome_of(429, field, now=NOON) == Deferred("http 429", 120.0)


def test_retry_after_means_nothing_elsewhere() -> None:
    """A redirect or a success may carry Retry-After; neither is tried again for that."""
    assert outcome_of(301, "120", now=NOON) == Refused("http 301")
    assert outcome_of(202, "120", now=NOON) == Delivered("http 202")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, code: int
) -> None:
    """A redirect is Refused and leads nowhere, not even within the partner's own server."""
    server.respond = raw(status(f"{code} Elsewhere", f"Location: {server.url}/elsewhere"))
    assert await https.deliver(make_message()) == Refused(f"http {code}")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" + b"x" * 2_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65_535 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Encoding: gzip\r\n\r\nnot gzip",
    ],
    ids=["huge", "endless", "broken encoding"],
)
async def test_the_answers_body_changes_nothing(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, answer: bytes
) -> None:
    """Once the status has come the message is Delivered, whatever follows; a long body is not read, a slow one left."""
    server.respond = raw(answer)
    async with asyncio.timeout(3.0):
        assert await https.deliver(make_message(1)) == Delivered("http 200")
    server.respond = server.accept
    assert await https.deliver(make_message(2)) == Delivered("http 200")


async def test_an_answer_that_breaks_off_was_an_answer(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A connection that dies after the status leaves the message Delivered: the partner said so."""
    server.respond = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", then_close=True)
    assert await https.deliver(make_message()) == Delivered("http 200")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 2", b"SSH-2.0-partner\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000],
    ids=["nothing", "half a line", "another protocol", "endless fields"],
)
async def test_what_is_no_answer(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, answer: bytes
) -> None:
    """A partner that hangs up, or speaks something else than HTTP, has not answered."""
    server.respond = raw(answer, then_close=True)
    assert await https.deliver(make_message()) == Deferred("no answer")


async def test_a_slow_answer(server: PartnerServer, exchange: Exchange, make_message: MakeMessage) -> None:
    """A partner that takes longer than its profile allows is Deferred, though it may have taken the message."""
    server.respond = raw(status("200 OK"), wait=5.0)
    async with opened(server.url, exchange, seconds=0.3) as transport:
        assert await transport.deliver(make_message()) == Deferred("timed out")


async def test_a_refused_connection(server: PartnerServer, exchange: Exchange, make_message: MakeMessage) -> None:
    """A partner whose port is closed is Deferred."""
    await server.stop()
    async with opened(server.url, exchange) as transport:
        assert await transport.deliver(make_message()) == Deferred("connection failed")


# Whom it takes for the partner


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


# Where it connects


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


@pytest.mark.parametrize(
    ("value", "field"),
    [("plain/1#4.1", "plain/1#4.1"), ("a b", "a%20b"), ('"%"', "%22%25%22"), ("é", "%C3%A9"), ("\r\n", "%0D%0A")],
)
def test_values_are_encoded_for_a_field(value: str, field: str) -> None:
    """Whatever an attribute holds, its field is printable ASCII, so none can begin another."""
    assert percent_encoded(value) == field

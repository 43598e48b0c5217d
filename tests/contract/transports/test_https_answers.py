"""The HTTPS transport against a partner's real server: what answers, and their absence, mean."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adapters.transports.https import Exchange, HttpsTransport, outcome_of
from schemas.parcels import Deferred, Delivered, Outcome, Refused
from tests.contract.transports.partner import MakeMessage, PartnerServer, opened, raw, status
from tests.patience import GIVES_UP_AFTER

NOON = datetime(2026, 1, 17, 12, 0, 0, tzinfo=UTC)


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
    async with asyncio.timeout(GIVES_UP_AFTER):
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

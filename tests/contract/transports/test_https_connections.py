"""The HTTPS transport against a partner's real server: which connections serve again, and which never do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.transports.addresses import AllowList
from adapters.transports.https import Endpoint, Exchange, HttpsTransport
from schemas.parcels import Deferred, Delivered
from tests.contract.transports.partner import OK, MakeMessage, PartnerServer, raw


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", Delivered("http 200")),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Delivered("http 200")),
        (b"HTTP/1.1 200 OK\r\n\r\n", Delivered("http 200")),
        (OK + b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Delivered("http 200")),
        (OK + b"more", Delivered("http 200")),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", Deferred("no answer")),
        (b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", Deferred("no answer")),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Deferred("no answer")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", Deferred("no answer")),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", Deferred("no answer")),
    ],
    ids=["close", "1.0", "endless", "two answers", "surplus", "2.0", "status 99", "upgrade", "two lengths", "no CR"],
)
async def test_a_connection_that_is_in_doubt_serves_no_more(
    server: PartnerServer,
    https: HttpsTransport,
    make_message: MakeMessage,
    *,
    answer: bytes,
    outcome: Delivered | Deferred,
) -> None:
    """After an answer whose end is unclear, or that is none, the next message has a connection of its own."""
    server.respond = raw(answer)
    assert await https.deliver(make_message(1)) == outcome
    server.respond = server.accept
    assert await https.deliver(make_message(2)) == Delivered("http 200")
    assert server.connections == 2


async def test_an_interim_answer_is_not_the_answer(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A partner may say that it is at it; what counts comes after (RFC 9110 section 15.2)."""
    early = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
    late = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    server.respond = raw(b"HTTP/1.1 100 Continue\r\n\r\n" + early + late)
    assert await https.deliver(make_message()) == Deferred("http 503", 7.0)


async def test_what_comes_unasked_answers_nothing(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """An answer sent after the answer, while no request is under way, is not taken for that of the next one."""

    async def respond(_request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    server.respond = respond
    assert await https.deliver(make_message(1)) == Delivered("http 200")
    await asyncio.sleep(0.2)
    server.respond = server.accept
    assert await https.deliver(make_message(2)) == Delivered("http 200")


async def test_an_idle_connection_is_not_kept_for_long(
    server: PartnerServer, exchange: Exchange, allowed: AllowList, make_message: MakeMessage
) -> None:
    """A connection without messages is closed before a partner would hang up on it."""
    https = HttpsTransport(Endpoint(url=server.url, allowed=lambda: allowed, timeout=5.0, idle=0.1), exchange)
    assert await https.deliver(make_message(1)) == Delivered("http 200")
    await asyncio.sleep(0.3)
    assert not https._pool._open
    assert await https.deliver(make_message(2)) == Delivered("http 200")
    assert server.connections == 2
    await https.close()


async def test_a_partner_that_hung_up_costs_no_message(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A kept connection that the partner has closed meanwhile is not used again."""
    assert await https.deliver(make_message(1)) == Delivered("http 200")
    await server.stop()
    await server.start()
    assert await https.deliver(make_message(2)) == Delivered("http 200")
    assert server.connections == 2


async def test_at_once_they_share_few_connections(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """As many connections are opened as there are messages in hand, and serve all that follow."""
    for turn in range(5):
        messages = [make_message(turn * 8 + number) for number in range(8)]
        outcomes = await asyncio.gather(*(https.deliver(message) for message in messages))
        assert set(outcomes) == {Delivered("http 200")}
    assert server.connections == 8


async def test_a_message_that_makes_no_request_costs_no_connection(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """Where a message can't be put in fields, the connection that is kept serves the next one."""
    assert await https.deliver(make_message(1)) == Delivered("http 200")
    with pytest.raises(ValueError, match="printable"):
        await https.deliver(replace(make_message(2), content_type="text/plain\r\nHost: elsewhere"))
    assert await https.deliver(make_message(3)) == Delivered("http 200")
    assert server.connections == 1

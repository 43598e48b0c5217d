"""What is refused whole: whatever a proxy and this server could read differently, and what nobody here needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from gateway.settings.exchange import Deadlines, Listen
from lacolle.door.places import Reason
from lacolle.door.plain import FIELDS_LIMIT
from tests.patience import GIVES_UP_AFTER
from tests.unit.lacolle.door.standing import Standing, standing

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
INNER = b"POST /7 HTTP/1.1\r\nHost: x\r\nClient-Cert: :AAAA:\r\nContent-Length: 1\r\n\r\na"
PATIENT = Listen(deadlines=Deadlines(head=60.0, body=60.0, idle=0.3, answer=60.0))


async def said(there: Standing, segments: Sequence[bytes]) -> bytes:
    """Send segments, each in a read of its own, and return what comes until the server ends the connection."""
    reader, writer = await there.connect()
    received = b""
    try:
        for segment in segments:
            writer.write(segment)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(GIVES_UP_AFTER):
            while chunk := await reader.read(65_536):
                received += chunk
    except ConnectionError:  # what a client still sends crosses the answer, and TCP then drops that
        pass
    finally:
        writer.close()
    return received


def statuses(answers: bytes) -> list[bytes]:
    """Return the status codes of the answers; bodies here hold no status line."""
    return [line.split(b" ")[1] for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def upgrade(framing: bytes) -> bytes:
    """Return a head that asks for another protocol."""
    return HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n"


LENGTH = b"Content-Length: %d\r\n" % len(INNER)
REFUSED: dict[str, Sequence[bytes]] = {
    "upgrade, its body later": (upgrade(LENGTH), INNER),
    "upgrade, its body with it": (upgrade(LENGTH) + INNER,),
    "upgrade, chunked": (upgrade(b"Transfer-Encoding: chunked\r\n"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER)),
    "upgrade without a body": (upgrade(b""), INNER),
    "connect": (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", INNER),
    "connect with a path": (b"CONNECT /7 HTTP/1.1\r\nHost: x\r\n\r\n", INNER),
    "http/0.9": (b"GET /7\r\n\r\n",),
    "http/2.0": (b"GET /7 HTTP/2.0\r\nHost: x\r\n\r\n",),
    "rtsp": (b"OPTIONS /7 RTSP/2.0\r\nHost: x\r\n\r\n",),
    "no host": (b"GET /7 HTTP/1.1\r\n\r\n",),
    "two hosts": (b"GET /7 HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",),
    "two hosts in http/1.0": (b"GET /7 HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n",),
    "a coding below chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"0\r\n\r\n"),
    "a coding that only ends like it": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", b"0\r\n\r\n"),
    "a folded field": (b"GET /7 HTTP/1.1\r\nHost: x\r\nA: b\r\n Client-Cert: :AAAA:\r\n\r\n",),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(case: str) -> None:
    """It is answered 400 once, the connection ends, and the application hears of nothing of it."""
    async with standing(PATIENT) as there:
        answers = await said(there, REFUSED[case])
        assert statuses(answers) == [b"400"]
        assert b"connection: close\r\n" in answers
        assert b"\r\ndate: " in answers
        assert there.app.scopes == []


async def test_a_bad_chunk() -> None:
    """A body that turns out to be unsound is answered 400 in the application's place, which learns of its end."""
    for chunk in (b"zz\r\n", b"2;a\n0\r\nab\r\n", b"2\nab\n0\n\n", b"0x2\r\nab\r\n0\r\n\r\n"):
        async with standing(PATIENT) as there:
            assert statuses(await said(there, (CHUNKED, chunk))) == [b"400"]
            assert (there.app.gone, there.app.bodies) == (1, [])


async def test_one_answer_for_a_request() -> None:
    """A body that turns out to be unsound after its request was answered gets no second answer."""
    async with standing(PATIENT) as there:
        there.app.waits = False
        assert statuses(await said(there, (CHUNKED, b"zz\r\n"))) == [b"200"]


async def test_trailers() -> None:
    """Trailer fields never become header fields (RFC 9110 section 6.5.1), whether they come at once or later."""
    trailers = b"0\r\nClient-Cert: :AAAA:\r\nAuthorization: Bearer x\r\nHost: y\r\n\r\n"
    async with standing(PATIENT) as there:
        for segments in ((CHUNKED + b"1\r\na\r\n" + trailers,), (CHUNKED + b"1\r\na\r\n", trailers)):
            assert statuses(await said(there, segments)) == [b"200"]
    assert there.app.bodies == [b"a", b"a"]
    for scope in there.app.scopes:
        assert dict(scope["headers"]) == {b"host": b"x", b"transfer-encoding": b"chunked"}


async def test_too_many_fields() -> None:
    """A head of more fields than anyone needs is refused, were all of it in one read."""
    many = b"".join(b"A%d: b\r\n" % number for number in range(FIELDS_LIMIT))
    async with standing(PATIENT) as there:
        assert statuses(await said(there, (GET[:-2] + many + b"\r\n",))) == [b"431"]
        assert there.app.scopes == []
        assert statuses(await said(there, (GET[:-2] + many.partition(b"\r\n")[2] + b"\r\n",))) == [b"200"]


PIPELINED: dict[str, Sequence[bytes]] = {
    "at once": (GET * 14_000,),
    "one by one": (GET, GET, GET),
    "half a head": (GET + GET[:10],),
    "a body that never comes": (GET + HEAD + b"Content-Length: 10\r\n\r\na",),
    "no http": (GET + b"\x00" * 400_000,),
    "empty lines": (GET, b"\r\n" * 100_000),
}
MORE_THAN_A_READ = frozenset({"at once", "no http"})
"""Of these something is left unread, and the reset that TCP then answers with may cost the client its answer."""


@pytest.mark.parametrize("case", PIPELINED)
async def test_one_request_at_a_time(case: str) -> None:
    """What comes before the last answer is not taken: that answer comes whole, says that it is the last, and is."""
    async with standing(Listen(deadlines=Deadlines(head=0.2, body=0.2))) as there:
        there.app.takes = 0.9
        flooding = asyncio.create_task(said(there, PIPELINED[case]))
        assert statuses(await said(there, (GET[:-2] + b"Connection: close\r\n\r\n",))) == [b"200"]  # beside it
        answers = await flooding
        assert len(there.app.scopes) == 2
        assert there.server.ended.total() == 1
    if answers or case not in MORE_THAN_A_READ:
        assert statuses(answers) == [b"200"]
        assert b"connection: close\r\n" in answers


async def test_a_flood_is_not_read() -> None:
    """While a request is worked on, a client that goes on sending is not read: TCP holds it up."""
    async with standing(PATIENT) as there:
        there.app.takes = 60.0
        _, writer = await there.connect()
        writer.write(GET)
        flooding = asyncio.create_task(_flood(writer, megabytes=64))
        await asyncio.wait({flooding}, timeout=1.0)
        assert flooding.cancel()
        assert len(there.app.scopes) == 1
        writer.transport.abort()


async def _flood(writer: asyncio.StreamWriter, *, megabytes: int) -> None:
    for _ in range(megabytes):
        writer.write(GET * (1_000_000 // len(GET)))
        await writer.drain()


async def test_the_next_request_after_an_early_answer() -> None:
    """A request that was answered before its body came leaves the connection to the next, once the body is over."""
    async with standing(PATIENT) as there:
        there.app.waits = False
        reader, writer = await there.connect()
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"ab" + GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_continue_is_of_http_1_1() -> None:
    """A client of HTTP/1.0 is not told to continue (RFC 9110 section 10.1.1), and its connection ends."""
    head = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    async with standing(PATIENT) as there:
        assert statuses(await said(there, (head, b"a", GET))) == [b"200"]
        assert len(there.app.scopes) == 1


async def test_strangers_write_no_log() -> None:
    """What a stranger sends writes no line of its own; it is counted, and the counts are told now and then."""
    with structlog.testing.capture_logs() as lines:
        async with standing(PATIENT) as there:
            for _ in range(3):
                await said(there, REFUSED["upgrade without a body"])
            assert there.server.ended == {Reason.MALFORMED: 3}
    assert [line for line in lines if line["event"] == "connections_ended"] == lines

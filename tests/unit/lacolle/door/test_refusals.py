"""What the door answers by itself: problems as the rest of the exchange has them, for everyone in both languages."""

from __future__ import annotations

import uuid

import httptools
import orjson
import pytest

from gateway.errors import GatewayError
from gateway.http.problems import PROBLEMS
from lacolle.door.places import Reason
from lacolle.door.plain import HEAD_LIMIT
from lacolle.door.refusals import Refusals
from tests.unit.lacolle.door.standing import standing

BASE = "https://exchange.example/problems"
ANSWERED = {
    Reason.FULL: ("too-many-connections", 503, "5"),
    Reason.FULL_FOR_ADDRESS: ("too-many-connections", 503, "5"),
    Reason.HEAD: ("request-timeout", 408, None),
    Reason.BODY: ("request-timeout", 408, None),
    Reason.MALFORMED: ("malformed-request", 400, None),
    Reason.HEAD_TOO_LONG: ("head-too-long", 431, None),
}


class Answer:
    """An answer as another parser than the one that wrote it reads it."""

    def __init__(self, received: bytes) -> None:
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.whole = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(received)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field."""
        self.fields.append((name.decode(), value.decode()))

    def on_body(self, body: bytes) -> None:
        """Keep content."""
        self.body += body

    def on_message_complete(self) -> None:
        """Know that nothing is missing."""
        self.whole = True


@pytest.mark.parametrize("reason", ANSWERED)
def test_a_problem(reason: Reason) -> None:
    """Every refusal is a whole RFC 9457 problem under the operator's base, titled and explained in each language."""
    name, status, retry_after = ANSWERED[reason]
    answer = Answer(Refusals(BASE).answer(reason, [(b"date", b"today")]))
    fields = dict(answer.fields)
    problem = orjson.loads(answer.body)
    assert answer.whole
    assert answer.status == status
    assert len(fields) == len(answer.fields)
    assert fields["content-type"] == "application/problem+json"
    assert fields["content-language"] == "fr, en"
    assert (fields["date"], fields["connection"], fields.get("retry-after")) == ("today", "close", retry_after)
    assert problem.keys() == {"type", "title", "status", "instance", "detail"}
    assert (problem["type"], problem["status"]) == (f"{BASE}/{name}", status)
    for text in (problem["title"], problem["detail"]):
        french, english = text.split(" / ")
        assert french != english
    assert problem["instance"] == fields["x-request-id"] == str(uuid.UUID(problem["instance"]))


def test_an_id_of_its_own() -> None:
    """No two refusals have one id."""
    refusals = Refusals(BASE)
    ids = {orjson.loads(Answer(refusals.answer(Reason.FULL)).body)["instance"] for _ in range(50)}
    assert len(ids) == 50


def test_one_title_for_a_type() -> None:
    """What has one type has one title and status (RFC 9457 section 3.1.4), and none is the gateway's for another."""
    said = [orjson.loads(Answer(Refusals(BASE).answer(reason)).body) for reason in ANSWERED]
    kinds = {problem["type"]: (problem["title"], problem["status"]) for problem in said}
    assert all(kinds[problem["type"]] == (problem["title"], problem["status"]) for problem in said)
    of_the_gateway = {kind.name for kind in PROBLEMS} | {GatewayError.name}
    assert of_the_gateway.isdisjoint(name for name, _, _ in ANSWERED.values())


async def test_from_a_server() -> None:
    """A client that sends nonsense, or a head without an end, gets its problem from the server itself."""
    for sent, name in (
        (b"nonsense\r\n\r\n", "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * HEAD_LIMIT, "head-too-long"),
        (b"GET / HTTP/1.1\r\n", "request-timeout"),
    ):
        async with standing() as there:
            reader, writer = await there.connect()
            writer.write(sent)
            answer = Answer(await reader.read())
            writer.close()
        assert orjson.loads(answer.body)["type"].endswith(f"/{name}")
        assert "date" in dict(answer.fields)

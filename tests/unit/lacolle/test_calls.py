"""Calls to an exchange: which are made again, which are not, and where none is made at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lacolle.client.calls import Call, Caller, OnWait, in_silence
from lacolle.client.waiting import retry_after
from lacolle.errors import ConfigurationError, ExchangeUnreachableError, ProblemError
from schemas.bilingual import Bilingual
from tests.unit.lacolle.scripted import Answer, ScriptedExchange, StillClock

NOW = datetime(2026, 1, 17, 19, 5, 9, tzinfo=UTC)
BUSY = Answer(503, headers={"Retry-After": "3"})


def _caller(url: str, clock: StillClock, *, ca_file: Path | None = None, on_wait: OnWait = in_silence) -> Caller:
    return Caller(
        url,
        ca_file=ca_file,
        language="fr",
        timeout=5,
        patience=10,
        surroundings=clock.surroundings(),
        on_wait=on_wait,
    )


@pytest.fixture
def caller(exchange: ScriptedExchange, clock: StillClock) -> Iterator[Caller]:
    """Return a caller of the scripted exchange that has ten seconds of patience."""
    made = _caller(exchange.url, clock)
    yield made
    made.close()


def _post() -> Call:
    return Call("POST", "/v1/alerts", content=b"the same bytes", headers={"Content-Type": "application/jose"})


@pytest.mark.parametrize("status", [429, 503])
def test_the_same_bytes_are_sent_again_when_asked(
    caller: Caller, exchange: ScriptedExchange, clock: StillClock, status: int
) -> None:
    """After 429 and 503 the call is made again, once the time that the exchange named is over, byte for byte."""
    exchange.script["/v1/alerts"] = [Answer(status, headers={"Retry-After": "3"}), Answer(201, {})]
    assert caller.answer(_post).status_code == 201
    assert [request.body for request in exchange.requests] == [b"the same bytes", b"the same bytes"]
    assert clock.slept == [3.0]


def test_waits_grow_where_none_was_named(caller: Caller, exchange: ScriptedExchange, clock: StillClock) -> None:
    """Without Retry-After each wait is twice the one before it, up to a bound."""
    exchange.script["/v1/alerts"] = [*[Answer(503)] * 7, Answer(201, {})]
    assert caller.answer(_post).status_code == 201
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5]


def test_patience_has_an_end(caller: Caller, exchange: ScriptedExchange, clock: StillClock) -> None:
    """A wait that would end after the time allowed is not begun: the last refusal is raised instead."""
    exchange.script["/v1/alerts"] = [BUSY]
    with pytest.raises(ProblemError) as refused:
        caller.answer(_post)
    assert refused.value.status == 503
    assert refused.value.retry_after == 3.0
    assert clock.slept == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_other_refusals_are_final(caller: Caller, exchange: ScriptedExchange, clock: StillClock, status: int) -> None:
    """Any other answer, a redirect and a server error included, is raised at once and never asked for again."""
    exchange.script["/v1/alerts"] = [Answer(status, headers={"Location": "/elsewhere"})]
    with pytest.raises(ProblemError) as refused:
        caller.answer(_post)
    assert refused.value.status == status
    assert len(exchange.requests) == 1
    assert clock.slept == []


def test_no_answer_is_tried_again_and_then_told(clock: StillClock) -> None:
    """Where nothing listens, the call is repeated while that is allowed; the error says to send the bytes again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        caller = _caller(f"http://127.0.0.1:{unused.getsockname()[1]}", clock)
        with pytest.raises(ExchangeUnreachableError, match="send the same bytes again") as failed:
            caller.answer(_post)
        caller.close()
    assert len(clock.slept) > 3
    assert sum(clock.slept) <= 10
    assert "les mêmes octets" in failed.value.in_language("fr")


@pytest.mark.parametrize(
    ("first", "words"),
    [(Answer(0), "did not answer (RemoteProtocolError)"), (Answer(503), "asks to come again later (503)")],
    ids=["no answer", "busy"],
)
def test_the_first_failure_is_told_before_the_wait(
    exchange: ScriptedExchange, clock: StillClock, first: Answer, words: str
) -> None:
    """Whoever waits for a call is told once, before the first wait begins, why it is and how long it may last."""
    told: list[tuple[Bilingual, float]] = []
    caller = _caller(exchange.url, clock, on_wait=lambda text: told.append((text, sum(clock.slept))))
    exchange.script["/v1/alerts"] = [first, first, first, Answer(201, {})]
    assert caller.answer(_post).status_code == 201
    caller.close()
    [(text, after)] = told
    assert after == 0
    assert text.en.startswith(exchange.url)
    assert words in text.en
    assert "for 10 s at most" in text.en
    assert "nouvelles tentatives pendant 10 s au plus" in text.fr


def test_an_answer_at_once_is_told_to_nobody(exchange: ScriptedExchange, clock: StillClock) -> None:
    """A call that is answered, or refused for good, says nothing of waiting."""
    told: list[Bilingual] = []
    caller = _caller(exchange.url, clock, on_wait=told.append)
    exchange.script["/v1/alerts"] = [Answer(201, {}), Answer(403)]
    assert caller.answer(_post).status_code == 201
    with pytest.raises(ProblemError):
        caller.answer(_post)
    caller.close()
    assert told == []


def test_a_connection_that_breaks_is_made_again(caller: Caller, exchange: ScriptedExchange, clock: StillClock) -> None:
    """A call whose connection ends before its answer is made again."""
    exchange.script["/v1/alerts"] = [Answer(0), Answer(201, {})]
    assert caller.answer(_post).status_code == 201
    assert len(clock.slept) == 1


def test_the_language_is_asked_for(caller: Caller, exchange: ScriptedExchange) -> None:
    """The exchange is asked for messages in the client's language."""
    exchange.script["/v1/alerts"] = [Answer(201, {})]
    caller.answer(_post)
    assert exchange.requests[0].headers["accept-language"] == "fr"


@pytest.mark.parametrize("url", ["", "exchange.example", "ftp://exchange.example", "https://", "https://u:p@host"])
def test_what_is_no_address_is_refused(url: str, clock: StillClock) -> None:
    """An address that is not a plain http or https URL is refused before anything is sent, with an example."""
    with pytest.raises(ConfigurationError, match="must be a URL such as"):
        _caller(url, clock)


@pytest.mark.parametrize("host", ["exchange.example", "10.0.0.1", "127.0.0.1.example", "localhost.example"])
def test_nothing_travels_in_clear(host: str, clock: StillClock) -> None:
    """Without TLS, no address but this machine's own is called."""
    with pytest.raises(ConfigurationError, match="Without TLS"):
        _caller(f"http://{host}", clock)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unreadable_authority_is_refused(tmp_path: Path, clock: StillClock, content: str | None) -> None:
    """A certificate authority file that is absent or holds none is refused with its name."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        _caller("https://exchange.example", clock, ca_file=path)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Sat, 17 Jan 2026 19:05:39 GMT", 30.0),
        ("Sat, 17 Jan 2026 19:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Both forms of Retry-After are understood, a past date is no wait, anything else is ignored (RFC 9110 10.2.3)."""
    assert retry_after(value, now=NOW) == seconds

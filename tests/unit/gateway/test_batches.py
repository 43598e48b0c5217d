"""Batches: lines that name each other keep their order, all others go at the same time, and results keep theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from gateway.intake.batches import BatchIntake, threads
from schemas.ids import KeyId, ParticipantId
from schemas.signing import base64url

OWNERS = {KeyId("ca-qc.sq:1"): "ca-qc.sq", KeyId("ca-qc.sq:2"): "ca-qc.sq", KeyId("us-ny.nysp:1"): "us-ny.nysp"}
LONGEST = 2 * 1024 * 1024


def owner_of(kid: KeyId) -> ParticipantId | None:
    """Return whose a key is."""
    return ParticipantId(OWNERS[kid]) if kid in OWNERS else None


def intake(*, at_once: int = 256) -> BatchIntake:
    """Return what runs batches."""
    return BatchIntake(owner_of=owner_of, longest=LONGEST, at_once=at_once)


def signed(payload: bytes, kid: str = "ca-qc.sq:1") -> bytes:
    """Return what looks like a submission with a payload; nobody has signed it."""
    header = orjson.dumps({"alg": "Ed25519", "kid": kid, "typ": "alert+jws", "iat": 1_795_000_000})
    return b".".join((base64url.encode(header), base64url.encode(payload), base64url.encode(bytes(64))))


def line(identifier: str, *references: str, sender: str = "ca-qc.sq", kid: str | None = None) -> bytes:
    """Return what looks like a submission, as far as its order goes; ``references`` are to alerts of its sender."""
    named = [f"{sender},{reference},2026-01-17T14:05:09-05:00" for reference in references]
    payload = orjson.dumps({"sender": sender, "identifier": identifier, "references": named})
    return signed(payload, kid or f"{sender}:1")


async def together(lines: Sequence[bytes]) -> list[list[int]]:
    """Return the places of lines that go one after the other."""
    return threads(await intake().names(lines))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("1"), line("2"), line("3")], [[0], [1], [2]]),
        ([line("1"), line("2"), line("3", "1")], [[0, 2], [1]]),
        ([line("2", "1"), line("3", "1")], [[0, 1]]),
        ([line("1"), line("2"), line("3", "2", "1")], [[0, 1, 2]]),
        ([line("1"), line("2", "1"), line("3", "2"), line("4")], [[0, 1, 2], [3]]),
        ([line("1"), line("1")], [[0, 1]]),
        ([line("1"), line("1", sender="us-ny.nysp")], [[0], [1]]),
        ([line("3", "1"), line("1")], [[0, 1]]),
        ([line("1"), line("2", "1", kid="ca-qc.sq:2")], [[0, 1]]),
        ([line("1", kid="new:1"), line("2", "1", kid="new:1")], [[0, 1]]),
    ],
)
async def test_what_belongs_together(lines: list[bytes], expected: list[list[int]]) -> None:
    """Lines that name an alert in common, at any remove, are one list in their order; others stand alone."""
    assert await together(lines) == expected


@pytest.mark.parametrize(
    "meddling",
    [
        line("1", kid="us-ny.nysp:1"),
        line("2", "1", kid="us-ny.nysp:1"),
        line("2", "1", kid="nobody:1"),
        line("2", "1", kid="ca-qc.sq"),
        signed(
            orjson.dumps(
                {"sender": "us-ny.nysp", "identifier": "2", "references": ["ca-qc.sq,1,2026-01-01T00:00:00Z"]}
            ),
            "us-ny.nysp:1",
        ),
    ],
)
async def test_nobody_holds_up_another_s_lines(meddling: bytes) -> None:
    """Whatever a line of another key says of a sender's alerts, that sender's lines do not wait for it."""
    assert await together([meddling, line("1")]) == [[0], [1]]


DEEP = b"[" * 1000 + b"]" * 1000


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"..",
        b"a.b.c",
        b"h.\xff.s",
        signed(b"[]"),
        signed(b"{"),
        signed(b'{"references": [1]}'),
        signed(b'{"sender": 1, "identifier": "1"}'),
        signed(b'{"sender": ' + DEEP + b', "identifier": "1"}'),
        signed(b'{"sender": "ca-qc.sq", "identifier": "x", "references": [' + DEEP + b"]}"),
        signed(b'{"sender": "ca-qc.sq", "identifier": "x", "references": "ca-qc.sq,1,"}'),
        line("x", *("1" for _ in range(1025))),
        line("1" + "x" * LONGEST),
    ],
    ids=lambda odd: odd[:8].decode("latin-1") + str(len(odd)),
)
async def test_what_can_not_be_read(odd: bytes) -> None:
    """A line that is no submission, or no alert, stands alone, and leaves its neighbours their own results."""
    lines = [line("1"), odd, line("2")]
    assert await together(lines) == [[0], [1], [2]]

    async def accept(submission: bytes) -> bytes:
        return submission

    assert await intake().run(lines, accept, holds_up=lambda result: result == odd) == lines


async def test_the_longest_lines_of_nobody_leave_others_their_turn() -> None:
    """While a batch of the largest lines is looked into, others have a turn of the loop after each of them."""
    full = signed(b'{"sender":"ca-qc.sq","identifier":"x","references":[' + b"0," * (LONGEST * 3 // 8 - 100) + b"0]}")
    reading = asyncio.create_task(intake().names([full] * 8))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 8


async def test_order_and_number() -> None:
    """One thread's lines never overlap, no more are in hand than allowed, and results are in the lines' order."""
    lines = [line(str(number), *([str(number - 10)] if number % 10 == 0 else [])) for number in range(50)]
    running: set[bytes] = set()
    most, begun = 0, []

    async def accept(submission: bytes) -> bytes:
        nonlocal most
        running.add(submission)
        begun.append(submission)
        most = max(most, len(running))
        assert sum(lines.index(each) % 10 == 0 for each in running) <= 1
        await asyncio.sleep(0.001)
        running.remove(submission)
        return submission

    assert await intake(at_once=7).run(lines, accept, holds_up=_never) == lines
    assert most == 7
    thread = [each for each in begun if lines.index(each) % 10 == 0]
    assert thread == lines[::10]


def _never(_result: object) -> bool:
    return False


async def test_an_update_never_overtakes_its_alert() -> None:
    """Where a line is to come again, every later one of its thread is, and was not tried; others were."""
    lines = [line("1"), line("2"), line("3", "1"), line("4", "3"), line("5", "2")]
    tried = []

    async def accept(submission: bytes) -> str:
        tried.append(submission)
        return "later" if submission == lines[2] else "taken"

    results = await intake().run(lines, accept, holds_up=lambda result: result == "later")
    assert results == ["taken", "taken", "later", "later", "taken"]
    assert lines[3] not in tried


async def test_batches_share() -> None:
    """Two batches together have no more in hand than one alone may."""
    running = most = 0

    async def accept(_submission: bytes) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    batches = intake(at_once=5)
    lines = [[line(f"{each}-{number}") for number in range(20)] for each in "ab"]
    await asyncio.gather(*(batches.run(each, accept, holds_up=_never) for each in lines))
    assert most == 5

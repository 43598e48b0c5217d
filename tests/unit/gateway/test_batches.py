"""Batches: lines that name each other keep their order, all others go at the same time, and results keep theirs."""

from __future__ import annotations

import asyncio
import base64

import orjson
import pytest

from gateway.batches import BatchIntake, threads


def line(identifier: str, *references: str, sender: str = "ca-qc.sq") -> bytes:
    """Return what looks like a submission, as far as its order goes."""
    named = [f"{sender},{reference},2026-01-17T14:05:09-05:00" for reference in references]
    payload = orjson.dumps({"sender": sender, "identifier": identifier, "references": named})
    return b"h." + base64.urlsafe_b64encode(payload).rstrip(b"=") + b".s"


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
    ],
)
def test_what_belongs_together(lines: list[bytes], expected: list[list[int]]) -> None:
    """Lines that name an alert in common, at any remove, are one list in their order; others stand alone."""
    assert threads(lines) == expected


@pytest.mark.parametrize("odd", [b"", b"..", b"a.b.c", b"h.\xff.s", b"h.W10.s", b"h.eyJyZWZlcmVuY2VzIjogWzFdfQ.s"])
def test_what_can_not_be_read(odd: bytes) -> None:
    """A line that is no submission stands somewhere, and keeps no other from standing alone."""
    assert sorted(place for places in threads([line("1"), odd, line("2")]) for place in places) == [0, 1, 2]
    assert [0] in threads([line("1"), odd, line("2")])


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

    assert await BatchIntake(at_once=7).run(lines, accept, holds_up=_never) == lines
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

    results = await BatchIntake().run(lines, accept, holds_up=lambda result: result == "later")
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

    batches = BatchIntake(at_once=5)
    lines = [[line(f"{each}-{number}") for number in range(20)] for each in "ab"]
    await asyncio.gather(*(batches.run(each, accept, holds_up=_never) for each in lines))
    assert most == 5

"""Accepting many submissions at once: each as if it had come alone, in an order that keeps threads whole.

Lines that name each other, an alert and its Update, two Updates of one alert, the same alert twice, are accepted one
after the other, as they stand; all others at the same time, up to a number that batches share, so that a submission
that comes alone waits for no batch. Where a line is to be sent again later, so are those that it holds up: an Update
never overtakes its alert. What a line names is read before it is verified, for its place in the order alone.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import orjson

AT_ONCE: Final = 256
"""How many lines of all batches together are being accepted at any time."""

ResultT = TypeVar("ResultT")


class BatchIntake:
    """Runs batches. ``at_once`` bounds the lines in hand, of all batches together."""

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)

    async def run(
        self,
        submissions: Sequence[bytes],
        accept: Callable[[bytes], Awaitable[ResultT]],
        *,
        holds_up: Callable[[ResultT], bool],
    ) -> list[ResultT]:
        """Return what ``accept``, which must not raise, returns for each submission, in their order.

        A result that ``holds_up`` its thread is that of every line after it there.
        """
        results: dict[int, ResultT] = {}

        async def in_order(places: Sequence[int]) -> None:
            for number, place in enumerate(places):
                async with self._places:
                    results[place] = result = await accept(submissions[place])
                if holds_up(result):
                    results.update(dict.fromkeys(places[number:], result))
                    return

        async with asyncio.TaskGroup() as group:
            for places in threads(submissions):
                group.create_task(in_order(places))
        return [results[place] for place in range(len(submissions))]


def threads(submissions: Sequence[bytes]) -> list[list[int]]:
    """Return the submissions' places, those in one list that name an alert in common, each list in their order."""
    leaders: list[int] = list(range(len(submissions)))
    first: dict[str, int] = {}
    for place, submission in enumerate(submissions):
        for name in _names(submission):
            _join(leaders, first.setdefault(name, place), place)
    found: dict[int, list[int]] = {}
    for place in range(len(submissions)):
        found.setdefault(_leader(leaders, place), []).append(place)
    return list(found.values())


def _leader(leaders: list[int], place: int) -> int:
    while leaders[place] != place:
        leaders[place] = leaders[leaders[place]]
        place = leaders[place]
    return place


def _join(leaders: list[int], one: int, other: int) -> None:
    first, second = sorted((_leader(leaders, one), _leader(leaders, other)))
    leaders[second] = first


def _names(submission: bytes) -> Iterable[str]:
    """Return the alerts that a submission names, itself first, as ``sender,identifier``; none where it can't be read.

    References are CAP's ``sender,identifier,sent``.
    """
    segments = submission.split(b".", 2)
    if len(segments) < 2:  # noqa: PLR2004 - a header and a payload
        return
    try:
        document = orjson.loads(binascii.a2b_base64(segments[1].translate(_FROM_URL) + b"=="))
    except ValueError:  # of which binascii.Error and JSONDecodeError are two
        return
    if isinstance(document, dict):
        yield f"{document.get('sender')},{document.get('identifier')}"
        references = document.get("references")
        for each in references if isinstance(references, list) else ():
            yield str(each).rpartition(",")[0]


_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")

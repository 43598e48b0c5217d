"""Accepting many submissions at once: each as if it had come alone, in an order that keeps threads whole.

Lines of one signer that name each other, an alert and its Update, two Updates of one alert, the same alert twice, are
accepted one after the other, as they stand; all others at the same time, up to a number that batches share, so that a
submission that comes alone waits for no batch. Where a line is to be sent again later, so are those that it holds up:
an Update never overtakes its alert. What a line names is read before it is verified, for its place in the order alone;
so it counts among the lines of the same signer, and nobody can hold up another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import orjson

from schemas.ids import KeyId, ParticipantId
from schemas.signing.jws import MalformedJwsError
from schemas.submission import read_submission

AT_ONCE: Final = 256
"""How many lines of all batches together are being accepted at any time."""
MOST_REFERENCES: Final = 1_024
"""What an alert may refer to at most; one with more will be refused, and so is held up by nothing."""
A_TURN: Final = 256 * 1024
"""Bytes of lines that are read before others have a turn of the loop."""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Name:
    """An alert as a line names it, CAP's ``sender,identifier``; it counts for the line's ``signer`` alone."""

    signer: str
    alert: str


class BatchIntake:
    """Runs batches. ``at_once`` bounds the lines in hand, of all batches together.

    ``owner_of`` says whose a key is or was, None for a key that nobody is known to have. A line of more than
    ``longest`` bytes is not looked into.
    """

    def __init__(
        self, *, owner_of: Callable[[KeyId], ParticipantId | None], longest: int, at_once: int = AT_ONCE
    ) -> None:
        self._owner_of = owner_of
        self._longest = longest
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

        named = await self.names(submissions)
        async with asyncio.TaskGroup() as group:
            for places in threads(named):
                group.create_task(in_order(places))
        return [results[place] for place in range(len(submissions))]

    async def names(self, submissions: Sequence[bytes]) -> list[tuple[Name, ...]]:
        """Return the alerts that each submission names, itself first; none where it can't be read."""
        found: list[tuple[Name, ...]] = []
        read = 0
        for submission in submissions:
            found.append(self._names(submission))
            read += len(submission)
            if read >= A_TURN:
                read = 0
                await asyncio.sleep(0)
        return found

    def _names(self, submission: bytes) -> tuple[Name, ...]:
        if len(submission) > self._longest:
            return ()
        try:
            read = read_submission(submission)
            alert_json = read.alert_json()
        except MalformedJwsError:
            return ()
        # another process may have heard of a key that this one has not: it stands for whoever signs with it
        signer = self._owner_of(read.jws.kid) or f"key {read.jws.kid}"
        return tuple(Name(signer, alert) for alert in _alerts_in(alert_json))


def threads(named: Sequence[Iterable[Name]]) -> list[list[int]]:
    """Return the places of lines, those in one list that name an alert in common, each list in their order."""
    leaders: list[int] = list(range(len(named)))
    first: dict[Name, int] = {}
    for place, names in enumerate(named):
        for name in names:
            _join(leaders, first.setdefault(name, place), place)
    found: dict[int, list[int]] = {}
    for place in range(len(named)):
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


def _alerts_in(alert_json: bytes) -> Iterable[str]:
    """Return the alerts of its own sender that an alert names, itself first; threads have no others (decision 5).

    References are CAP's ``sender,identifier,sent``.
    """
    try:
        document = orjson.loads(alert_json)
    except orjson.JSONDecodeError:
        return
    if not isinstance(document, dict):
        return
    sender, identifier, references = (document.get(member) for member in ("sender", "identifier", "references"))
    if not isinstance(sender, str) or not isinstance(identifier, str):
        return
    yield f"{sender},{identifier}"
    if isinstance(references, list) and len(references) <= MOST_REFERENCES:
        for each in references:
            if isinstance(each, str) and each.startswith(f"{sender},"):
                yield each.rpartition(",")[0]

"""Searching the log: which entries have all terms of a query, among those that a jurisdiction may read.

It goes through the log in its order, a stretch of segments at a time, and stops when it has enough; so a page ends at a
place of the log, the next one begins after it, and what is appended meanwhile changes neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.segments import SEGMENT, describe, indexed, offsets_in, unpack
from audit.tables import log_entries, log_postings, log_segments
from audit.terms import EVERY, is_party, kept_as, told_by
from schemas.ids import JurisdictionCode

_FIRST_STRETCH: Final = 2
_WIDENS: Final = 4
_LONGEST_STRETCH: Final = 1_024
_LOOKED_THROUGH: Final = 16 * SEGMENT
"""Entries without a segment that are in hand at once: while the index is built anew, that is most of the log."""
_ALL: Final = (1 << SEGMENT) - 1


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: entries with all ``terms``, from ``since`` to before ``until``, after the index ``after``.

    Where there are terms in ``one_of``, an entry has one of those too. The times are as entries write them (RFC 3339,
    UTC, milliseconds), None for no bound; ``after`` is -1 to begin with.
    """

    terms: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    since: str | None = None
    until: str | None = None
    after: int = -1

    def is_met_by_terms(self, terms: frozenset[str]) -> bool:
        """Say whether an entry's terms are those that are looked for."""
        return self.terms <= terms and (not self.one_of or not self.one_of.isdisjoint(terms))

    def is_met_by(self, time: str) -> bool:
        """Say whether a time is within the bounds."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Found:
    """The indexes that were found, in order; ``more`` says that the search stopped because it had enough."""

    indexes: tuple[int, ...]
    more: bool


async def search(
    connection: AsyncConnection, wanted: Search, *, scope: JurisdictionCode, size: int, limit: int
) -> Found:
    """Return the first entries that are found among the log's first ``size``, ``limit`` at most.

    ``scope`` is the jurisdiction that asks: nothing is found to which it is no party.
    """
    found: list[int] = []
    async for index in _matching(connection, wanted, scope, size):
        if len(found) == limit:
            return Found(tuple(found), more=True)
        found.append(index)
    return Found(tuple(found), more=False)


async def _matching(
    connection: AsyncConnection, wanted: Search, scope: JurisdictionCode, size: int
) -> AsyncIterator[int]:
    """Yield what is found, in order."""
    start = wanted.after + 1
    covered = min(await indexed(connection), size - size % SEGMENT)
    for stretch in _stretches(*await _bounds(connection, wanted, start // SEGMENT, covered // SEGMENT)):
        doubtful = await _doubtful(connection, wanted, stretch)
        for segment, bits in await _candidates(connection, wanted, scope, stretch):
            indexes = [segment * SEGMENT + offset for offset in offsets_in(bits)]
            times = await _times(connection, indexes) if segment in doubtful else {}
            for index in indexes:
                if index >= start and (index not in times or wanted.is_met_by(times[index])):
                    yield index
    possible = _possible(wanted, scope)
    for at in range(max(start, covered), size, _LOOKED_THROUGH):
        for entry in await describe(connection, at, min(at + _LOOKED_THROUGH, size), among=possible):
            own = scope in entry.jurisdictions and wanted.is_met_by_terms(entry.terms_for(scope))
            if own and wanted.is_met_by(entry.time):
                yield entry.index


def _possible(wanted: Search, scope: JurisdictionCode) -> Callable[[bytes], bool]:
    """Return what says of an entry's bytes whether it may be found; whose scope is no party is looked at no further."""
    told = sorted(filter(None, map(told_by, wanted.terms)))
    return lambda canonical: is_party(scope, canonical) and all(each in canonical for each in told)


async def _bounds(connection: AsyncConnection, wanted: Search, first: int, stop: int) -> tuple[int, int]:
    """Return the first segment that may hold something, and the one after the last: the log's times mostly rise."""
    if wanted.since is None and wanted.until is None:
        return first, stop
    within = [log_segments.c.segment >= first, log_segments.c.segment < stop]
    if wanted.since is not None:
        within.append(log_segments.c.last_time >= wanted.since)
    if wanted.until is not None:
        within.append(log_segments.c.first_time < wanted.until)
    statement = select(func.min(log_segments.c.segment), func.max(log_segments.c.segment)).where(*within)
    lowest, highest = (await connection.execute(statement)).one()
    return (0, 0) if lowest is None else (lowest, highest + 1)


def _stretches(first: int, stop: int) -> Iterator[range]:
    """Yield the segments that are read at once: few to begin with, as most pages are full soon, then more and more."""
    width = _FIRST_STRETCH
    while first < stop:
        yield range(first, min(first + width, stop))
        first, width = first + width, min(_WIDENS * width, _LONGEST_STRETCH)


async def _doubtful(connection: AsyncConnection, wanted: Search, stretch: range) -> Collection[int]:
    """Return the segments of which not all is within the bounds in time."""
    if wanted.since is None and wanted.until is None:
        return ()
    rows = await connection.execute(_SEGMENTS, {"first": stretch.start, "stop": stretch.stop})
    return {row.segment for row in rows if not (wanted.is_met_by(row.first_time) and wanted.is_met_by(row.last_time))}


async def _candidates(
    connection: AsyncConnection, wanted: Search, scope: JurisdictionCode, stretch: range
) -> list[tuple[int, int]]:
    """Return the segments that have entries with the terms that are looked for, in order, and these as bits."""
    one_of = frozenset(map(kept_as, wanted.one_of))
    every = frozenset(map(kept_as, wanted.terms)) or (frozenset() if one_of else frozenset({EVERY}))
    terms = sorted(every | one_of)
    asked = {"scope": scope, "terms": terms, "first": stretch.start, "stop": stretch.stop}
    missing = dict.fromkeys(stretch, len(every))
    having: dict[int, int] = {}
    choices: defaultdict[int, int] = defaultdict(int)
    for term, segment, offsets in await connection.execute(_POSTINGS, asked):
        bits = unpack(offsets)
        if term in every:
            missing[segment] -= 1
            having[segment] = having[segment] & bits if segment in having else bits
        if term in one_of:
            choices[segment] |= bits
    if one_of:
        having = {segment: having.get(segment, _ALL) & bits for segment, bits in choices.items()}
    return sorted((segment, bits) for segment, bits in having.items() if bits and not missing[segment])


async def _times(connection: AsyncConnection, indexes: Sequence[int]) -> Mapping[int, str]:
    times: dict[int, str] = {}
    for at in range(0, len(indexes), SEGMENT):
        rows = await connection.execute(_TIMES, {"wanted": list(indexes[at : at + SEGMENT])})
        times |= {row.log_index: row.time for row in rows}
    return times


_POSTINGS: Final = select(log_postings.c.term, log_postings.c.segment, log_postings.c.offsets).where(
    log_postings.c.jurisdiction == bindparam("scope"),
    log_postings.c.term.in_(bindparam("terms", expanding=True)),
    log_postings.c.segment >= bindparam("first"),
    log_postings.c.segment < bindparam("stop"),
)
_SEGMENTS: Final = select(log_segments).where(
    log_segments.c.segment >= bindparam("first"), log_segments.c.segment < bindparam("stop")
)
_TIMES: Final = select(log_entries.c.log_index, log_entries.c.time).where(
    log_entries.c.log_index.in_(bindparam("wanted", expanding=True))
)

"""Searching the log: which entries have all terms of a query, among those that a jurisdiction may read.

It goes through the log in its order, a stretch of segments at a time, and stops when it has enough; so a page ends at a
place of the log, the next one begins after it, and what is appended meanwhile changes neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.segments import SEGMENT, Described, describe, indexed, offsets_in, unpack
from audit.tables import log_entries, log_postings, log_segments
from audit.terms import EVERY, is_party, kept_as, told_by
from schemas.ids import JurisdictionCode

_FIRST_STRETCH: Final = 2
_WIDENS: Final = 4
_LONGEST_STRETCH: Final = 1_024
_LOOKED_THROUGH: Final = 16 * SEGMENT
"""Entries without a segment that are in hand at once: while the index is built anew, that is most of the log."""
_AT_ONCE: Final = 256
_ALL: Final = (1 << SEGMENT) - 1

Among = Callable[[AsyncConnection, Sequence[int]], Awaitable[Sequence[int]]]
"""Returns those of some entries, in order, that may be found."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: entries with all ``terms``, from ``since`` to before ``until``, after the index ``after``.

    Of each set in ``one_of`` an entry has one term at least, too. The times are as entries write them (RFC 3339,
    UTC, milliseconds), None for no bound; ``after`` is -1 to begin with.
    """

    terms: frozenset[str] = frozenset()
    one_of: tuple[frozenset[str], ...] = ()
    since: str | None = None
    until: str | None = None
    after: int = -1

    def is_met_by_terms(self, terms: frozenset[str]) -> bool:
        """Say whether an entry's terms are those that are looked for."""
        return self.terms <= terms and not any(each.isdisjoint(terms) for each in self.one_of)

    @property
    def groups(self) -> tuple[frozenset[str], ...]:
        """The sets of terms of each of which an entry has one: those in ``terms`` stand alone."""
        return (*(frozenset({each}) for each in sorted(self.terms)), *self.one_of) or (frozenset({EVERY}),)

    def is_met_by(self, time: str) -> bool:
        """Say whether a time is within the bounds."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Found:
    """The indexes that were found, in order; ``more`` says that the search stopped because it had enough."""

    indexes: tuple[int, ...]
    more: bool


async def search(
    connection: AsyncConnection,
    wanted: Search,
    *,
    scope: JurisdictionCode,
    size: int,
    limit: int,
    among: Among | None = None,
) -> Found:
    """Return the first entries that are found among the log's first ``size``, ``limit`` at most.

    ``scope`` is the jurisdiction that asks: nothing is found to which it is no party. ``among`` leaves out what is not
    to be found although it has all terms: neither a page nor its end tells that it was there.
    """
    found: list[int] = []
    async for some in _matching(connection, wanted, scope, size):
        for index in some if among is None else await among(connection, some):
            if len(found) == limit:
                return Found(tuple(found), more=True)
            found.append(index)
    return Found(tuple(found), more=False)


async def _matching(
    connection: AsyncConnection, wanted: Search, scope: JurisdictionCode, size: int
) -> AsyncIterator[Sequence[int]]:
    """Yield what is found, in order, a few hundred at a time at most."""
    start = wanted.after + 1
    covered = min(await indexed(connection), size - size % SEGMENT)
    for stretch in _stretches(*await _bounds(connection, wanted, start // SEGMENT, covered // SEGMENT)):
        doubtful = await _doubtful(connection, wanted, stretch)
        for segment, bits in await _candidates(connection, wanted, scope, stretch):
            indexes = [segment * SEGMENT + offset for offset in offsets_in(bits)]
            times = await _times(connection, indexes) if segment in doubtful else {}
            own = [
                index for index in indexes if index >= start and (index not in times or wanted.is_met_by(times[index]))
            ]
            for few in _in_parts(own):
                yield few
    possible = _possible(wanted, scope)
    for at in range(max(start, covered), size, _LOOKED_THROUGH):
        described = await describe(connection, at, min(at + _LOOKED_THROUGH, size), among=possible)
        for few in _in_parts([each.index for each in described if _is_found(each, wanted, scope)]):
            yield few


def _is_found(entry: Described, wanted: Search, scope: JurisdictionCode) -> bool:
    own = scope in entry.jurisdictions and wanted.is_met_by_terms(entry.terms_for(scope))
    return own and wanted.is_met_by(entry.time)


def _in_parts(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    return (indexes[first : first + _AT_ONCE] for first in range(0, len(indexes), _AT_ONCE))


def _possible(wanted: Search, scope: JurisdictionCode) -> Callable[[bytes], bool]:
    """Return what says of an entry's bytes whether it may be found; whose scope is no party is looked at no further."""
    told = [[told_by(each) for each in group] for group in wanted.groups]
    doubtful = [group for group in told if all(group)]  # of the others every entry may have a term
    return lambda canonical: (
        is_party(scope, canonical) and all(any(each in canonical for each in group) for group in doubtful)
    )


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
    groups = [frozenset(map(kept_as, group)) for group in wanted.groups]
    terms = sorted(frozenset[str]().union(*groups))
    asked = {"scope": scope, "terms": terms, "first": stretch.start, "stop": stretch.stop}
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for term, segment, offsets in await connection.execute(_POSTINGS, asked):
        found[segment][term] = unpack(offsets)
    having = ((segment, _having(groups, offsets)) for segment, offsets in sorted(found.items()))
    return [(segment, bits) for segment, bits in having if bits]


def _having(groups: Iterable[frozenset[str]], offsets: Mapping[str, int]) -> int:
    """Return, as bits, the entries that have one term of each group; ``offsets`` are those that have a term."""
    bits = _ALL
    for group in groups:
        bits &= reduce(or_, (offsets.get(term, 0) for term in group))
    return bits


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

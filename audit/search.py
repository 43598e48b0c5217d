"""Searching the log: which entries have all terms of a query, among those that a jurisdiction may read.

It goes through the log in its order, a stretch of segments at a time, and stops when it has enough; so a page ends at a
place of the log, the next one begins after it, and what is appended meanwhile changes neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.segments import SEGMENT, describe, indexed, unpack
from audit.tables import log_entries, log_postings, log_segments
from audit.terms import EVERY
from schemas.ids import JurisdictionCode

_FIRST_STRETCH: Final = 2
_LONGEST_STRETCH: Final = 64
"""Segments read at once: few to begin with, as most pages are full soon, and twice as many each time."""


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
    for stretch in await _stretches(connection, wanted, start // SEGMENT, covered // SEGMENT):
        candidates = await _candidates(connection, wanted, scope, stretch)
        for index in await _in_time(connection, wanted, [each for each in candidates if each >= start], stretch):
            yield index
    for entry in await describe(connection, max(start, covered), size):
        if (
            scope in entry.jurisdictions
            and wanted.is_met_by_terms(entry.terms_for(scope))
            and wanted.is_met_by(entry.time)
        ):
            yield entry.index


async def _stretches(
    connection: AsyncConnection, wanted: Search, first: int, stop: int
) -> Sequence[Mapping[int, bool]]:
    """Return the segments that may hold something, some at a time, and whether all of each is within the bounds."""
    statement = select(log_segments).where(log_segments.c.segment >= first, log_segments.c.segment < stop)
    if wanted.since is not None:
        statement = statement.where(log_segments.c.last_time >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(log_segments.c.first_time < wanted.until)
    rows = (await connection.execute(statement.order_by(log_segments.c.segment))).all()
    within = [(row.segment, wanted.is_met_by(row.first_time) and wanted.is_met_by(row.last_time)) for row in rows]
    stretches, at, width = list[dict[int, bool]](), 0, _FIRST_STRETCH
    while at < len(within):
        stretches.append(dict(within[at : at + width]))
        at, width = at + width, min(2 * width, _LONGEST_STRETCH)
    return stretches


async def _candidates(
    connection: AsyncConnection, wanted: Search, scope: JurisdictionCode, segments: Iterable[int]
) -> list[int]:
    """Return the entries of some segments whose terms are those that are looked for, in order."""
    every = wanted.terms or (frozenset() if wanted.one_of else {EVERY})
    segments = list(segments)
    asked = {"scope": scope, "terms": sorted(every | wanted.one_of), "segments": segments}
    having: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    choices: defaultdict[int, set[int]] = defaultdict(set)
    for row in await connection.execute(_POSTINGS, asked):
        offsets = unpack(row.offsets)
        if row.term in every:
            having[row.segment].append(offsets)
        if row.term in wanted.one_of:
            choices[row.segment].update(offsets)
    found = list[int]()
    for segment in segments:
        if len(having[segment]) == len(every):
            lists = having[segment] + ([tuple(sorted(choices[segment]))] if wanted.one_of else [])
            found += [segment * SEGMENT + offset for offset in _common(lists)]
    return found


def _common(lists: Sequence[tuple[int, ...]]) -> Sequence[int]:
    """Return what is in all lists, rising."""
    shortest, *others = sorted(lists, key=len)
    if not others:
        return shortest
    return sorted(set(shortest).intersection(*others))


async def _in_time(
    connection: AsyncConnection, wanted: Search, indexes: Sequence[int], within: Mapping[int, bool]
) -> Sequence[int]:
    """Return those of some entries whose times are within the bounds; where all of a segment is, nothing is read."""
    doubtful = [index for index in indexes if not within[index // SEGMENT]]
    times = await _times(connection, doubtful)
    return [index for index in indexes if index not in times or wanted.is_met_by(times[index])]


async def _times(connection: AsyncConnection, indexes: Sequence[int]) -> Mapping[int, str]:
    times: dict[int, str] = {}
    for at in range(0, len(indexes), SEGMENT):
        rows = await connection.execute(_TIMES, {"wanted": list(indexes[at : at + SEGMENT])})
        times |= {row.log_index: row.time for row in rows}
    return times


_POSTINGS: Final = select(log_postings.c.term, log_postings.c.segment, log_postings.c.offsets).where(
    log_postings.c.jurisdiction == bindparam("scope"),
    log_postings.c.term.in_(bindparam("terms", expanding=True)),
    log_postings.c.segment.in_(bindparam("segments", expanding=True)),
)
_TIMES: Final = select(log_entries.c.log_index, log_entries.c.time).where(
    log_entries.c.log_index.in_(bindparam("wanted", expanding=True))
)

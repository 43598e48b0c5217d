"""The index of the log: one immutable segment for every 1,024 entries, made once they are all there.

A segment says, for each jurisdiction and each term (``audit.terms``), which of its entries have the term and are the
jurisdiction's to read: their offsets, two bytes each, big-endian, rising. What has no segment yet is looked through
entry by entry. So appending pays nothing for the index, whoever builds it may lag, and a reader is never shown less.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Kind
from audit.tables import log_entries, log_postings, log_segments
from audit.terms import read_whole, terms_of

SEGMENT: Final = 1_024
"""Entries of one segment."""
_LOOKED_UP_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Described:
    """An entry with what it is found by."""

    index: int
    time: str
    jurisdictions: frozenset[str]
    terms: frozenset[str]


async def indexed(connection: AsyncConnection) -> int:
    """Return how many entries have their segment: a multiple of ``SEGMENT``."""
    last = await connection.scalar(select(func.max(log_segments.c.segment)))
    return 0 if last is None else (int(last) + 1) * SEGMENT


async def build(connection: AsyncConnection, segment: int) -> None:
    """Write a segment, whose entries must all be there; the caller commits."""
    described = await describe(connection, segment * SEGMENT, (segment + 1) * SEGMENT)
    postings: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in described:
        for jurisdiction in entry.jurisdictions:
            for term in entry.terms:
                postings[jurisdiction, term].append(entry.index - segment * SEGMENT)
    rows = [
        {"jurisdiction": jurisdiction, "term": term, "segment": segment, "offsets": pack(offsets)}
        for (jurisdiction, term), offsets in sorted(postings.items())
    ]
    if rows:
        await connection.execute(insert(log_postings), rows)
    times = [entry.time for entry in described]
    await connection.execute(
        insert(log_segments), [{"segment": segment, "first_time": min(times), "last_time": max(times)}]
    )


async def describe(connection: AsyncConnection, start: int, stop: int) -> list[Described]:
    """Return the entries from ``start`` to before ``stop``, in order, with what they are found by."""
    rows = (await connection.execute(_RANGE, {"start": start, "stop": stop})).all()
    entries = [read_whole(row.content) for row in rows]
    types = await _types(connection, entries)
    return [
        Described(
            index=entry["index"],
            time=entry["time"],
            jurisdictions=frozenset(entry["jurisdictions"]),
            terms=terms_of(entry, types.get(entry["alert_id"])),
        )
        for entry in entries
    ]


def pack(offsets: Sequence[int]) -> bytes:
    """Return offsets as a segment stores them."""
    return struct.pack(f">{len(offsets)}H", *offsets)


def unpack(stored: bytes) -> tuple[int, ...]:
    """Return the offsets that ``pack`` wrote."""
    return struct.unpack(f">{len(stored) // 2}H", stored)


async def _types(connection: AsyncConnection, entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the types of the alerts that some entries are about, from their acceptances."""
    types = {each["alert_id"]: each["content"]["type"] for each in entries if each["kind"] == Kind.ACCEPTED}
    missing = sorted({each["alert_id"] for each in entries if each["alert_id"] is not None} - types.keys())
    for start in range(0, len(missing), _LOOKED_UP_AT_ONCE):
        wanted = missing[start : start + _LOOKED_UP_AT_ONCE]
        rows = await connection.execute(_ACCEPTANCES, {"wanted": wanted})
        types |= {row.alert_id: read_whole(row.content)["content"]["type"] for row in rows}
    return types


_RANGE: Final = (
    select(log_entries.c.content)
    .where(log_entries.c.log_index >= bindparam("start"), log_entries.c.log_index < bindparam("stop"))
    .order_by(log_entries.c.log_index)
)
_ACCEPTANCES: Final = select(log_entries.c.alert_id, log_entries.c.content).where(
    log_entries.c.alert_id.in_(bindparam("wanted", expanding=True)), log_entries.c.kind == Kind.ACCEPTED.value
)

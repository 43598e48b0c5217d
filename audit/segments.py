"""The index of the log: one immutable segment for every 1,024 entries, made once they are all there.

A segment says, for each jurisdiction and each term (``audit.terms``), which of its entries have the term and are the
jurisdiction's to read. Few are written as their offsets, two bytes each, big-endian, rising; many as a set of bits,
after a byte that makes the length odd. Either form is read, however many there are. What has no segment yet is looked
through entry by entry. So appending pays nothing for the index, whoever builds it may lag, and a reader is never shown
less.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.bulk import insert_rows
from audit.kinds import Kind
from audit.tables import log_entries, log_postings, log_segments
from audit.terms import kept_as, read_whole, terms_of

SEGMENT: Final = 1_024
"""Entries of one segment."""
_LOOKED_UP_AT_ONCE: Final = 500
_SET_SIZE: Final = SEGMENT // 8
_MARK: Final = b"\x01"
_DIGITS: Final = bytes.maketrans(b"01", b"\x00\x01")


@dataclass(frozen=True, slots=True)
class Described:
    """An entry with what it is found by; ``own`` are the terms by which some jurisdictions alone find it."""

    index: int
    time: str
    jurisdictions: frozenset[str]
    terms: frozenset[str]
    own: Mapping[str, frozenset[str]]

    def terms_for(self, jurisdiction: str) -> frozenset[str]:
        """Return the terms by which a jurisdiction finds it; none where it is no party."""
        if jurisdiction not in self.jurisdictions:
            return frozenset()
        return self.terms | self.own.get(jurisdiction, frozenset())


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
            for term in entry.terms_for(jurisdiction):
                postings[jurisdiction, kept_as(term)].append(entry.index - segment * SEGMENT)
    rows = [(jurisdiction, term, segment, pack(offsets)) for (jurisdiction, term), offsets in sorted(postings.items())]
    await insert_rows(connection, log_postings, rows)
    times = [entry.time for entry in described]
    await connection.execute(
        insert(log_segments), [{"segment": segment, "first_time": min(times), "last_time": max(times)}]
    )


async def describe(
    connection: AsyncConnection, start: int, stop: int, *, among: Callable[[bytes], bool] = bool
) -> list[Described]:
    """Return the entries from ``start`` to before ``stop``, in order, with what they are found by.

    ``among`` says of an entry's canonical bytes whether it may be wanted: to read one takes longest.
    """
    rows = (await connection.scalars(_RANGE, {"start": start, "stop": stop})).all()
    entries = [read_whole(content) for content in rows if among(content)]
    types = await _types(connection, entries)
    shown = await _shown(connection, entries)
    return [
        Described(
            index=entry["index"],
            time=entry["time"],
            jurisdictions=frozenset(entry["jurisdictions"]),
            terms=terms_of(entry, types.get(entry["alert_id"])),
            own=_looked_at(entry, shown),
        )
        for entry in entries
    ]


def pack(offsets: Sequence[int]) -> bytes:
    """Return offsets as a segment stores them, in whichever form is shorter."""
    if 2 * len(offsets) <= _SET_SIZE:
        return struct.pack(f">{len(offsets)}H", *offsets)
    return _MARK + _bits(offsets).to_bytes(_SET_SIZE, "little")


def unpack(stored: bytes) -> int:
    """Return the offsets that ``pack`` wrote as a set of bits: that of weight 2^n for the offset n."""
    if len(stored) % 2:
        return int.from_bytes(stored[len(_MARK) :], "little")
    return _bits(struct.unpack(f">{len(stored) // 2}H", stored))


def offsets_in(bits: int) -> Sequence[int]:
    """Return the offsets in a set of bits, rising."""
    digits = f"{bits:b}".encode()[::-1].translate(_DIGITS)  # the bytes 0 and 1, that of the offset 0 first
    return tuple(compress(range(len(digits)), digits))


def _bits(offsets: Sequence[int]) -> int:
    bits = 0
    for offset in offsets:
        bits |= 1 << offset
    return bits


async def _types(connection: AsyncConnection, entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the types of the alerts that some entries are about, from their acceptances."""
    types = {each["alert_id"]: each["content"]["type"] for each in entries if each["kind"] == Kind.ACCEPTED}
    missing = sorted({each["alert_id"] for each in entries if each["alert_id"] is not None} - types.keys())
    for start in range(0, len(missing), _LOOKED_UP_AT_ONCE):
        wanted = missing[start : start + _LOOKED_UP_AT_ONCE]
        rows = await connection.execute(_ACCEPTANCES, {"wanted": wanted})
        types |= {row.alert_id: read_whole(row.content)["content"]["type"] for row in rows}
    return types


async def _shown(
    connection: AsyncConnection, entries: Sequence[Mapping[str, Any]]
) -> dict[int, tuple[str, Sequence[str]]]:
    """Return of what queries showed the alert and the parties, where it was about an alert."""
    wanted = sorted({index for each in entries if each["kind"] == Kind.QUERIED for index in each["content"]["shown"]})
    found: dict[int, tuple[str, Sequence[str]]] = {}
    for start in range(0, len(wanted), _LOOKED_UP_AT_ONCE):
        rows = await connection.execute(_SHOWN, {"wanted": wanted[start : start + _LOOKED_UP_AT_ONCE]})
        found |= {row.log_index: (row.alert_id, read_whole(row.content)["jurisdictions"]) for row in rows}
    return found


def _looked_at(
    entry: Mapping[str, Any], shown: Mapping[int, tuple[str, Sequence[str]]]
) -> Mapping[str, frozenset[str]]:
    """Return by which terms whoever was looked at finds a query: each jurisdiction by the alerts that are its own."""
    if entry["kind"] != Kind.QUERIED:
        return {}
    own: defaultdict[str, set[str]] = defaultdict(set)
    if entry["alert_id"] is not None:  # of a bundle of evidence, whose parties are those of the alert's own entries
        for jurisdiction in entry["jurisdictions"]:
            own[jurisdiction].add(f"looked:{entry['alert_id']}")
    for index in entry["content"]["shown"]:
        alert_id, parties = shown.get(index, ("", ()))
        for jurisdiction in parties:
            own[jurisdiction].add(f"looked:{alert_id}")
    return {jurisdiction: frozenset(terms) for jurisdiction, terms in own.items()}


_RANGE: Final = (
    select(log_entries.c.content)
    .where(log_entries.c.log_index >= bindparam("start"), log_entries.c.log_index < bindparam("stop"))
    .order_by(log_entries.c.log_index)
)
_ACCEPTANCES: Final = select(log_entries.c.alert_id, log_entries.c.content).where(
    log_entries.c.alert_id.in_(bindparam("wanted", expanding=True)), log_entries.c.kind == Kind.ACCEPTED.value
)
_SHOWN: Final = select(log_entries.c.log_index, log_entries.c.alert_id, log_entries.c.content).where(
    log_entries.c.log_index.in_(bindparam("wanted", expanding=True)), log_entries.c.alert_id.is_not(None)
)

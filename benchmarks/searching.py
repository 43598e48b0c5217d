"""How long an auditor's page takes to find, and its entries to be proven, in a large log on SQLite.

The log is that of ``log_verification``: three entries an alert, to one of two partners. Each question is asked from
many places of the log; the first page and one that finds nothing, which reads the whole index, are asked too.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from audit.proofs import inclusion
from audit.queries import entries_at
from audit.search import Search, search
from audit.segments import SEGMENT, build
from benchmarks import log_verification
from benchmarks.process import machine_ticks, peak_mb
from schemas.ids import JurisdictionCode

QUEBEC: Final = JurisdictionCode("CA-QC")
LIMIT: Final = 50
ASKED: Final = 200
"""How often each question is asked."""
QUESTIONS: Final[Mapping[str, frozenset[str]]] = {
    "everything": frozenset(),
    "kind": frozenset({"kind:routed"}),
    "participant": frozenset({"participant:us-vt.vsp"}),
    "clause": frozenset({"clause:ca-qc.us-ny.crime-2008/1#3"}),
    "type and party": frozenset({"type:law-enforcement/stolen-vehicle/v1", "with:US-NY"}),
    "word": frozenset({"word:0000077"}),
    "nothing": frozenset({"kind:accepted", "clause:ca-qc.us-ny.crime-2008/1#3"}),
}


@dataclass(frozen=True, slots=True)
class Searching:
    """Milliseconds, by question (p50, p99), of a page and of a proof; seconds to index; bytes an entry takes."""

    entries: int
    pages: Mapping[str, tuple[float, float]]
    proof: tuple[float, float]
    index_seconds: float
    index_bytes: float
    entry_bytes: float
    peak_mb: float
    stolen_share: float


def measure(*, entries: int) -> Searching:
    """Build a log in this process, index it, and ask."""
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        return asyncio.run(_measure(Path(directory) / "log.sqlite", entries))


async def _measure(database: Path, entries: int) -> Searching:
    await log_verification.build(log_verification.on_sqlite(database), entries=entries)
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
    chance = random.Random(1)
    async with engine.connect() as connection:
        before, ticks = await _size(connection), machine_ticks()
        began = time.perf_counter()
        for segment in range(entries // SEGMENT):
            await build(connection, segment)
            await connection.commit()
        indexed = time.perf_counter() - began
        after = await _size(connection)
        pages = {name: await _pages(connection, terms, entries, chance) for name, terms in QUESTIONS.items()}
        proof = _spread([await _proof(connection, chance.randrange(entries), entries) for _ in range(ASKED)])
        stolen = machine_ticks().stolen_since(ticks)
    await engine.dispose()
    return Searching(
        entries=entries,
        pages=pages,
        proof=proof,
        index_seconds=indexed,
        index_bytes=(after - before) / entries,
        entry_bytes=after / entries,
        peak_mb=peak_mb(),
        stolen_share=stolen,
    )


async def _pages(
    connection: AsyncConnection, terms: frozenset[str], entries: int, chance: random.Random
) -> tuple[float, float]:
    places = [-1, *(chance.randrange(entries) for _ in range(ASKED - 1))]
    return _spread([await _page(connection, Search(terms, after=place), entries) for place in places])


async def _page(connection: AsyncConnection, wanted: Search, entries: int) -> float:
    """Return the milliseconds that a page takes to be found and read."""
    began = time.perf_counter()
    found = await search(connection, wanted, scope=QUEBEC, size=entries, limit=LIMIT)
    await entries_at(connection, found.indexes)
    return (time.perf_counter() - began) * 1000


async def _proof(connection: AsyncConnection, index: int, entries: int) -> float:
    began = time.perf_counter()
    await inclusion(connection, index, entries)
    return (time.perf_counter() - began) * 1000


def _spread(milliseconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def _size(connection: AsyncConnection) -> int:
    pages = await connection.scalar(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
    return int(pages or 0)

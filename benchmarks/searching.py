"""How long an auditor's page takes to find, and its entries to be proven, as a log grows, on SQLite and PostgreSQL.

The log is that of ``log_verification``: three entries an alert, to one of two partners. Each question is asked from
many places of the log; the first page and one that finds nothing, which reads the whole index, are asked too. The log
is also verified whole.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from audit.proofs import inclusions
from audit.queries import entries_at
from audit.search import Search, search
from audit.segments import SEGMENT, build
from audit.tables import checkpoints, log_entries, log_parties, log_postings, log_segments, log_tiles
from benchmarks import log_verification
from benchmarks.log_verification import Verification
from benchmarks.process import machine_ticks, peak_mb
from benchmarks.stage import MeasurementError
from schemas.ids import JurisdictionCode

QUEBEC: Final = JurisdictionCode("CA-QC")
LIMIT: Final = 50
ASKED: Final = 200
"""How often each question is asked."""
ROOM: Final = 1_600
"""Bytes of disk that an entry may take while its log is built, with its indexes and what is written ahead."""
LOG_TABLES: Final = (log_entries, log_parties, log_tiles, log_segments, log_postings, checkpoints)
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
    """A log of one size on one engine.

    Milliseconds, by question (p50, p99), of a page; of a proof, and of the proofs of a page's fifty entries; of the
    slowest checkpoint after 100,000 entries; seconds to append and to index; bytes an entry takes.
    """

    engine: str
    entries: int
    pages: Mapping[str, tuple[float, float]]
    proof: tuple[float, float]
    proofs: tuple[float, float]
    checkpoint_ms: float
    append_seconds: float
    index_seconds: float
    index_bytes: float
    entry_bytes: float
    verification: Verification
    peak_mb: float
    stolen_share: float


def measure_on_sqlite(*, entries: int) -> Searching:
    """Build a log in this process, index it, ask, and verify it in others.

    Raises ``MeasurementError`` where there is no room for it.
    """
    require_room(Path(tempfile.gettempdir()), entries=entries)
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        return measure(log_verification.on_sqlite(Path(directory) / "log.sqlite"), entries=entries)


def measure(place: str, *, entries: int) -> Searching:
    """Build a log in the empty database at a URL, index it, ask, and verify it.

    Raises ``CalledProcessError``, and ``MeasurementError`` where there is no room for it.
    """
    require_room(Path(tempfile.gettempdir()), entries=entries)
    return asyncio.run(_measure(place, entries))


def require_room(folder: Path, *, entries: int) -> None:
    """Refuse a log whose database, and what it writes ahead, would leave a disk without room."""
    needed, free = entries * ROOM, shutil.disk_usage(folder).free
    if free < 2 * needed:
        raise MeasurementError(f"a log of {entries:,} entries may need {needed >> 20:,} MiB; {free >> 20:,} are free")


async def _measure(place: str, entries: int) -> Searching:
    ticks, began = machine_ticks(), time.perf_counter()
    built = await log_verification.build(place, entries=entries)
    appended = time.perf_counter() - began
    engine = create_async_engine(place)
    chance = random.Random(1)
    async with engine.connect() as connection:
        before, began = await _size(connection), time.perf_counter()
        await _index(connection, entries)
        indexed = time.perf_counter() - began
        after = await _size(connection)
        pages = {name: await _pages(connection, terms, entries, chance) for name, terms in QUESTIONS.items()}
        proof, proofs = [
            _spread([await _proofs(connection, chance, entries, count) for _ in range(ASKED)]) for count in (1, LIMIT)
        ]
        name = connection.dialect.name
    await engine.dispose()
    verification = await asyncio.to_thread(log_verification.measured, place, vkey=built.vkey)
    return Searching(
        engine=name,
        entries=entries,
        pages=pages,
        proof=proof,
        proofs=proofs,
        checkpoint_ms=max(built.checkpoint_ms),
        append_seconds=appended,
        index_seconds=indexed,
        index_bytes=(after - before) / entries,
        entry_bytes=after / entries,
        verification=verification,
        peak_mb=peak_mb(),
        stolen_share=machine_ticks().stolen_since(ticks),
    )


async def _index(connection: AsyncConnection, entries: int) -> None:
    for segment in range(entries // SEGMENT):
        await build(connection, segment)
        await connection.commit()
    if connection.dialect.name == "postgresql":
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in LOG_TABLES:  # as its autovacuum does in time
            await connection.exec_driver_sql(f"VACUUM ANALYZE {table.name}")


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


async def _proofs(connection: AsyncConnection, chance: random.Random, entries: int, count: int) -> float:
    """Return the milliseconds that the proofs of some entries take, which stand near each other as a page's do."""
    first, began = chance.randrange(entries - 3 * count), time.perf_counter()
    await inclusions(connection, range(first, first + 3 * count, 3), entries)
    return (time.perf_counter() - began) * 1000


def _spread(milliseconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def _size(connection: AsyncConnection) -> int:
    """Return the bytes that the log takes, with its indexes."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        names = ", ".join(f"('{table.name}')" for table in LOG_TABLES)
        asked = f"SELECT sum(pg_total_relation_size(name::regclass)) FROM (VALUES {names}) AS tables (name)"  # noqa: S608 - constants
    return int(await connection.scalar(text(asked)) or 0)

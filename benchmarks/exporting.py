"""How fast a large log is exported, in each format, and in how much memory: from SQLite, each in a process of its own.

The log is that of ``log_verification``, indexed. What goes out is counted and thrown away; the two entries that an
export adds to the log are not what is measured, and are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import orjson
from sqlalchemy.ext.asyncio import create_async_engine

from agreements.book import Book
from audit.checkpoints import Checkpoint
from audit.exporting.formats import Format
from audit.log import read_head
from audit.segments import SEGMENT, build
from benchmarks import log_verification
from benchmarks.process import machine_ticks, peak_mb
from gateway.clock import system_clock
from gateway.inquiry.asked import read_filters
from gateway.inquiry.exporting import Exports, ManifestSigner, Wanted
from gateway.inquiry.reports import Report
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.sealing.contents import Contents
from gateway.sealing.folder import KeyFolder
from gateway.sealing.kek import LocalKey
from gateway.store.committer import Committer
from gateway.store.engine import open_sqlite
from gateway.store.reader import Reader
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.signing.jws import Unverified, verify
from schemas.signing.keys import PublicKey, SigningKey

ROOT: Final = Path(__file__).parent.parent
_READER: Final = Reader(ParticipantId("ca-qc.cai"), JurisdictionCode("CA-QC"), auditor=True)


@dataclass(frozen=True, slots=True)
class Exported:
    """One export: ``grown_mb`` is how much more memory the process took than before it began, MiB."""

    form: str
    entries: int
    seconds: float
    archive_bytes: int
    peak_mb: float
    grown_mb: float
    stolen_share: float


def measure(*, entries: int) -> list[Exported]:
    """Build a log in this process and export it in others. Raises ``subprocess.CalledProcessError``."""
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        database = Path(directory) / "log.sqlite"
        asyncio.run(_prepare(database, entries))
        ran = [
            subprocess.run(_command(database, form), cwd=ROOT, stdout=subprocess.PIPE, check=True) for form in Format
        ]
    return [Exported(**orjson.loads(each.stdout)) for each in ran]


def _command(database: Path, form: Format) -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.exporting", "--database", str(database), "--format", form.value]


async def _prepare(database: Path, entries: int) -> None:
    place = f"sqlite+aiosqlite:///{database}"
    await log_verification.build(place, entries=entries)
    engine = create_async_engine(place)
    async with engine.connect() as connection:
        for segment in range(entries // SEGMENT):
            await build(connection, segment)
            await connection.commit()
    await engine.dispose()


async def export(database: Path, form: Format) -> Exported:
    """Export the whole log of a database in this process."""
    store = open_sqlite(database)
    async with store.reading() as connection:
        head = await read_head(connection)
    key = SigningKey.generate(KeyId("benchmarks.receipt"), "Ed25519")
    exports = Exports(
        store=store,
        contents=Contents(
            KeyFolder(database.parent, LocalKey(bytes(32), randomness=os.urandom), randomness=os.urandom),
            clock=system_clock,
        ),
        committer=cast("Committer", _Uncommitted()),
        checkpoints=_Covering(Checkpoint("benchmarks", head.size, head.root, "", "")),
        signer=ManifestSigner(key.public, _InPlace(key), "benchmarks"),
        book=Book,
        limiter=RateLimiter(Rate(per_second=1.0, burst=1)),
        clock=system_clock,
    )
    export = await exports.begin(Wanted(_READER, read_filters({}, after=-1), Report.ENTRIES, form, "measured"))
    before, began, ticks, size = peak_mb(), time.perf_counter(), machine_ticks(), 0
    async for part in export.stream():
        size += len(part)
    seconds, stolen = time.perf_counter() - began, machine_ticks().stolen_since(ticks)
    export.close()
    await store.close()
    return Exported(form.value, head.size, seconds, size, peak_mb(), peak_mb() - before, stolen)


class _Uncommitted:
    async def submit(self, _writer: object, _draft: object) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class _Covering:
    latest: Checkpoint


@dataclass(frozen=True, slots=True)
class _InPlace:
    """Signatures, without a process to start and end."""

    key: SigningKey

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        return verify(unverified, key)

    async def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        return [self.key.sign(message) for message in messages]


def main() -> None:
    """Measure, or export the database that a measuring process has built."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exporting", description="Export a large log.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="export this one, instead of building one")
    parser.add_argument("--format", type=Format, choices=tuple(Format), default=Format.NDJSON)
    options = parser.parse_args()
    if options.database is None:
        result: object = [asdict(each) for each in measure(entries=options.entries)]
    else:
        result = asdict(asyncio.run(export(options.database, options.format)))
    sys.stdout.write(orjson.dumps(result).decode() + "\n")


if __name__ == "__main__":
    main()

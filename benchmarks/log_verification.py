"""How long the whole log takes to verify, and how much memory: entries appended by audit itself, on SQLite.

The log is built in one process and verified in another, so that what is measured is the verification alone. Entries
come as alerts make them: accepted, routed, delivered. Checkpoints are signed on the way.

Run as ``python -m benchmarks.log_verification --entries N``; prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from audit.checkpoints import PublishedState, publish
from audit.entry import Draft, Kind
from audit.log import initialise, open_batch
from audit.note import LogSigner
from audit.tables import metadata
from audit.verify import verify_database
from benchmarks.process import ROOT, machine_ticks, peak_mb
from schemas.ids import AlertId, JurisdictionCode, KeyId, ParticipantId, home_of, uuid7
from schemas.signing.keys import SigningKey

_ORIGIN = "benchmarks.lacolle.example/log"
_BATCH = 5_000
_CHECKPOINT_EVERY = 20
"""Batches from one checkpoint to the next."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying took: seconds, the most memory the process held, in MiB, and what the host stole meanwhile."""

    entries: int
    seconds: float
    peak_mb: float
    stolen_share: float


async def build(database: Path, *, entries: int) -> str:
    """Append entries to a new log and return the verifier key of its checkpoints."""
    signer = LogSigner(_ORIGIN, SigningKey.generate(KeyId("benchmarks.log"), "Ed25519"))
    published = PublishedState(database.with_suffix(".checkpoint"))
    engine = _engine(database)
    async with engine.connect() as connection:
        # The log is thrown away: how durably it is built is not what is measured.
        await connection.exec_driver_sql("PRAGMA journal_mode=OFF")
        await connection.exec_driver_sql("PRAGMA synchronous=OFF")
        await connection.run_sync(metadata.create_all)
        await initialise(connection)
        await connection.commit()
        for number, first in enumerate(range(0, entries, _BATCH), 1):
            now = _EPOCH + timedelta(seconds=number)
            batch = await open_batch(connection, now=now, randomness=os.urandom)
            for index in range(first, min(first + _BATCH, entries)):
                batch.append(_draft(index, now))
            await batch.write()
            await connection.commit()
            if number % _CHECKPOINT_EVERY == 0 or first + _BATCH >= entries:
                await publish(connection, signer, published, now)
    await engine.dispose()
    return signer.verifier.vkey


async def verify(database: Path, *, vkey: str, progress: Callable[[int, int], None]) -> Verification:
    """Verify the log of a database in this process. Raises ``LogVerificationError``."""
    engine = _engine(database)
    async with engine.connect() as connection, connection.begin():
        began, ticks = time.perf_counter(), machine_ticks()
        verified = await verify_database(connection, vkey=vkey, progress=progress)
        seconds, stolen = time.perf_counter() - began, machine_ticks().stolen_since(ticks)
    await engine.dispose()
    return Verification(entries=verified.size, seconds=seconds, peak_mb=peak_mb(), stolen_share=stolen)


def measure(*, entries: int) -> Verification:
    """Build a log in this process and verify it in another. Raises ``subprocess.CalledProcessError``."""
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        database = Path(directory) / "log.sqlite"
        vkey = asyncio.run(build(database, entries=entries))
        command = [sys.executable, "-m", "benchmarks.log_verification", "--database", str(database), "--vkey", vkey]
        ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Verification(**orjson.loads(ran.stdout))


def _engine(database: Path) -> AsyncEngine:
    return create_async_engine(URL.create("sqlite+aiosqlite", database=str(database)))


def _draft(index: int, now: datetime) -> Draft:
    """Return an entry; three in a row are an alert's: it is accepted, routed to one partner, delivered."""
    alert_id = AlertId(uuid7(at=now, randomness=(index // 3).to_bytes(10)))
    delivery_id = uuid7(at=now, randomness=index.to_bytes(10))
    number, recipient = index // 3, ("us-ny.nysp", "us-vt.vsp")[index // 3 % 2]
    mix: tuple[tuple[Kind, dict[str, str | int]], ...] = (
        (
            Kind.ACCEPTED,
            {
                "identifier": f"SQ-2026-{number:07d}",
                "type": "law-enforcement/stolen-vehicle/v1",
                "digest": f"sha-256:{number:064x}",
                "kid": "ca-qc.sq.2026",
            },
        ),
        (
            Kind.ROUTED,
            {
                "delivery_id": delivery_id,
                "recipient": recipient,
                "lane": "routine",
                "clause": "ca-qc.us-ny.crime-2008/1#3",
            },
        ),
        (
            Kind.DELIVERED,
            {"delivery_id": delivery_id, "recipient": recipient, "attempt": 1, "detail": "http 204"},
        ),
    )
    kind, content = mix[index % 3]
    parties = (JurisdictionCode("CA-QC"), home_of(ParticipantId(recipient)))
    return Draft(kind, ParticipantId("ca-qc.sq"), parties, alert_id, None, content)


def main() -> None:
    """Measure, or verify the database that a measuring process has built."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.log_verification", description="Verify a large log.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="verify this one, instead of building one")
    parser.add_argument("--vkey", default="", help="the verifier key of its checkpoints")
    options = parser.parse_args()
    if options.database is None:
        result = measure(entries=options.entries)
    else:
        result = asyncio.run(verify(options.database, vkey=options.vkey, progress=lambda _done, _total: None))
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")


if __name__ == "__main__":
    main()

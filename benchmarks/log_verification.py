"""How long the whole log takes to verify, and how much memory: entries appended by audit itself.

The log is built in one process and verified in others, one for each processor, so that what is measured is the
verification alone. Entries come as alerts make them: accepted, routed, delivered. Checkpoints are signed on the way.

Run as ``python -m benchmarks.log_verification --entries N``; prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from audit.checkpoints import PublishedState, publish
from audit.entry import Draft
from audit.kinds import Kind
from audit.log import initialise, open_batch
from audit.note import LogSigner
from audit.sharing import Sharing
from audit.tables import metadata
from audit.verify import verify_database
from benchmarks.process import ROOT, machine_ticks
from schemas.ids import AlertId, JurisdictionCode, KeyId, ParticipantId, home_of, uuid7
from schemas.signing.canonical import PlainValue
from schemas.signing.keys import SigningKey

_ORIGIN = "benchmarks.lacolle.example/log"
_BATCH = 5_000
_CHECKPOINT_EVERY = 20
"""Batches from one checkpoint to the next."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying took: seconds, processor time, the most memory a process held, in MiB, what the host stole."""

    entries: int
    processes: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    stolen_share: float


@dataclass(frozen=True, slots=True)
class Built:
    """A log that was built: the verifier key of its checkpoints, and the milliseconds that each of them took."""

    vkey: str
    checkpoint_ms: tuple[float, ...]


async def build(place: str, *, entries: int) -> Built:
    """Append entries to a new log in the database at a URL (``sqlite+aiosqlite:``, ``postgresql+asyncpg:``)."""
    signer = LogSigner(_ORIGIN, SigningKey.generate(KeyId("benchmarks.log"), "Ed25519"))
    took: list[float] = []
    engine = create_async_engine(place)
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        published = PublishedState(Path(directory) / "checkpoint")
        async with engine.connect() as connection:
            await _initialise(connection)
            for number, first in enumerate(range(0, entries, _BATCH), 1):
                now = _EPOCH + timedelta(seconds=number)
                batch = await open_batch(connection, now=now, randomness=os.urandom, keeper=_Sealing())
                for index in range(first, min(first + _BATCH, entries)):
                    batch.append(_draft(index, now))
                await batch.write()
                await connection.commit()
                if number % _CHECKPOINT_EVERY == 0 or first + _BATCH >= entries:
                    began = time.perf_counter()
                    await publish(connection, signer, published, now)
                    took.append((time.perf_counter() - began) * 1000)
    await engine.dispose()
    return Built(signer.verifier.vkey, tuple(took))


async def _initialise(connection: AsyncConnection) -> None:
    # The log is thrown away: how durably it is built is not what is measured.
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA journal_mode=OFF")
        await connection.exec_driver_sql("PRAGMA synchronous=OFF")
    else:
        await connection.exec_driver_sql("SET synchronous_commit=off")
    await connection.run_sync(metadata.create_all)
    await initialise(connection)
    await connection.commit()


async def verify(place: str, *, vkey: str, progress: Callable[[int, int], None], processes: int = 1) -> Verification:
    """Verify the log of a database, in this process or in several. Raises ``LogVerificationError``."""
    sharing = Sharing(processes, partial(_reading, place))
    async with _reading(place) as connection:
        began, ticks = time.perf_counter(), machine_ticks()
        verified = await verify_database(connection, vkey=vkey, progress=progress, sharing=sharing)
        seconds, stolen = time.perf_counter() - began, machine_ticks().stolen_since(ticks)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Verification(
        entries=verified.size,
        processes=processes,
        seconds=seconds,
        cpu_seconds=sum(each.ru_utime + each.ru_stime for each in used),
        peak_mb=max(each.ru_maxrss for each in used) / 1024,
        stolen_share=stolen,
    )


def measure(*, entries: int) -> Verification:
    """Build a log on SQLite in this process and verify it in others. Raises ``subprocess.CalledProcessError``."""
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        place = on_sqlite(Path(directory) / "log.sqlite")
        return measured(place, vkey=asyncio.run(build(place, entries=entries)).vkey)


def measured(place: str, *, vkey: str) -> Verification:
    """Verify a log that was built, in a process of its own for each processor. Raises as ``measure``."""
    command = [sys.executable, "-m", "benchmarks.log_verification", "--place", place, "--vkey", vkey]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Verification(**orjson.loads(ran.stdout))


def on_sqlite(database: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{database}"


@asynccontextmanager
async def _reading(place: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that sees one state."""
    isolation = {} if place.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
    engine = create_async_engine(place, **isolation)
    async with engine.connect() as connection, connection.begin():
        yield connection
    await engine.dispose()


class _Sealing:
    """Keeps what entries withhold as an exchange does, without its keys."""

    def __init__(self) -> None:
        self._cipher = AESGCM(bytes(32))

    def keep(self, disclosures: bytes, *, entry: bytes) -> bytes:
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._cipher.encrypt(nonce, disclosures, entry)


def _draft(index: int, now: datetime) -> Draft:
    """Return an entry; three in a row are an alert's: it is accepted, routed to one partner, delivered."""
    alert_id = AlertId(uuid7(at=now, randomness=(index // 3).to_bytes(10)))
    delivery_id = uuid7(at=now, randomness=index.to_bytes(10))
    number, recipient = index // 3, ("us-ny.nysp", "us-vt.vsp")[index // 3 % 2]
    mix: tuple[tuple[Kind, dict[str, PlainValue]], ...] = (
        (
            Kind.ACCEPTED,
            {
                "identifier": f"SQ-2026-{number:07d}",
                "payload_digest": f"sha-256:{number:064x}",
                "words": ["2026", "sqx", f"{number % 65_536:x}"],
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
    parser.add_argument("--place", help="the URL of one to verify, instead of building one")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--vkey", default="", help="the verifier key of its checkpoints")
    options = parser.parse_args()
    if options.place is None:
        result = measure(entries=options.entries)
    else:
        work = verify(
            options.place, vkey=options.vkey, progress=lambda _done, _total: None, processes=options.processes
        )
        result = asyncio.run(work)
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")


if __name__ == "__main__":
    main()

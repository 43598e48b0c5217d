"""What the gateway's tests stand on: a real database, a committer that runs, a clock that is set by hand."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import orjson
import pytest
from sqlalchemy import Row, select, text

from agreements.book import Book
from agreements.signed import VerifiedAgreement
from audit.entry import Draft
from audit.kinds import Kind
from audit.log import initialise
from audit.queries import entries_at
from audit.tables import log_entries
from gateway.clock import Clock
from gateway.intake.enrol import Enrolment, OwnKids
from gateway.intake.identification import Identification
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.log.doubts import Doubts
from gateway.receipts import ReceiptSigner
from gateway.relaying.copies import Copies
from gateway.sealing.contents import Contents
from gateway.sealing.folder import KeyFolder
from gateway.sealing.kek import LocalKey
from gateway.sealing.words import keeping_for
from gateway.store.acceptance import AcceptanceWriter
from gateway.store.committer import Batch, Committer
from gateway.store.disclosed import ReadEntry, read_entries
from gateway.store.dispatches import Route
from gateway.store.engine import Store, open_postgres, open_sqlite
from gateway.store.placing import Acceptance, Keeping
from gateway.store.schema import upgrade
from gateway.store.tables import dispatches
from gateway.store.threads import Thread
from gateway.trust.assay import Assayed
from gateway.trust.registry import CurrentRegistry
from schemas.alerts.catalogue import parse_alert
from schemas.decisions import ClauseRef, Lane, Permit, Reason
from schemas.ids import AgreementId, AlertId, DeliveryId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.registry import Registry
from schemas.signing.jws import Unverified, verify
from schemas.signing.keys import PublicKey, SigningKey
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.agreements import builders

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OWN_KIDS = OwnKids(frozenset({KeyId("exchange.example.log:receipt"), KeyId("Transport-1")}), "exchange.example/log")
"""What the exchange's own keys are called."""
WORDS_DAYS = 30
"""Days for which what entries withhold, and is no alert's, is kept."""
ORIGIN = "gateway.example/log"
SQ = ParticipantId("ca-qc.sq")
NYSP = ParticipantId("us-ny.nysp")
VSP = ParticipantId("us-vt.vsp")
KID = KeyId("ca-qc.sq:1")
KEK = LocalKey(bytes(range(32)), randomness=os.urandom)
RECEIPT_KEY = SigningKey.generate(KeyId("exchange:receipt"), "Ed25519")


@dataclass(slots=True)
class HandClock:
    """A clock that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Return the time it was set to."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self.now += timedelta(seconds=seconds)

    @property
    def ms(self) -> int:
        """The time in milliseconds since the Unix epoch."""
        return int(self.now.timestamp() * 1000)


@dataclass(slots=True)
class Ground:
    """A store with an empty log and the one committer that writes to it; ``batches`` are the sizes it wrote."""

    store: Store
    committer: Committer
    clock: HandClock
    writing: asyncio.Task[None]
    doubts: Doubts
    batches: list[int] = field(default_factory=list)

    async def tamper(self, statement: str) -> None:
        """Change the database behind everybody's back, past the triggers that guard it."""
        async with self.store.writer.begin() as connection:
            if self.store.shared:
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(text(statement))

    async def entries(self) -> list[dict[str, Any]]:
        """Return every entry of the log, in order."""
        async with self.store.reading() as connection:
            rows = await connection.execute(select(log_entries.c.content).order_by(log_entries.c.log_index))
            return [orjson.loads(content) for (content,) in rows]

    async def told(self, opened_by: Contents | None = None) -> tuple[ReadEntry, ...]:
        """Return every entry with what it withholds, opened by some keys: those of this process's folder, or others."""
        async with self.store.reading() as connection:
            indexes = (await connection.scalars(select(log_entries.c.log_index))).all()
            return await read_entries(connection, opened_by or contents(), await entries_at(connection, indexes))

    async def kinds(self) -> list[str]:
        """Return the kinds of every entry, in order."""
        return [entry["kind"] for entry in await self.entries()]

    async def dispatches(self) -> list[Row[Any]]:
        """Return every dispatch, in log order."""
        async with self.store.reading() as connection:
            return list(await connection.execute(select(dispatches).order_by(dispatches.c.log_index)))

    async def dispatch(self, delivery_id: DeliveryId) -> Row[Any]:
        """Return one dispatch."""
        (row,) = [row for row in await self.dispatches() if row.delivery_id == delivery_id]
        return row


def place_on(database: str, request: pytest.FixtureRequest, folder: Path) -> Path | str:
    """Return where a test's store is: in a folder on SQLite, at the URL of the test's own database on PostgreSQL."""
    match database:
        case "sqlite":
            return folder
        case "postgres":
            return str(request.getfixturevalue("postgres_database"))
        case other:
            pytest.fail(f"no such database: {other}")


@asynccontextmanager
async def open_ground(
    place: Path | str,
    *,
    prepare: Callable[[Store], None] = lambda _store: None,
    max_batch: int = 256,
    max_waiting: int = 4096,
    seed: int = 2026,
    words: Contents | None = None,
) -> AsyncIterator[Ground]:
    """Yield a ground in a folder, on SQLite, or at the URL of a PostgreSQL database that has the schema.

    ``prepare`` may listen to the store's engines before their first use; ``words`` seals what entries withhold.
    """
    store = open_postgres(place) if isinstance(place, str) else open_sqlite(_database(place))
    clock, batches = HandClock(), list[int]()
    prepare(store)
    committer = Committer(
        store.writer,
        clock=clock,
        randomness=Random(seed).randbytes,  # noqa: S311 - the same salts and ids each time; they protect nothing here
        new_keeper=keeping_for(words or contents(), days=WORDS_DAYS),
        max_batch=max_batch,
        max_waiting=max_waiting,
        observe=lambda items, _seconds: batches.append(items),
    )
    writing = asyncio.create_task(committer.run())
    doubts = Doubts(store, clock=clock, on_change=committer.hold)
    try:
        yield Ground(store, committer, clock, writing, doubts, batches)
    finally:
        committer.close()
        with suppress(Exception):  # what a test makes it fail with is the test's to look at
            await writing
        await store.close()


def _database(folder: Path) -> Path:
    """Return the place of a database in a folder, and put an empty one there, unless there is one."""
    path = folder / "exchange.sqlite3"
    if not path.exists():
        path.write_bytes(_empty())
    return path


@cache
def _empty() -> bytes:
    """Return a database with its schema and an empty log, made once: the pattern of all others."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as elsewhere:  # than in the loop that runs here
        path = Path(folder) / "empty.sqlite3"
        elsewhere.submit(asyncio.run, _make(path)).result()
        return path.read_bytes()


async def _make(path: Path) -> None:
    store = open_sqlite(path)
    await upgrade(store.writer)
    async with store.writer.begin() as connection:
        await initialise(connection)
    await store.close()


def draft(text: str) -> Draft:
    """Return an entry to be logged."""
    return Draft(
        kind=Kind.REFUSED,
        actor=SQ,
        jurisdictions=(JurisdictionCode("CA-QC"),),
        alert_id=None,
        agreement=None,
        content={"digest": "sha-256:00", "kid": KID, "problem": text},
    )


@cache
def agreement() -> VerifiedAgreement:
    """Return the agreement that every ``permit`` is under, in force for two years."""
    return builders.verified(
        builders.document(
            builders.grant(to=["US-NY", "US-VT"]),
            parties=["CA-QC", "US-NY", "US-VT"],
            valid={"from": "2026-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"},
        )
    )


def agreed() -> CurrentRegistry:
    """Return a registry with that agreement, and nobody to send under it."""
    found = Assayed(Book.of([agreement()]))
    return CurrentRegistry(Registry.of(builders.jurisdictions(), []), found)


def permit(recipient: ParticipantId, lane: Lane = Lane.ROUTINE, *, clause: str = "1.1") -> Permit:
    """Return the decision that a recipient receives."""
    under = ClauseRef(AgreementId("ca-qc.us-ny.test"), 1, clause)
    return Permit(recipient, home_of(recipient), under, lane, Reason("granted", (("clause", str(under)),)))


def acceptance(
    identifier: str,
    *permits: Permit,
    sender: ParticipantId = SQ,
    thread: AlertId | None = None,
    references: tuple[str, ...] = (),
    reached: Mapping[ParticipantId, ClauseRef] | None = None,
    content: str = "",
    kid: KeyId = KID,
    lasts: float = 3600.0,
) -> Acceptance:
    """Return an alert as the committer is given it; another ``content`` makes another payload of the same name.

    One of a ``thread`` was decided when that had ``reached`` some; without ``references`` nobody asks again.
    """
    alert = parse_alert(stolen_vehicle(identifier, sender=sender))
    payload = f"{identifier} {content}".encode()
    submission = b"head." + payload + b".signature"
    return Acceptance(
        alert=alert,
        home=home_of(sender),
        kid=kid,
        submission=submission,
        submission_digest=hashlib.sha256(submission).digest(),
        payload_digest=hashlib.sha256(payload).digest(),
        references=references,
        thread=None if thread is None else Thread(first=thread, reached=dict(reached or {})),
        decisions=permits,
        deadline_ms=int((START + timedelta(seconds=lasts)).timestamp() * 1000),
    )


def stolen_vehicle(identifier: str, *, sender: str = SQ, now: datetime = START, **header: object) -> dict[str, Any]:
    """Return the smallest stolen-vehicle alert, in its native form, sent at ``now``."""
    levels = {"urgency": "Immediate", "severity": "Severe", "certainty": "Observed"}
    return {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": identifier,
        "sender": sender,
        "sent": now.isoformat(timespec="seconds"),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "handling": {"tlp": "AMBER", "codes": [], "purpose": "criminal-investigation"},
        "info": [{"language": "en-CA", "category": ["Security"], "event": "Stolen vehicle", **levels}],
        "body": {
            "vehicle": {"plate": {"number": "ABC 123", "jurisdiction": "CA-QC"}},
            "circumstances": "Taken from a parking lot.",
        },
        **header,
    }


def acceptances(
    *,
    trusted: Callable[[KeyId, Batch], bool] = lambda _kid, _batch: True,
    routed: list[Route] | None = None,
    keeping: Keeping | None = None,
) -> AcceptanceWriter:
    """Return the writer of acceptances; ``routed`` is told which routes have something."""
    heard: list[Route] = [] if routed is None else routed

    def hear(routes: Iterable[Route]) -> None:
        heard.extend(routes)

    return AcceptanceWriter(
        ReceiptSigner(RECEIPT_KEY.public, InPlace(), origin=ORIGIN),
        keeping=keeping or Keeping(contents(), 365),
        trusted=trusted,
        on_routed=hear,
    )


@cache
def contents() -> Contents:
    """Return a door to content whose keys are in a folder of this process's, which goes with it."""
    folder = Path(mkdtemp(prefix="lacolle-content-keys-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return contents_in(folder)


def contents_in(folder: Path, *, clock: Clock = lambda: START) -> Contents:
    """Return a door to content whose keys are in a folder, which is there."""
    made = Contents(KeyFolder(folder, KEK, randomness=os.urandom), clock=clock)
    made.found_marks()
    return made


class InPlace:
    """Signatures made and verified where they are asked for, without a process to start and end."""

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Return the payload. Raises ``SignatureNotTrustedError``."""
        return verify(unverified, key)

    async def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return the receipt key's signature over each message."""
        return [RECEIPT_KEY.sign(message) for message in messages]


def identification(ground: Ground, registry: CurrentRegistry) -> Identification:
    """Return who finds out whose a signature is, by a registry and the ground's clock."""
    return Identification(registry=registry, signatures=InPlace(), clock=ground.clock)


COPIES = Copies(
    key=SigningKey.generate(KeyId("exchange.example.log:transport"), "Ed25519"), pseudonyms=Pseudonyms(bytes(range(32)))
)


def unlimited() -> RateLimiter:
    """Return a limit that nobody meets."""
    return RateLimiter(Rate(per_second=1e6, burst=1_000_000))


def enrolment_of(ground: Ground, registry: CurrentRegistry) -> Enrolment:
    """Return who takes authority statements into a registry, as many as there are."""
    return Enrolment(
        registry=registry,
        signatures=InPlace(),
        committer=ground.committer,
        limiter=unlimited(),
        clock=ground.clock,
        own=OWN_KIDS,
    )


async def accepted(ground: Ground, *items: Acceptance) -> Sequence[AlertId]:
    """Store alerts, one transaction each, and return their ids."""
    writer = acceptances()
    return [(await ground.committer.submit(writer, item)).alert_id for item in items]

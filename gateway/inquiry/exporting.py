"""Exports of the log: streamed from what a checkpoint covers, with a manifest that the exchange signs at the end.

Whoever asks gets what its jurisdiction is a party to. That it asked is in the log before the first byte goes out; what
was in the export, and whether all of it was taken, afterwards, for who was exported is known at the end alone: to the
auditor's jurisdiction in one entry, and to each other in one of its own, of its own part. No more than a chunk of rows
is in memory, however long the export.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from agreements.book import Book
from audit.checkpoints import Checkpoint
from audit.entry import Draft
from audit.exporting.archive import Archive
from audit.exporting.formats import Format, writer_of
from audit.exporting.rows import Row, RowWriter
from audit.kinds import Kind
from audit.queries import LoggedEntry, entries_at
from audit.search import Found
from audit.terms import read_whole
from gateway.clock import Clock
from gateway.errors import ExportBusyError, LogUnavailableError, NotFoundError
from gateway.inquiry.asked import Asked
from gateway.inquiry.finding import find
from gateway.inquiry.reports import COLUMNS, Report, among_kinds, rows_of
from gateway.intake.ratelimit import RateLimiter
from gateway.sealing.contents import Contents
from gateway.signatures.beside import Signatures
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.store.exports import ExportBeginWriter, ExportEnd, ExportEndWriter
from gateway.store.reader import Reader
from gateway.watching.checks import HasLatest
from schemas.exports import MANIFEST, ExportManifest
from schemas.ids import JurisdictionCode, ParticipantId
from schemas.signing.canonical import PlainValue
from schemas.signing.jws import EXPORT_MANIFEST, signing_input, with_signature
from schemas.signing.keys import PublicKey
from schemas.timestamps import utc_text

log = structlog.get_logger(__name__)

CHUNK: Final = 1_000
"""Entries that are in hand at once."""
OF_ONE: Final = 2
"""Exports that one process makes at once for one jurisdiction: who takes its own slowly holds up nobody else's."""
AT_ONCE: Final = 16
"""Exports that one process makes at once, each of which has a chunk in memory at most."""
LONGEST: Final = timedelta(hours=6)
"""How long an export may take: one that is older was left by a process that died (``gateway.inquiry.abandoning``)."""
AGAIN: Final = 0.5
"""Seconds until a log that did not take the end of an export is asked again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported, for whom, and why it says that it asks."""

    reader: Reader
    asked: Asked
    report: Report
    form: Format
    justification: str


@dataclass(frozen=True, slots=True)
class ManifestSigner:
    """Signs manifests with the exchange's key, in the name of its log."""

    key: PublicKey
    signatures: Signatures
    origin: str

    async def sign(self, manifest: ExportManifest) -> bytes:
        """Return the compact JWS. Raises what ``Signatures.sign`` raises."""
        to_sign = signing_input(manifest.canonical, key=self.key, profile=EXPORT_MANIFEST)
        (signature,) = await self.signatures.sign([to_sign])
        return with_signature(to_sign, signature)


class Exports:
    """The use case of ``GET /v1/log/exports``."""

    def __init__(
        self,
        *,
        store: Store,
        contents: Contents,
        committer: Committer,
        checkpoints: HasLatest,
        signer: ManifestSigner,
        book: Callable[[], Book],
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self.store = store
        self.contents = contents
        self.signer = signer
        self.book = book
        self.clock = clock
        self._committer = committer
        self._checkpoints = checkpoints
        self._limiter = limiter
        self._begins = ExportBeginWriter()
        self._ends = ExportEndWriter()
        self._under_way: Counter[JurisdictionCode] = Counter()
        self._beside: set[asyncio.Task[Any]] = set()

    async def begin(self, wanted: Wanted) -> Export:
        """Return an export that is in the log as begun; whoever gets it closes it.

        Raises ``FormatNotHereError``, ``RateLimitedError``, ``ExportBusyError``, ``LogUnavailableError``, and
        ``NotFoundError`` before the first checkpoint.
        """
        self._limiter.take(wanted.reader.participant, now=time.monotonic())
        checkpoint = self._checkpoints.latest
        if checkpoint is None:
            raise NotFoundError
        jurisdiction = wanted.reader.jurisdiction
        if self._under_way[jurisdiction] >= OF_ONE or self._under_way.total() >= AT_ONCE:
            raise ExportBusyError
        writer = writer_of(wanted.form, COLUMNS[wanted.report])
        self._under_way[jurisdiction] += 1
        try:
            begun = await self._committer.submit(self._begins, _begun(wanted, checkpoint))
        except BaseException:
            self._under_way[jurisdiction] -= 1
            raise
        return Export(self, wanted, checkpoint, begun, writer)

    async def end(self, end: ExportEnd) -> int | None:
        """Return the index of the first entry of an end that is in the log now; None where there was one before.

        Raises ``LogUnavailableError``.
        """
        return await self._committer.submit(self._ends, end)

    def ended(self, jurisdiction: JurisdictionCode) -> None:
        """Let another export of a jurisdiction begin."""
        self._under_way[jurisdiction] -= 1

    def beside(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return work that goes on to its end, also where the reader that it is for goes away meanwhile."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # whoever still waits for it has it, too
            log.warning("export_broken_off", error=type(error).__name__)


class Export:
    """One export under way: ``stream`` it once, and ``close`` it."""

    def __init__(self, exports: Exports, wanted: Wanted, checkpoint: Checkpoint, begun: int, writer: RowWriter) -> None:
        self._exports = exports
        self._wanted = wanted
        self._checkpoint = checkpoint
        self._begun = begun
        self._writer = writer
        self._archive = Archive()
        self._digest = hashlib.sha256()
        self._counts = (0, 0)
        self._parties = Counter[JurisdictionCode](dict.fromkeys(wanted.asked.about, 0))
        self._open = True
        self._ending: asyncio.Task[int | None] | None = None
        self._until = exports.clock() + LONGEST

    @property
    def name(self) -> str:
        """The name of the data, without what says its format: the report, and the size of the log."""
        return f"{self._wanted.report}-{self._checkpoint.size}"

    @property
    def file(self) -> str:
        """The name of the data within the archive."""
        return f"{self.name}.{self._wanted.form}"

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the archive, which has a manifest where it was taken within ``LONGEST``.

        Raises ``LogUnavailableError`` where its end can't be logged: it has no manifest then.
        """
        yield self._archive.begin(self.file)
        async for rows in self._chunks():
            yield await asyncio.to_thread(self._write, rows)
            if self._exports.clock() > self._until:
                return
        yield await asyncio.to_thread(self._finish)
        self._ending = self._exports.beside(self._exports.end(self._ended(complete=True)))
        ended = await asyncio.shield(self._ending)
        if ended is None:
            return
        manifest = await self._exports.signer.sign(self._manifest(ended))
        yield self._archive.begin(MANIFEST) + self._archive.write(manifest) + self._archive.finish()
        yield self._archive.end()

    def close(self) -> None:
        """End it, taken whole or not. Idempotent."""
        if self._open:
            self._open = False
            self._archive.abandon()
            self._exports.ended(self._wanted.reader.jurisdiction)
            self._exports.beside(self._end(self._ended(complete=False)))

    async def _end(self, broken_off: ExportEnd) -> None:
        """Have one end in the log: that it was taken whole, where that is being written; else that it was not."""
        if self._ending is not None:
            with suppress(LogUnavailableError):
                await self._ending
                return
        while True:
            try:
                await self._exports.end(broken_off)
            except LogUnavailableError as error:
                log.warning("export_end_waits_for_the_log", reason=str(error))
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _chunks(self) -> AsyncIterator[Sequence[Row]]:
        """Yield the rows, a chunk at a time; each is read in a transaction of its own, so that none lasts."""
        wanted, after, more = (
            among_kinds(self._wanted.asked, self._wanted.report),
            self._wanted.asked.search.after,
            True,
        )
        while more:
            part = replace(wanted, search=replace(wanted.search, after=after))
            found, entries, rows = await asyncio.shield(self._exports.beside(self._read(part)))
            self._count(entries, rows)
            yield rows
            more, after = found.more, found.indexes[-1] if found.indexes else after

    async def _read(self, asked: Asked) -> tuple[Found, Sequence[LoggedEntry], Sequence[Row]]:
        scope, size, contents = self._wanted.reader.jurisdiction, self._checkpoint.size, self._exports.contents
        async with self._exports.store.reading() as connection:
            found = await find(connection, contents, asked, scope=scope, size=size, limit=CHUNK)
            entries = await entries_at(connection, found.indexes)
            return found, entries, await rows_of(self._wanted.report, connection, contents, entries, self._exports.book)

    def _count(self, entries: Sequence[LoggedEntry], rows: Sequence[Row]) -> None:
        self._counts = self._counts[0] + len(entries), self._counts[1] + len(rows)
        for entry in entries:
            self._parties.update(map(JurisdictionCode, read_whole(entry.canonical)["jurisdictions"]))

    def _write(self, rows: Sequence[Row]) -> bytes:
        return self._add(self._writer.write(rows))

    def _finish(self) -> bytes:
        return self._add(self._writer.end()) + self._archive.finish()

    def _add(self, data: bytes) -> bytes:
        self._digest.update(data)
        return self._archive.write(data)

    def _manifest(self, ended: int) -> ExportManifest:
        wanted, (entries, rows) = self._wanted, self._counts
        return ExportManifest(
            report=wanted.report.value,
            format=wanted.form.value,
            file=self.file,
            digest=self._digest_text,
            entries=entries,
            rows=rows,
            filters=dict(wanted.asked.filters),
            justification=wanted.justification,
            participant=wanted.reader.participant,
            jurisdiction=wanted.reader.jurisdiction,
            log_origin=self._exports.signer.origin,
            log_size=self._checkpoint.size,
            checkpoint=self._checkpoint.published,
            begun=self._begun,
            ended=ended,
            at=utc_text(self._exports.clock()),
        )

    @property
    def _digest_text(self) -> str:
        return f"sha-256:{self._digest.hexdigest()}"

    def _ended(self, *, complete: bool) -> ExportEnd:
        (entries, rows), reader = self._counts, self._wanted.reader
        ended = Ended(reader.participant, reader.jurisdiction, self._begun, self._parties, _asked(self._wanted))
        return ended.drafts(complete=complete, entries=entries, rows=rows, digest=self._digest_text)


@dataclass(frozen=True, slots=True)
class Ended:
    """An export that has ended: whose it was, the index of its beginning, how many entries of each party it held."""

    actor: ParticipantId
    home: JurisdictionCode
    begun: int
    parties: Mapping[JurisdictionCode, int]
    asked: Mapping[str, PlainValue]

    def drafts(self, *, complete: bool, entries: int, **known: PlainValue) -> ExportEnd:
        """Return what the log says of it: to the auditor's jurisdiction all, and to each other its part.

        ``known`` is what is known beside of what was in it: ``rows``, and the ``digest``, which every party is told.
        """
        said: dict[str, PlainValue] = {"begun": self.begun, "complete": complete}
        told = {**said, **{name: known[name] for name in ("digest",) if name in known}, **self.asked}
        others = sorted(self.parties.keys() - {self.home})
        drafts = [self._for(self.home, {**said, **known, "entries": entries})]
        drafts += [self._for(each, {**told, "entries": self.parties[each]}) for each in others]
        return ExportEnd(self.begun, drafts)

    def _for(self, party: JurisdictionCode, content: Mapping[str, PlainValue]) -> Draft:
        return Draft(
            kind=Kind.EXPORT_ENDED,
            actor=self.actor,
            jurisdictions=(party,),
            alert_id=None,
            agreement=None,
            content=content,
        )


def _asked(wanted: Wanted) -> dict[str, PlainValue]:
    """Return what was asked for, and why."""
    return {
        "filters": dict(wanted.asked.filters),
        "justification": wanted.justification,
        "report": wanted.report.value,
        "format": wanted.form.value,
    }


def _begun(wanted: Wanted, checkpoint: Checkpoint) -> Draft:
    return Draft(
        kind=Kind.EXPORTED,
        actor=wanted.reader.participant,
        jurisdictions=(wanted.reader.jurisdiction,),
        alert_id=None,
        agreement=None,
        content={**_asked(wanted), "size": checkpoint.size},
    )

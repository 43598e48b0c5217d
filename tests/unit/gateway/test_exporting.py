"""Exports that are not taken whole: the log says so, and the next one may begin."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.checkpoints import Checkpoint
from audit.exporting.formats import Format
from audit.kinds import Kind
from audit.log import read_head
from audit.queries import entry_at
from audit.terms import read_whole
from gateway.clock import system_clock
from gateway.errors import ExportBusyError
from gateway.inquiry.asked import read_filters
from gateway.inquiry.exporting import OF_ONE, Exports, ManifestSigner, Wanted
from gateway.inquiry.reports import Report
from gateway.store.reader import Reader
from lacolle.samples import World
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, ParticipantId
from tests.patience import GIVES_UP_AFTER
from tests.unit.gateway.ground import RECEIPT_KEY, InPlace, unlimited
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample

CAI = Reader(ParticipantId("ca-qc.cai"), JurisdictionCode("CA-QC"), auditor=True)
OAG = Reader(ParticipantId("us-ny.oag"), JurisdictionCode("US-NY"), auditor=True)


@dataclass(frozen=True)
class Covering:
    """A checkpoint over all that there was."""

    latest: Checkpoint


@pytest.fixture
async def there(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield an exchange with an alert in its log."""
    async with open_sample(world, tmp_path) as exchange:
        await exchange.accept()
        yield exchange


async def exports_of(there: SampleExchange) -> Exports:
    """Return what exports the log as it is now."""
    async with there.ledger.store.reading() as connection:
        head = await read_head(connection)
    return Exports(
        store=there.ledger.store,
        contents=there.contents,
        committer=there.ledger.committer,
        checkpoints=Covering(
            Checkpoint("lacolle.example/log", head.size, head.root, "a note", "2026-01-01T00:00:00.000Z")
        ),
        signer=ManifestSigner(RECEIPT_KEY.public, InPlace(), "lacolle.example/log"),
        book=lambda: there.registry.book,
        limiter=unlimited(),
        clock=system_clock,
    )


def wanted(reader: Reader = CAI) -> Wanted:
    """Return a wish for everything."""
    return Wanted(reader, read_filters({}, after=-1), Report.ENTRIES, Format.NDJSON, "because")


async def last(there: SampleExchange, kind: Kind) -> dict[str, object]:
    """Return what the last entry says once it is of a kind."""
    async with asyncio.timeout(GIVES_UP_AFTER):
        while True:
            async with there.ledger.store.reading() as connection:
                entry = await entry_at(connection, (await read_head(connection)).size - 1)
            if entry is not None and (whole := read_whole(entry.canonical))["kind"] == kind:
                return dict(whole["content"])
            await asyncio.sleep(0.01)


async def test_one_that_breaks_off(there: SampleExchange) -> None:
    """After its first part it is closed: the log says what had been sent, and that it was not whole."""
    export = await (await exports_of(there)).begin(wanted())
    stream = export.stream()
    await anext(stream)
    await anext(stream)
    export.close()
    export.close()
    said = await last(there, Kind.EXPORT_ENDED)
    assert said["complete"] is False
    assert isinstance(said["entries"], int)
    assert said["entries"] > 0


async def test_what_breaks_off_leaves_nothing_half_open(there: SampleExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive of an export that nobody takes any more goes without a complaint, which no caller would hear."""
    export = await (await exports_of(there)).begin(wanted())
    stream = export.stream()
    await anext(stream)
    archive = export._archive
    export.close()
    with pytest.raises(ValueError, match="no file"):
        archive.write(b"more")
    await last(there, Kind.EXPORT_ENDED)
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    del export, stream, archive
    gc.collect()
    assert told == []


async def test_one_that_nobody_reads(there: SampleExchange) -> None:
    """A client that is gone before the first byte leaves an end as well."""
    export = await (await exports_of(there)).begin(wanted())
    export.close()
    said = await last(there, Kind.EXPORT_ENDED)
    assert (said["complete"], said["entries"]) == (False, 0)


async def ends_of(there: SampleExchange, begun: int) -> list[bool]:
    """Return whether an export was taken whole, by each end that the log has of it for whoever asked."""
    async with there.ledger.store.reading() as connection:
        size = (await read_head(connection)).size
        entries = [await entry_at(connection, index) for index in range(size)]
    said = [read_whole(each.canonical) for each in entries if each is not None]
    own = [each for each in said if each["jurisdictions"] == [CAI.jurisdiction]]
    ends = [each["content"] for each in own if each["kind"] == Kind.EXPORT_ENDED]
    return [bool(each["complete"]) for each in ends if each["begun"] == begun]


async def test_one_that_breaks_off_while_its_end_is_written(there: SampleExchange) -> None:
    """A client that goes away in that very moment leaves one end, not two that contradict each other."""
    exports = await exports_of(there)
    export = await exports.begin(wanted())
    async with there.ledger.store.reading() as connection:
        begun = (await read_head(connection)).size - 1
    stream = export.stream()
    for _ in ("its head", "its rows", "the rest of the data"):
        await anext(stream)
    ending = asyncio.ensure_future(anext(stream))
    for _ in range(3):
        await asyncio.sleep(0)
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    export.close()
    await last(there, Kind.EXPORT_ENDED)
    another = await exports.begin(wanted())  # is written after whatever was on its way
    another.close()
    assert await ends_of(there, begun) == [True]


async def test_one_that_breaks_off_while_the_log_takes_nothing(there: SampleExchange) -> None:
    """Its end is in the log once the log is to be had again: who was in it must not go untold."""
    export = await (await exports_of(there)).begin(wanted())
    stream = export.stream()
    await anext(stream)
    await anext(stream)
    there.ledger.committer.hold(Bilingual(fr="le journal est en doute", en="the log is in doubt"))
    export.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    there.ledger.committer.hold(None)
    said = await last(there, Kind.EXPORT_ENDED)
    assert said["complete"] is False


async def test_no_more_than_a_few_at_once(there: SampleExchange) -> None:
    """While as many as a jurisdiction may have are under way it gets no other; once one is closed, it does."""
    exports = await exports_of(there)
    under_way = [await exports.begin(wanted()) for _ in range(OF_ONE)]
    with pytest.raises(ExportBusyError):
        await exports.begin(wanted())
    under_way[0].close()
    under_way[0].close()
    another = await exports.begin(wanted())
    with pytest.raises(ExportBusyError):
        await exports.begin(wanted())
    for each in (*under_way, another):
        each.close()


async def test_whoever_takes_its_own_slowly_holds_up_nobody_else(there: SampleExchange) -> None:
    """Another jurisdiction's auditor exports while all that one may have are held open."""
    exports = await exports_of(there)
    held_open = [await exports.begin(wanted()) for _ in range(OF_ONE)]
    another = await exports.begin(wanted(OAG))
    for each in (*held_open, another):
        each.close()


async def test_one_that_is_taken_whole(there: SampleExchange) -> None:
    """Its end says so, once; closing it adds nothing."""
    export = await (await exports_of(there)).begin(wanted())
    assert b"".join([part async for part in export.stream()]).startswith(b"PK")
    export.close()
    assert (await last(there, Kind.EXPORT_ENDED))["complete"] is True

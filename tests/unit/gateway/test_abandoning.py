"""Exports that a process died over: another process ends them, once, and tells everyone who was concerned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from audit.kinds import Kind
from audit.log import read_head
from audit.queries import entries_at
from audit.terms import read_whole
from gateway.clock import system_clock
from gateway.inquiry.abandoning import LEFT_AFTER, AbandonedExports
from gateway.inquiry.exporting import LONGEST
from gateway.store.exports import left_exports
from lacolle.samples import World
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample
from tests.unit.gateway.test_exporting import exports_of, last, wanted


@pytest.fixture
async def there(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield an exchange with an alert in its log."""
    async with open_sample(world, tmp_path) as exchange:
        await exchange.accept()
        yield exchange


def abandoned(there: SampleExchange, *, after: timedelta = timedelta()) -> AbandonedExports:
    """Return what ends abandoned exports, some time from now."""

    def clock() -> datetime:
        return system_clock() + after

    return AbandonedExports(
        store=there.ledger.store, contents=there.contents, committer=there.ledger.committer, clock=clock
    )


async def ends(there: SampleExchange) -> dict[str, dict[str, object]]:
    """Return what the log says of ends of exports, by whom it is told to."""
    async with there.ledger.store.reading() as connection:
        entries = await entries_at(connection, range((await read_head(connection)).size))
    told = [read_whole(each.canonical) for each in entries]
    found = [each for each in told if each["kind"] == Kind.EXPORT_ENDED]
    assert len({each["jurisdictions"][0] for each in found}) == len(found), "one end for each"
    return {each["jurisdictions"][0]: each["content"] for each in found}


async def test_what_a_process_died_over_is_ended_by_the_next(there: SampleExchange) -> None:
    """Every party of what it would have held is told, with how many entries at most; and there is one end."""
    await (await exports_of(there)).begin(wanted())
    following = abandoned(there)
    await following.start()
    assert await following.look() == 1
    told = await ends(there)
    assert told["CA-QC"]["complete"] is False
    assert "digest" not in told["CA-QC"]
    assert told.keys() > {"CA-QC"}
    for content in told.values():
        assert isinstance(content["entries"], int)
        assert content["entries"] > 0
    assert all(content["report"] == "entries" for party, content in told.items() if party != "CA-QC")
    assert await following.look() == 0
    assert await ends(there) == told


async def test_what_is_being_made_is_let_be(there: SampleExchange) -> None:
    """An export that began since is not taken for one that was left, until it is older than any can be."""
    following = abandoned(there)
    await following.start()
    export = await (await exports_of(there)).begin(wanted())
    assert await following.look() == 0
    assert await abandoned(there, after=LEFT_AFTER - timedelta(minutes=1)).look() == 0
    assert await abandoned(there, after=LEFT_AFTER + timedelta(minutes=1)).look() == 1
    assert b"manifest.jws" not in b"".join([part async for part in export.stream()])
    export.close()
    assert (await ends(there))["CA-QC"]["complete"] is False


async def test_an_export_that_takes_too_long_ends_itself(there: SampleExchange) -> None:
    """Beyond what any export may take it breaks off, without a manifest, and says so in the log itself."""
    exports = await exports_of(there)
    export = await exports.begin(wanted())
    exports.clock = lambda: system_clock() + LONGEST + timedelta(minutes=1)
    assert b"manifest.jws" not in b"".join([part async for part in export.stream()])
    export.close()
    await last(there, Kind.EXPORT_ENDED)
    told = (await ends(there))["CA-QC"]
    assert told["complete"] is False
    assert "digest" in told  # it knows itself how far it came
    async with there.ledger.store.reading() as connection:
        assert await left_exports(connection, before=1 << 40, until_ms=0) == []

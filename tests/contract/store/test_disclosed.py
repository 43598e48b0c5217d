"""What entries withhold, in either database: read while it is kept, gone afterwards, and found out where altered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from audit.log import read_head
from audit.search import Found
from audit.segments import SEGMENT, build
from audit.tables import log_entries, log_postings
from gateway.inquiry.asked import read_filters
from gateway.inquiry.finding import find
from gateway.store.disclosed import Withheld
from gateway.store.entries import EntryWriter
from gateway.upkeep.erasing import Eraser
from gateway.watching.metrics import ErasureMetrics
from schemas.ids import JurisdictionCode
from tests.unit.gateway.ground import (
    NYSP,
    WORDS_DAYS,
    Ground,
    HandClock,
    contents_in,
    draft,
    open_ground,
    permit,
)
from tests.unit.gateway.test_erasing import DAY, Room, make_room

QC = JurisdictionCode("CA-QC")


@pytest.fixture
def room(ground: Ground, tmp_path: Path) -> Room:
    """Return a room on an empty store of either kind."""
    return make_room(ground, tmp_path / "content-keys")


async def look(room: Room, text: str, *, limit: int = 50) -> Found:
    """Return what an auditor of Québec finds by words of an identifier."""
    async with room.ground.store.reading() as connection:
        size = (await read_head(connection)).size
        asked = read_filters({"text": text}, after=-1)
        return await find(connection, room.contents, asked, scope=QC, size=size, limit=limit)


async def alter(ground: Ground, index: int, disclosures: bytes | None) -> None:
    """Put something else beside an entry, past the triggers that guard it."""
    spelt = "decode('{}', 'hex')" if ground.store.shared else "x'{}'"
    value = "NULL" if disclosures is None else spelt.format(disclosures.hex())
    await ground.tamper(f"UPDATE log_entries SET disclosures = {value} WHERE log_index = {index}")  # noqa: S608 - a test's own


async def kept(ground: Ground) -> list[bytes | None]:
    """Return what stands beside the entries."""
    async with ground.store.reading() as connection:
        return list(await connection.scalars(select(log_entries.c.disclosures).order_by(log_entries.c.log_index)))


async def test_an_acceptance_tells_its_words_until_it_is_erased(room: Room) -> None:
    """While content is kept the identifier is read beside the entry; afterwards it is gone, and the entry the same."""
    await room.accept("SQ-TREMBLAY-1", permit(NYSP))
    await room.deliver()
    accepted, routed, *_ = await room.ground.told(room.contents)
    assert (accepted.state, routed.state) == (Withheld.DISCLOSED, Withheld.NOTHING)
    assert accepted.content["identifier"] == "SQ-TREMBLAY-1"
    assert accepted.content["payload_digest"].startswith("sha-256:")
    assert "TREMBLAY" not in str(accepted.whole).upper()
    room.ground.clock.advance(12 * DAY)
    assert await room.eraser.look() == 1
    erased, *_ = await room.ground.told(room.contents)
    assert (erased.state, erased.disclosures, erased.entry) == (Withheld.ERASED, (), accepted.entry)
    assert "identifier" not in erased.content


async def test_words_find_what_can_still_be_read(room: Room) -> None:
    """Words find acceptances, in the index and beyond it, until these are erased; then not even a page's end tells."""
    for number in range(3):
        await room.accept(f"SQ-TREMBLAY-{number}")
    writer = EntryWriter()
    for built in (False, True):
        if built:
            await asyncio.gather(*(room.ground.committer.submit(writer, draft("x")) for _ in range(SEGMENT)))
            async with room.ground.store.writer.begin() as connection:
                await build(connection, 0)
        assert await look(room, "tremblay") == Found((0, 1, 2), more=False)
        assert await look(room, "Tremblay 1") == Found((1,), more=False)
        assert await look(room, "tremblay", limit=2) == Found((0, 1), more=True)
        assert await look(room, "gagnon") == Found((), more=False)
    async with room.ground.store.reading() as connection:
        terms = set(await connection.scalars(select(log_postings.c.term)))
    assert {each for each in terms if "tremblay" in each.lower() or each.startswith("word:")} == set()
    room.ground.clock.advance(12 * DAY)
    assert await room.eraser.look() == 3
    for limit in (1, 50):
        assert await look(room, "tremblay", limit=limit) == Found((), more=False)


async def test_what_was_altered_is_said_and_stops_no_other(room: Room) -> None:
    """Swapped between entries, changed, or taken away, it is unreadable, each by itself; the others are read."""
    for number in range(5):
        await room.accept(f"SQ-{number}")
    blobs = await kept(room.ground)
    assert blobs[3] is not None
    await alter(room.ground, 0, blobs[1])
    await alter(room.ground, 1, blobs[0])
    await alter(room.ground, 2, None)
    await alter(room.ground, 3, blobs[3][:-1] + bytes([blobs[3][-1] ^ 1]))
    read = await room.ground.told(room.contents)
    assert [each.state for each in read] == [Withheld.UNREADABLE] * 4 + [Withheld.DISCLOSED]
    assert read[4].content["identifier"] == "SQ-4"
    assert await look(room, "sq") == Found((4,), more=False)


async def test_other_words_end_with_the_key_of_their_day(place: Path | str, tmp_path: Path) -> None:
    """What was refused tells its identifier for so many days; then the key of a day is gone, and digests alone stay."""
    clock = HandClock()
    (tmp_path / "words").mkdir()
    words = contents_in(tmp_path / "words", clock=clock)
    async with open_ground(place, words=words) as ground:
        refused = replace(draft("x"), content={**draft("x").content, "identifier": "SQ-TREMBLAY-1"})
        await ground.committer.submit(EntryWriter(), refused)
        (read,) = await ground.told(words)
        assert (read.state, read.content["identifier"]) == (Withheld.DISCLOSED, "SQ-TREMBLAY-1")
        clock.advance((WORDS_DAYS + 1) * DAY)
        ground.clock.now = clock.now
        eraser = Eraser(
            store=ground.store,
            committer=ground.committer,
            contents=words,
            clock=clock,
            metrics=ErasureMetrics(CollectorRegistry()),
        )
        await eraser.look()
        (gone,) = await ground.told(words)
        assert (gone.state, gone.entry, words.folder.names()) == (Withheld.ERASED, read.entry, [])

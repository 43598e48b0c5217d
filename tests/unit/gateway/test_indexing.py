"""The index of the log as it is kept: a segment at a time, once, while others append."""

from __future__ import annotations

import asyncio

from audit.segments import SEGMENT, indexed
from gateway.log.indexing import Indexer, SegmentWriter
from gateway.store.entries import EntryWriter
from tests.patience import GIVES_UP_AFTER
from tests.unit.gateway.ground import Ground, draft


async def grow(ground: Ground, count: int) -> None:
    """Append entries."""
    writer = EntryWriter()
    await asyncio.gather(*(ground.committer.submit(writer, draft("a")) for _ in range(count)))


async def done(ground: Ground) -> int:
    """Return how many entries are indexed."""
    async with ground.store.reading() as connection:
        return await indexed(connection)


async def test_a_segment_is_built_once_its_entries_are_there(ground: Ground) -> None:
    """Not before the last of them is, and not again."""
    indexer = Indexer(store=ground.store, committer=ground.committer)
    await grow(ground, SEGMENT - 1)
    assert not await indexer.build_next()
    await grow(ground, 1)
    assert await indexer.build_next()
    assert await done(ground) == SEGMENT
    assert not await indexer.build_next()


async def test_two_who_build_the_same_build_it_once(ground: Ground) -> None:
    """A segment that another process built meanwhile is left as it is; one that is not next is not built."""
    await grow(ground, SEGMENT)
    writer = SegmentWriter()
    first, again, later = await asyncio.gather(*(ground.committer.submit(writer, each) for each in (0, 0, 7)))
    assert (first or again, later) == (True, False)
    assert await ground.committer.submit(writer, 0) is False
    assert await done(ground) == SEGMENT


async def test_it_keeps_up_by_itself(ground: Ground) -> None:
    """A running indexer builds every segment that is whole, and stops where the log does."""
    await grow(ground, 2 * SEGMENT + 5)
    running = asyncio.create_task(Indexer(store=ground.store, committer=ground.committer).run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        while await done(ground) < 2 * SEGMENT:  # noqa: ASYNC110 - an indexer tells nobody
            await asyncio.sleep(0.02)
    running.cancel()
    assert await done(ground) == 2 * SEGMENT

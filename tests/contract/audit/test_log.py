"""Appending: a gapless index, all or nothing, and the tree that the entries give."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from itertools import chain

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.entry import commitment, read_entry
from audit.errors import LogStateError
from audit.growth import FullTile, Growth
from audit.log import Head, initialise, open_batch, read_head
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from audit.queries import entry_at
from audit.tables import log_entries, log_head, log_parties, log_tiles
from audit.withheld import disclose, texts_of, withholds
from tests.contract.audit.writing import NOW, Plainly, append, draft


async def test_an_empty_log_has_the_empty_trees_root(connection: AsyncConnection) -> None:
    """A log that was initialised, once or twice, has size 0."""
    async with connection.begin():
        await initialise(connection)
        assert await read_head(connection) == Head(size=0, root=EMPTY_ROOT)


async def test_a_log_that_was_not_initialised_is_refused(connection: AsyncConnection) -> None:
    """Without a head there is nothing to append to."""
    async with connection.begin():
        await connection.execute(log_head.delete())
        with pytest.raises(LogStateError, match="not initialised"):
            await read_head(connection)
        with pytest.raises(LogStateError, match="not initialised"):
            await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())


async def test_what_is_appended_can_be_read_back(connection: AsyncConnection) -> None:
    """Each entry is stored with the index that ``append`` gave, its own salt and the commitment to its bytes."""
    salts = [bytes([number]) * 32 for number in range(3)]
    given = chain(salts[:1], (b"a" * 16,), salts[1:])  # the first withholds something, which has a salt of its own
    async with connection.begin():
        batch = await open_batch(connection, now=NOW, randomness=lambda count: next(given)[:count], keeper=Plainly())
        assert [batch.append(draft(number)) for number in range(3)] == [0, 1, 2]
        assert batch.time_text == "2026-01-17T19:05:09.123Z"
        head = await batch.write()
    frontier = Frontier()
    for index, salt in enumerate(salts):
        stored = await entry_at(connection, index)
        assert stored is not None
        entry, expected = read_entry(stored.canonical), draft(index)
        assert (entry.index, entry.time, entry.kind) == (index, batch.time_text, expected.kind)
        kept = stored.disclosures
        told = disclose(entry.content, () if kept is None else texts_of(kept.removeprefix(stored.commitment)))
        assert (entry.jurisdictions, told) == (expected.jurisdictions, expected.content)
        assert ("identifier" in expected.content) == withholds(entry.content) == (kept is not None)
        assert stored.salt == salt
        assert stored.commitment == commitment(salt, stored.canonical)
        frontier.append(leaf_hash(stored.commitment))
    assert head == Head(size=3, root=frontier.root())


async def test_batches_that_are_rolled_back_leave_no_trace(engine: AsyncEngine) -> None:
    """Of many batches, some rolled back after writing, some before, the log holds the committed ones without a gap."""
    choices = random.Random(20260117)  # noqa: S311 - which batches are rolled back is no secret
    committed: list[bytes] = []
    async with engine.connect() as connection:
        for _ in range(60):
            transaction = await connection.begin()
            batch = await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())
            indexes = [batch.append(draft(batch.size)) for _ in range(choices.choice([0, 1, 2, 40, 300]))]
            assert indexes == list(range(len(committed), len(committed) + len(indexes)))
            fate = choices.choice(["commit", "commit", "roll back", "abandon"])
            if fate != "abandon":
                await batch.write()
            if fate == "commit":
                await transaction.commit()
                committed += [await stored_commitment(connection, index) for index in indexes]
                await connection.rollback()
            else:
                await transaction.rollback()
    await assert_log_is(engine, committed)


async def assert_log_is(engine: AsyncEngine, commitments: list[bytes]) -> None:
    """Hold entries, parties, tiles and head against the commitments that a log must have."""
    growth = Growth(Frontier())
    tiles = sorted(growth.extend([leaf_hash(each) for each in commitments]), key=lambda tile: (tile.level, tile.index))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(log_entries).order_by(log_entries.c.log_index))).all()
        assert [row.log_index for row in rows] == list(range(len(commitments)))
        assert [row.commitment for row in rows] == commitments
        parties = await connection.execute(select(log_parties.c.jurisdiction, log_parties.c.log_index))
        expected = {(code, index) for index in range(len(rows)) for code in draft(index).jurisdictions}
        assert {tuple(row) for row in parties} == expected
        stored = await connection.execute(select(log_tiles).order_by(log_tiles.c.level, log_tiles.c.tile))
        assert [FullTile(row.level, row.tile, row.root, row.data) for row in stored] == tiles
        assert await read_head(connection) == Head(size=len(commitments), root=growth.frontier.root())


async def stored_commitment(connection: AsyncConnection, index: int) -> bytes:
    """Give the commitment of a stored entry."""
    stored = await entry_at(connection, index)
    assert stored is not None
    return stored.commitment


async def test_tiles_of_every_level_are_stored_as_they_fill(engine: AsyncEngine) -> None:
    """With 66,000 entries in batches of odd sizes, the tiles of both levels are those of the entries' tree."""
    async with engine.connect() as connection:
        for count in (255, 1, 256, 700, 20_000, 44_323, 1, 464):
            await append(connection, count)
        async with connection.begin():
            rows = await connection.scalars(select(log_entries.c.commitment).order_by(log_entries.c.log_index))
            commitments = list(rows)
    assert len(commitments) == 66_000
    await assert_log_is(engine, commitments)


async def test_a_batch_of_nothing_changes_nothing(connection: AsyncConnection) -> None:
    """Writing an empty batch returns the head as it is."""
    head = await append(connection, 5)
    assert await append(connection, 0) == head


async def test_a_batch_is_written_once(connection: AsyncConnection) -> None:
    """After its write a batch takes no entry and is not written again."""
    async with connection.begin():
        batch = await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())
        batch.append(draft(0))
        await batch.write()
        with pytest.raises(LogStateError, match="written already"):
            await batch.write()
        with pytest.raises(LogStateError, match="written already"):
            batch.append(draft(1))


async def test_a_head_that_moved_is_not_overwritten(connection: AsyncConnection) -> None:
    """Where another writer moved the head during the transaction, the write fails."""
    await append(connection, 3)
    async with connection.begin():
        batch = await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())
        batch.append(draft(3))
        await connection.execute(update(log_head).values(size=2))
        with pytest.raises(LogStateError, match="Another writer"):
            await batch.write()


@pytest.mark.parametrize("damage", [{"size": 4}, {"root": bytes(32)}, {"frontier": b"short"}, {"frontier": b""}])
async def test_a_damaged_head_is_not_built_upon(connection: AsyncConnection, damage: dict[str, object]) -> None:
    """Size, root and frontier must belong together before anything is appended."""
    await append(connection, 3)
    async with connection.begin():
        await connection.execute(update(log_head).values(**damage))
        with pytest.raises(LogStateError, match="damaged"):
            await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())


async def test_two_batches_in_a_row_continue_each_other(connection: AsyncConnection) -> None:
    """The time is each batch's own, and the index goes on where the last committed batch ended."""
    await append(connection, 2)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert (await append(connection, 2, now=later)).size == 4
    async with connection.begin():
        times = list(await connection.scalars(select(log_entries.c.time).order_by(log_entries.c.log_index)))
        assert times == ["2026-01-17T19:05:09.123Z"] * 2 + ["2027-01-01T00:00:00.000Z"] * 2
        assert await connection.scalar(select(func.count()).select_from(log_head)) == 1

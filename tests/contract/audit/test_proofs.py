"""Tiles, bundles and proofs as they are read from the database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.errors import NotInLogError
from audit.merkle import EMPTY_ROOT, complete_root, leaf_hash, verify_consistency, verify_inclusion
from audit.proofs import consistency, inclusion, inclusion_and_root, inclusions, read_entry_bundle, read_tile, root_at
from audit.tables import log_entries
from audit.tiles import split_hashes
from tests.contract.audit.writing import append

SIZE = 700


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection that reads a log of 700 entries."""
    async with engine.connect() as connection:
        await append(connection, 256)
        await append(connection, SIZE - 256)
        yield connection


async def leaves_of(log: AsyncConnection) -> list[bytes]:
    """Give the leaf hashes of the log."""
    commitments = await log.scalars(select(log_entries.c.commitment).order_by(log_entries.c.log_index))
    return [leaf_hash(each) for each in commitments]


async def test_inclusion_proofs_verify_at_every_size(log: AsyncConnection) -> None:
    """Proofs of entries at the seams of tiles and sizes verify against the root at that size."""
    leaves = await leaves_of(log)
    for size in (1, 2, 255, 256, 257, 511, 512, 513, 699, SIZE):
        root = await root_at(log, size)
        for index in {0, size // 2, max(size - 257, 0), size - 1}:
            proof = await inclusion(log, index, size)
            verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=root)
            assert await inclusion_and_root(log, index, size) == (proof, root)


async def test_several_proofs_are_those_of_one_at_a_time(log: AsyncConnection) -> None:
    """However many are asked for together, in whatever order, each is the proof of its own entry."""
    for size in (1, 257, 512, SIZE):
        indexes = [size - 1, 0, size // 2, size // 3, 0]
        assert await inclusions(log, indexes, size) == [await inclusion(log, index, size) for index in indexes]
    assert await inclusions(log, [], SIZE) == []
    with pytest.raises(NotInLogError):
        await inclusions(log, [0, SIZE], SIZE)


async def test_consistency_proofs_verify_between_sizes(log: AsyncConnection) -> None:
    """Proofs between sizes at the seams of tiles verify against both roots."""
    sizes = (1, 2, 255, 256, 257, 512, 600, SIZE)
    roots = {size: await root_at(log, size) for size in sizes}
    for first in sizes:
        for second in (size for size in sizes if size >= first):
            proof = await consistency(log, first, second)
            verify_consistency(
                first=first, second=second, first_root=roots[first], second_root=roots[second], proof=proof
            )


async def test_roots_are_of_the_first_entries(log: AsyncConnection) -> None:
    """The root at a size is that of so many leaves; at 0 it is the empty tree's."""
    leaves = await leaves_of(log)
    assert await root_at(log, 0) == EMPTY_ROOT
    assert await root_at(log, 512) == complete_root(leaves[:512])


async def test_tiles_hold_the_trees_hashes(log: AsyncConnection) -> None:
    """Full and partial tiles, at level 0 and 1, also narrower ones of earlier sizes."""
    leaves = await leaves_of(log)
    first, second = complete_root(leaves[:256]), complete_root(leaves[256:512])
    assert split_hashes(await read_tile(log, 0, 0)) == leaves[:256]
    assert split_hashes(await read_tile(log, 0, 1, 256)) == leaves[256:512]
    assert split_hashes(await read_tile(log, 0, 1, 7)) == leaves[256:263]
    assert split_hashes(await read_tile(log, 0, 2, 188)) == leaves[512:]
    assert split_hashes(await read_tile(log, 1, 0, 2)) == [first, second]
    assert split_hashes(await read_tile(log, 1, 0, 1)) == [first]


async def test_bundles_hold_commitments_alone(log: AsyncConnection) -> None:
    """In public an entry is its 32-byte commitment after its length, in the log's order."""
    leaves = await leaves_of(log)
    for index, width in ((0, None), (1, 256), (2, 188), (2, 5)):
        bundle = await read_entry_bundle(log, index, width)
        count = width or 256
        assert len(bundle) == 34 * count
        entries = [bundle[at * 34 : at * 34 + 34] for at in range(count)]
        assert all(entry.startswith(b"\x00\x20") for entry in entries)
        assert [leaf_hash(entry[2:]) for entry in entries] == leaves[index * 256 : index * 256 + count]


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [
        (0, 2, None),
        (0, 2, 189),
        (0, 3, 1),
        (0, 0, 0),
        (0, 0, 257),
        (0, -1, 1),
        (1, 0, None),
        (1, 0, 3),
        (1, 1, 1),
        (2, 0, 1),
        (63, 0, 1),
        (63, 0, None),
        (0, (1 << 63) - 1, None),
        (5, (1 << 63) - 1, 3),
    ],
)
async def test_tiles_that_the_log_does_not_have_are_refused(
    log: AsyncConnection, level: int, index: int, width: int | None
) -> None:
    """A tile beyond the log's size, or wider than the log is, is not there; no number is too large to be told so."""
    with pytest.raises(NotInLogError):
        await read_tile(log, level, index, width)
    if level == 0:
        with pytest.raises(NotInLogError):
            await read_entry_bundle(log, index, width)


@pytest.mark.parametrize(("first", "second"), [(0, 5), (6, 5), (5, SIZE + 1), (SIZE, SIZE + 1), (1, 1 << 200), (-1, 5)])
async def test_consistency_beyond_the_log_is_refused(log: AsyncConnection, first: int, second: int) -> None:
    """There is no proof from nothing, backwards, or to a size that the log has not reached."""
    with pytest.raises(NotInLogError):
        await consistency(log, first, second)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5), (SIZE, SIZE + 1), (0, SIZE + 1), (0, 1 << 200)])
async def test_inclusion_beyond_the_log_is_refused(log: AsyncConnection, index: int, size: int) -> None:
    """There is no proof of an entry outside the tree, or in a tree that the log has not grown to."""
    with pytest.raises(NotInLogError):
        await inclusion(log, index, size)
    with pytest.raises(NotInLogError):
        await root_at(log, -1 if size <= SIZE else size)


async def test_the_next_entry_is_not_proven_before_it_is_there(engine: AsyncEngine) -> None:
    """Where all tiles are full, the tree of one entry more has every hash that its proofs need, but not the entry."""
    async with engine.connect() as connection:
        await append(connection, 256)
        for index in (0, 256):
            with pytest.raises(NotInLogError):
                await inclusion(connection, index, 257)
        with pytest.raises(NotInLogError):
            await consistency(connection, 256, 257)

"""Tiles, entry bundles and proofs, read from the log's tables.

A partial tile is read from what lies beneath it. So a tile of any earlier size of the log can be had for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.errors import NotInLogError
from audit.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    root_nodes,
    tree_root,
)
from audit.nodes import node_hashes
from audit.tables import SIZE_LIMIT, log_entries, log_tiles
from audit.tiles import TILE_WIDTH
from schemas.bilingual import Bilingual

_ENTRY_LENGTH: Final = HASH_SIZE.to_bytes(2, "big")
"""The length before each entry of a bundle: in public an entry is its commitment."""


async def inclusion(connection: AsyncConnection, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that entry ``index`` is in the tree of ``size`` entries, nearest sibling first.

    Raises ``NotInLogError`` unless ``0 <= index < size`` and the log has grown to ``size``.
    """
    return (await inclusions(connection, [index], size))[0]


async def inclusions(connection: AsyncConnection, indexes: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
    """Return the proofs of several entries in one tree, in their order; what they share is read once. Else as one."""
    if not all(0 <= index < size < SIZE_LIMIT for index in indexes):
        raise NotInLogError(_NO_SUCH_SIZE)
    if not indexes:
        return []
    nodes = {node for index in indexes for node in inclusion_nodes(index, size)}
    read = await node_hashes(connection, nodes, size)
    return [inclusion_proof(index, size, read) for index in indexes]


async def inclusion_and_root(connection: AsyncConnection, index: int, size: int) -> tuple[tuple[bytes, ...], bytes]:
    """Return the proof of an entry and the root that it leads to, read together. Else as ``inclusion``."""
    if not 0 <= index < size < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    read = await node_hashes(connection, {*inclusion_nodes(index, size), *root_nodes(size)}, size)
    return inclusion_proof(index, size, read), tree_root(size, read)


async def consistency(connection: AsyncConnection, first: int, second: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``second`` entries continues that of ``first``.

    Raises ``NotInLogError`` unless ``0 < first <= second`` and the log has grown to ``second``.
    """
    if not 0 < first <= second < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    read = await node_hashes(connection, consistency_nodes(first, second), second)
    return consistency_proof(first, second, read)


async def root_at(connection: AsyncConnection, size: int) -> bytes:
    """Return the root of the log's first ``size`` entries, from its tiles. Raises ``NotInLogError``."""
    if not 0 <= size < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    if size == 0:
        return EMPTY_ROOT
    return tree_root(size, await node_hashes(connection, root_nodes(size), size))


async def read_tile(connection: AsyncConnection, level: int, index: int, width: int | None = None) -> bytes:
    """Return a tile: 256 hashes, or the first ``width`` of them (1 to 255), even where the tile has filled since.

    Raises ``NotInLogError`` where the log does not hold as many.
    """
    if width is None or width == TILE_WIDTH:
        return await _full_tile(connection, level, index)
    if level == 0:
        return b"".join([leaf_hash(commitment) for commitment in await _commitments(connection, index, width)])
    first, last = _range_of(index, width)
    roots = await connection.scalars(_ROOTS, {"level": level - 1, "first": first, "last": last})
    return b"".join(_exactly(width, roots.all()))


async def read_entry_bundle(connection: AsyncConnection, index: int, width: int | None = None) -> bytes:
    """Return the entries beneath a tile of level 0 as the public may see them, each after its length (C2SP tlog-tiles).

    ``width`` is 1 to 255 for a partial bundle. Raises ``NotInLogError`` where the log does not hold as many.
    """
    commitments = await _commitments(connection, index, TILE_WIDTH if width is None else width)
    return b"".join([_ENTRY_LENGTH + commitment for commitment in commitments])


async def _full_tile(connection: AsyncConnection, level: int, index: int) -> bytes:
    _range_of(index, TILE_WIDTH)
    tile = await connection.scalar(_TILE, {"level": level, "tile": index})
    if tile is None:
        raise NotInLogError(_NO_SUCH_TILE)
    return bytes(tile)


async def _commitments(connection: AsyncConnection, index: int, width: int) -> Sequence[bytes]:
    first, last = _range_of(index, width)
    return _exactly(width, (await connection.scalars(_COMMITMENTS, {"first": first, "last": last})).all())


def _range_of(index: int, width: int) -> tuple[int, int]:
    # The numbers of the first and the last thing beneath a tile, in the level below.
    first = index * TILE_WIDTH
    if not (0 <= first < SIZE_LIMIT and 1 <= width <= TILE_WIDTH):
        raise NotInLogError(_NO_SUCH_TILE)
    return first, first + width - 1


def _exactly(width: int, hashes: Sequence[bytes]) -> Sequence[bytes]:
    if len(hashes) != width:
        raise NotInLogError(_NO_SUCH_TILE)
    return hashes


_TILE: Final = select(log_tiles.c.data).where(
    log_tiles.c.level == bindparam("level"), log_tiles.c.tile == bindparam("tile")
)
_ROOTS: Final = (
    select(log_tiles.c.root)
    .where(log_tiles.c.level == bindparam("level"), log_tiles.c.tile.between(bindparam("first"), bindparam("last")))
    .order_by(log_tiles.c.tile)
)
_COMMITMENTS: Final = (
    select(log_entries.c.commitment)
    .where(log_entries.c.log_index.between(bindparam("first"), bindparam("last")))
    .order_by(log_entries.c.log_index)
)

_NO_SUCH_SIZE: Final = Bilingual(
    fr="Le journal n'a pas cette taille, ou pas d'inscription à cette place.",
    en="The log is not of this size, or has no entry at this place.",
)
_NO_SUCH_TILE: Final = Bilingual(
    fr="Le journal n'a pas encore cette tuile, ou pas à cette largeur.",
    en="The log does not have this tile yet, or not this wide.",
)

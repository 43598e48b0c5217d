"""Tiles, entry bundles and proofs, read from the log's tables.

Full tiles are stored. A partial tile is read from what lies beneath it: the entries' commitments at level 0, the
roots of full tiles above. So a tile of any earlier size of the log can be had for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.errors import NotInLogError
from audit.merkle import (
    HASH_SIZE,
    HashReader,
    Node,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    root_nodes,
    tree_root,
)
from audit.tables import SIZE_LIMIT, log_entries, log_tiles
from audit.tiles import TILE_WIDTH, span_of, tile_width
from schemas.bilingual import Bilingual

_ENTRY_LENGTH: Final = HASH_SIZE.to_bytes(2, "big")
"""The length before each entry of a bundle: in public an entry is its commitment."""


async def inclusion(connection: AsyncConnection, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that entry ``index`` is in the tree of ``size`` entries, nearest sibling first.

    Raises ``NotInLogError`` unless ``0 <= index < size`` and the log has grown to ``size``.
    """
    if not 0 <= index < size < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    await _require_size(connection, size)
    read = await _hashes(connection, inclusion_nodes(index, size), size)
    return inclusion_proof(index, size, read)


async def consistency(connection: AsyncConnection, first: int, second: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``second`` entries continues that of ``first``.

    Raises ``NotInLogError`` unless ``0 < first <= second`` and the log has grown to ``second``.
    """
    if not 0 < first <= second < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    await _require_size(connection, second)
    read = await _hashes(connection, consistency_nodes(first, second), second)
    return consistency_proof(first, second, read)


async def root_at(connection: AsyncConnection, size: int) -> bytes:
    """Return the root of the log's first ``size`` entries, from its tiles. Raises ``NotInLogError``."""
    if not 0 <= size < SIZE_LIMIT:
        raise NotInLogError(_NO_SUCH_SIZE)
    return tree_root(size, await _hashes(connection, root_nodes(size), size))


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


async def _require_size(connection: AsyncConnection, size: int) -> None:
    if await connection.scalar(_ENTRY, {"index": size - 1}) is None:
        raise NotInLogError(_NO_SUCH_SIZE)


async def _hashes(connection: AsyncConnection, nodes: Iterable[Node], size: int) -> HashReader:
    # Each tile is read once, as wide as it is in the tree of ``size`` leaves.
    spans = {node: span_of(node) for node in nodes}
    tiles = {
        (level, index): await read_tile(connection, level, index, tile_width(level, index, size))
        for level, index in sorted({(span.level, span.index) for span in spans.values()})
    }
    return lambda node: spans[node].root(tiles[spans[node].level, spans[node].index])


_ENTRY: Final = select(log_entries.c.log_index).where(log_entries.c.log_index == bindparam("index"))
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

"""Tiles, entry bundles and proofs, read from the log's tables.

Full tiles are stored. A partial tile is read from what lies beneath it: the entries' commitments at level 0, the
roots of full tiles above. So a tile of any earlier size of the log can be had for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

from sqlalchemy import and_, bindparam, or_, select, tuple_
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

_TILES_AT_ONCE: Final = 200

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
    await _require_size(connection, size)
    nodes = {node for index in indexes for node in inclusion_nodes(index, size)}
    read = await _hashes(connection, nodes, size)
    return [inclusion_proof(index, size, read) for index in indexes]


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
    # Each tile is read once, as wide as it is in the tree of ``size`` leaves: one statement for those that are full,
    # one for those above the entries that are not, and one for the last entries themselves.
    spans = {node: span_of(node) for node in nodes}
    wanted = {(span.level, span.index): tile_width(span.level, span.index, size) for span in spans.values()}
    tiles = await _full_tiles(connection, [place for place, width in wanted.items() if width == TILE_WIDTH])
    partial = {place: width for place, width in wanted.items() if width < TILE_WIDTH}
    tiles |= await _tiles_of_roots(connection, {place: width for place, width in partial.items() if place[0] > 0})
    for (level, index), width in partial.items():
        if level == 0:
            tiles[level, index] = await read_tile(connection, level, index, width)

    @cache
    def read(node: Node) -> bytes:
        span = spans[node]
        return span.root(tiles[span.level, span.index])

    return read


async def _full_tiles(connection: AsyncConnection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    tiles: dict[tuple[int, int], bytes] = {}
    for at in range(0, len(places), _TILES_AT_ONCE):
        rows = await connection.execute(_TILES, {"places": places[at : at + _TILES_AT_ONCE]})
        tiles |= {(row.level, row.tile): row.data for row in rows}
    if len(tiles) < len(places):
        raise NotInLogError(_NO_SUCH_TILE)
    return tiles


async def _tiles_of_roots(
    connection: AsyncConnection, widths: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], bytes]:
    # A tile above the entries that has not filled is made of the roots of the full ones beneath it.
    if not widths:
        return {}
    level, tile = log_tiles.c.level, log_tiles.c.tile
    beneath = [
        and_(level == above - 1, tile.between(*_range_of(index, width))) for (above, index), width in widths.items()
    ]
    roots = defaultdict[tuple[int, int], list[bytes]](list)
    for row in await connection.execute(select(level, tile, log_tiles.c.root).where(or_(*beneath)).order_by(tile)):
        roots[row.level + 1, row.tile // TILE_WIDTH].append(row.root)
    return {place: b"".join(_exactly(width, roots[place])) for place, width in widths.items()}


_ENTRY: Final = select(log_entries.c.log_index).where(log_entries.c.log_index == bindparam("index"))
_TILE: Final = select(log_tiles.c.data).where(
    log_tiles.c.level == bindparam("level"), log_tiles.c.tile == bindparam("tile")
)
_TILES: Final = select(log_tiles.c.level, log_tiles.c.tile, log_tiles.c.data).where(
    tuple_(log_tiles.c.level, log_tiles.c.tile).in_(bindparam("places", expanding=True))
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

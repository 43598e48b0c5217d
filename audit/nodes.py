"""The hashes of a tree's nodes, read from the log's tables in one statement: to wait for a database is what takes time.

Full tiles are stored. A tile at the tree's edge, which has not filled, is read from what lies beneath it: the last
entries' commitments at level 0, the roots of full tiles above.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import Final

from sqlalchemy import Select, bindparam, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

from audit.errors import NotInLogError
from audit.merkle import HashReader, Node, leaf_hash
from audit.tables import log_entries, log_tiles
from audit.tiles import TILE_WIDTH, span_of, tile_width
from schemas.bilingual import Bilingual

_Tiles = dict[tuple[int, int], bytes]
_TILES_AT_ONCE: Final = 200


class _Part(IntEnum):
    """What a row of the statement is."""

    TILE = 0
    ROOT = 1
    ENTRY = 2


async def node_hashes(connection: AsyncConnection, nodes: Iterable[Node], size: int) -> HashReader:
    """Read nodes of the tree of ``size`` leaves, at least one. Raises ``NotInLogError`` where the log is shorter."""
    spans = {node: span_of(node) for node in nodes}
    widths = {(span.level, span.index): tile_width(span.level, span.index, size) for span in spans.values()}
    tiles = await _tiles(connection, widths, size)

    @cache
    def read(node: Node) -> bytes:
        span = spans[node]
        return span.root(tiles[span.level, span.index])

    return read


async def _tiles(connection: AsyncConnection, widths: Mapping[tuple[int, int], int], size: int) -> _Tiles:
    full = [place for place, width in widths.items() if width == TILE_WIDTH]
    # of a level no more than the last tile has not filled: its index and its width
    edge = {level: (index, width) for (level, index), width in widths.items() if width < TILE_WIDTH}
    found = await _found(connection, full, edge, size)
    tiles = {
        (level, index): b"".join(_exactly(width, found[_Part.ROOT, level - 1]))
        for level, (index, width) in edge.items()
        if level > 0
    }
    index, width = edge.get(0, (None, 1))
    commitments = _exactly(width, found[_Part.ENTRY, 0])
    if index is not None:
        tiles[0, index] = b"".join(map(leaf_hash, commitments))
    for level, tile in full:
        data = found[_Part.TILE, level].get(tile)
        if data is None:
            raise NotInLogError(_NO_SUCH_SIZE)
        tiles[level, tile] = data
    return tiles


async def _found(
    connection: AsyncConnection, full: Sequence[tuple[int, int]], edge: Mapping[int, tuple[int, int]], size: int
) -> Mapping[tuple[_Part, int], Mapping[int, bytes]]:
    # What lies beneath a tile at the edge are the last things of the level below. Where no tile of entries is asked for
    # the last entry is, all the same: it must be there.
    _, width = edge.get(0, (None, 1))
    values: dict[str, object] = {"places": full[:_TILES_AT_ONCE], "first": size - width, "last": size - 1}
    above = sorted(level for level in edge if level > 0)
    for number, level in enumerate(above):
        index, width = edge[level]
        first = index * TILE_WIDTH
        values |= {f"level{number}": level - 1, f"first{number}": first, f"last{number}": first + width - 1}
    rows = list(await connection.execute(_of_tree(len(above)), values))
    for at in range(_TILES_AT_ONCE, len(full), _TILES_AT_ONCE):
        rows += await connection.execute(_FULL, {"places": full[at : at + _TILES_AT_ONCE]})
    found = defaultdict[tuple[_Part, int], dict[int, bytes]](dict)
    for part, level, place, data in rows:
        found[_Part(part), level][place] = data
    return found


def _exactly(width: int, found: Mapping[int, bytes]) -> list[bytes]:
    if len(found) != width:
        raise NotInLogError(_NO_SUCH_SIZE)
    return [found[place] for place in sorted(found)]


@cache
def _of_tree(edges: int) -> CompoundSelect[int, int, int, bytes]:
    """Return the statement for full tiles, so many tiles of roots that have not filled, and the last entries."""
    return union_all(_FULL, *map(_roots, range(edges)), _LAST)


def _roots(number: int) -> Select[int, int, int, bytes]:
    tile = log_tiles.c.tile
    return select(literal(_Part.ROOT.value), log_tiles.c.level, tile, log_tiles.c.root).where(
        log_tiles.c.level == bindparam(f"level{number}"),
        tile.between(bindparam(f"first{number}"), bindparam(f"last{number}")),
    )


_FULL: Final = select(literal(_Part.TILE.value), log_tiles.c.level, log_tiles.c.tile, log_tiles.c.data).where(
    tuple_(log_tiles.c.level, log_tiles.c.tile).in_(bindparam("places", expanding=True))
)
_LAST: Final = select(literal(_Part.ENTRY.value), literal(0), log_entries.c.log_index, log_entries.c.commitment).where(
    log_entries.c.log_index.between(bindparam("first"), bindparam("last"))
)

_NO_SUCH_SIZE: Final = Bilingual(
    fr="Le journal n'a pas cette taille, ou pas d'inscription à cette place.",
    en="The log is not of this size, or has no entry at this place.",
)

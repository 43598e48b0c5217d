"""Tiles: the tree as files of 256 hashes, and their paths (C2SP tlog-tiles).

Pure. The tile at level L, number N, holds the roots of the complete subtrees of 256^L leaves from number 256 * N on.
An entry bundle holds the entries beneath the tile of level 0 with its number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from audit.errors import MalformedTilePathError
from audit.merkle import HASH_SIZE, Node, complete_root
from schemas.bilingual import Bilingual

TILE_HEIGHT: Final = 8
"""Levels of the tree that one level of tiles spans."""

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile."""

_MAX_LEVEL: Final = 63
_MAX_INDEX: Final = 1 << 63
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, full or partial; ``width`` is its number of hashes, 1 to 256."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The tile's path below the log's prefix."""
        return f"tile/{self.level}/{_index_text(self.index)}{_width_text(self.width)}"


@dataclass(frozen=True, slots=True)
class EntryBundle:
    """The entries beneath a tile of level 0; ``width`` is their number, 1 to 256."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The bundle's path below the log's prefix."""
        return f"tile/entries/{_index_text(self.index)}{_width_text(self.width)}"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node's hash comes from: the hashes ``[start, end)`` of one tile, which hash up to it."""

    level: int
    index: int
    start: int
    end: int

    def root(self, tile: bytes) -> bytes:
        """Return the node's hash from the tile, of which at least ``end`` hashes are given."""
        return complete_root(
            [tile[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(self.start, self.end)],
        )


def parse_tile_path(path: str) -> Tile | EntryBundle:
    """Read a path below the log's prefix: ``tile/<L>/<N>[.p/<W>]`` or ``tile/entries/<N>[.p/<W>]``.

    Raises ``MalformedTilePathError`` for anything but the one spelling that ``path`` gives.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedTilePathError(_MALFORMED)
    index = int(match["index"].replace("/x", "").replace("/", "").removeprefix("x"))
    width = int(match["width"] or TILE_WIDTH)
    tile = EntryBundle(index, width) if match["level"] == "entries" else Tile(int(match["level"]), index, width)
    # A needless group of zeros, or a full tile's width written out, is another spelling of a path that exists.
    too_far = index >= _MAX_INDEX or width > TILE_WIDTH or (isinstance(tile, Tile) and tile.level > _MAX_LEVEL)
    if too_far or tile.path != path:
        raise MalformedTilePathError(_MALFORMED)
    return tile


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile has in the tree of ``size`` leaves: 0 to 256."""
    return min(max((size >> TILE_HEIGHT * level) - index * TILE_WIDTH, 0), TILE_WIDTH)


def span_of(node: Node) -> Span:
    """Return the hashes that a node's hash is made of, in the tile that holds them."""
    level, height = divmod(node.level, TILE_HEIGHT)
    index, start = divmod(node.index << height, TILE_WIDTH)
    return Span(level=level, index=index, start=start, end=start + (1 << height))


def split_hashes(tile: bytes) -> list[bytes]:
    """Return a tile's hashes. Raises ``ValueError`` if it does not hold whole hashes."""
    if len(tile) % HASH_SIZE:
        raise ValueError("a tile holds whole hashes")
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]


def _index_text(index: int) -> str:
    groups = f"{index % 1000:03}"
    while index := index // 1000:
        groups = f"x{index % 1000:03}/{groups}"
    return groups


def _width_text(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


_MALFORMED: Final = Bilingual(
    fr="Ce chemin ne désigne aucune tuile du journal.",
    en="This path names no tile of the log.",
)

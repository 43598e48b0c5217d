"""The tree as it grows: leaves go in, tiles come out as they fill. Pure; the writer and the verifiers share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.merkle import Frontier, complete_root
from audit.tiles import TILE_HEIGHT, TILE_WIDTH, Tile


@dataclass(frozen=True, slots=True)
class FullTile:
    """A tile that has its 256 hashes, and the root over them."""

    level: int
    index: int
    root: bytes
    data: bytes


def filled_levels(size: int, added: int) -> tuple[int, ...]:
    """Return the levels at which ``added`` leaves fill a tile of a tree of ``size`` leaves, lowest first."""
    levels: list[int] = []
    shift = TILE_HEIGHT
    while size + added >> shift != size >> shift:
        levels.append(len(levels))
        shift += TILE_HEIGHT
    return tuple(levels)


class Growth:
    """A tree to append to.

    ``partial`` holds, for each level at which a tile is going to fill (``filled_levels``), the hashes that the
    level's last tile has already; an empty tree needs none. ``frontier`` is its edge, and grows with it.
    """

    def __init__(self, frontier: Frontier, partial: dict[int, list[bytes]] | None = None) -> None:
        self.frontier = frontier
        self._partial = partial or {}

    def append(self, root: bytes, *, level: int = 0) -> list[FullTile]:
        """Add a leaf's hash, or a whole tile level's hash: the root of 256^level leaves, where as many end.

        Returns the tiles that it fills, lowest first.
        """
        return self._take(level=level, closed=self.frontier.append(root, level=TILE_HEIGHT * level))

    def extend(self, leaves: Sequence[bytes]) -> list[FullTile]:
        """Add leaf hashes, whole tiles at a time where they make some; return the tiles that they fill."""
        full: list[FullTile] = []
        at = 0
        while at < len(leaves):
            if self.frontier.size % TILE_WIDTH or len(leaves) - at < TILE_WIDTH:
                full += self.append(leaves[at])
                at += 1
            else:
                full += self._append_tile(leaves[at : at + TILE_WIDTH])
                at += TILE_WIDTH
        return full

    def partial_tiles(self) -> list[tuple[Tile, bytes]]:
        """Return the tiles at the edge that have not filled, lowest first, in a tree grown from its first leaf."""
        size = self.frontier.size
        return [
            (Tile(level, size >> TILE_HEIGHT * (level + 1), len(hashes)), b"".join(hashes))
            for level, hashes in sorted(self._partial.items())
            if hashes
        ]

    def _append_tile(self, leaves: Sequence[bytes]) -> list[FullTile]:
        # As 256 times ``append``, in a third of the time: most of a long log is hashed here.
        index = self.frontier.size // TILE_WIDTH
        root = complete_root(leaves)
        full = [FullTile(level=0, index=index, root=root, data=b"".join(leaves))]
        return full + self.append(root, level=1)

    def _take(self, *, level: int, closed: list[bytes]) -> list[FullTile]:
        # ``closed`` are the roots of the subtrees that end here, from the tile level's own up; each eighth of them is
        # a hash of the next level, and says that the tile below it is full.
        full: list[FullTile] = []
        while True:
            hashes = self._partial.setdefault(level, [])
            hashes.append(closed[0])
            if len(closed) <= TILE_HEIGHT:
                return full
            closed = closed[TILE_HEIGHT:]
            index = (self.frontier.size >> TILE_HEIGHT * (level + 1)) - 1
            full.append(FullTile(level=level, index=index, root=closed[0], data=b"".join(hashes)))
            hashes.clear()
            level += 1

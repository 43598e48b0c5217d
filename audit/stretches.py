"""Verifying a stretch of the log by itself: all that needs no entry outside it, so that stretches need no order.

A stretch begins at a multiple of 256^height and is as long, unless the log ends before. Its entries make a tree of
their own, whose edge the edges of the stretches before it continue. What a checkpoint within it claims can be compared
only where all that comes before is known: so a stretch tells the root of its own part, and ``audit.verify`` joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from audit.checkpoints import CheckpointBody
from audit.errors import LogVerificationError, Subject
from audit.growth import FullTile, Growth
from audit.merkle import Frontier
from audit.note import Verifier
from audit.recheck import claim_of_note, leaves_of_rows, parties_text, require_tile, roots_within
from audit.stored import LogTables
from audit.tiles import TILE_HEIGHT, TILE_WIDTH
from schemas.bilingual import Bilingual

HEIGHT: Final = 2
"""Levels of tiles that a stretch of 65,536 entries spans: a second's work at most, and two MiB of tiles."""

Stretches = Sequence[tuple[int, int]]
"""Where each begins, and where the next one does."""

_CHUNK: Final = 8 * TILE_WIDTH
"""Entries read at once: few enough for a processor to keep near, many enough for a round trip."""


@dataclass(frozen=True, slots=True)
class Demanded:
    """What every stretch is verified against; ``known`` is the size of a checkpoint that came from elsewhere."""

    verifier: Verifier
    jurisdictions: Sequence[str]
    known: int | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a checkpoint claims, if any, and what the stretch's own entries up to its size hash to."""

    size: int
    root: bytes | None
    within: bytes


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A stretch: the edge of its own tree, the checkpoints within it, and what was at fault after the last of them."""

    edge: Frontier
    claims: tuple[Claim, ...]
    fault: LogVerificationError | None


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the database says beside a stretch's entries.

    Checkpoints' rows, the entries' parties from the first on, root and data of the tiles of level 0.
    """

    checkpoints: Sequence[Sequence[Any]]
    parties: Sequence[str]
    tiles: Mapping[int, tuple[bytes, bytes]]


async def recompute(log: LogTables, demanded: Demanded, start: int, stop: int) -> Recomputed:
    """Verify the entries from ``start`` to before ``stop`` with their columns, parties, tiles and checkpoints' notes.

    The first fault ends it, and is told rather than raised: an earlier checkpoint may yet turn out to be wrong.
    """
    growth, claims = Growth(Frontier()), list[Claim]()
    try:
        beside = await _beside(log, demanded, start, stop)
        for at in range(start, stop, _CHUNK):
            claims += await _chunk(log, demanded, growth, beside, (start, at, min(at + _CHUNK, stop)))
    except LogVerificationError as fault:
        return Recomputed(growth.frontier, tuple(claims), fault)
    return Recomputed(growth.frontier, tuple(claims), None)


async def require_tiles(log: LogTables, tiles: Sequence[FullTile], *, start: int = 0) -> None:
    """Compare tiles that grew from the entry ``start`` on with those that are stored. Raises as ``recompute`` tells."""
    for level in sorted({tile.level for tile in tiles}):
        expected = [tile for tile in tiles if tile.level == level]
        before = start >> TILE_HEIGHT * (level + 1)
        stored = await log.tiles(level, before + expected[0].index, before + expected[-1].index + 1)
        _require(expected, stored, before=before)


def _require(tiles: Sequence[FullTile], stored: Mapping[int, tuple[bytes, bytes]], *, before: int) -> None:
    for tile in tiles:
        index = before + tile.index
        root, data = stored.get(index, (None, None))
        require_tile(data, tile.data, level=tile.level, tile=index)
        if root != tile.root:
            raise LogVerificationError(Subject.TILE, _OTHER_TILE_ROOT, level=tile.level, tile=index)


async def _beside(log: LogTables, demanded: Demanded, start: int, stop: int) -> _Beside:
    return _Beside(
        checkpoints=await log.checkpoints(start + 1, stop + 1),
        parties=parties_text(await log.parties(demanded.jurisdictions, start, stop), first=start, count=stop - start),
        tiles=await log.tiles(0, start >> TILE_HEIGHT, stop >> TILE_HEIGHT),
    )


async def _chunk(
    log: LogTables, demanded: Demanded, growth: Growth, beside: _Beside, places: tuple[int, int, int]
) -> list[Claim]:
    start, at, stop = places
    claimed = _claimed(demanded.verifier, [row for row in beside.checkpoints if at < row[0] <= stop])
    leaves = leaves_of_rows(await log.entries(at, stop), beside.parties[at - start : stop - start], at)
    edge, tiles = growth.frontier.copy(), growth.extend(leaves)
    _require([tile for tile in tiles if tile.level == 0], beside.tiles, before=start >> TILE_HEIGHT)
    await require_tiles(log, [tile for tile in tiles if tile.level > 0], start=start)
    wanted: dict[int, bytes | None] = {claim.size: claim.root for claim in claimed}
    if demanded.known is not None and at < demanded.known <= stop:
        wanted.setdefault(demanded.known, None)
    within = roots_within(edge, leaves, tiles, {size - start for size in wanted})
    return [Claim(start + size, wanted[start + size], root) for size, root in within]


def _claimed(verifier: Verifier, rows: Iterable[Sequence[Any]]) -> list[CheckpointBody]:
    claims = []
    for size, root, note in rows:
        claim = claim_of_note(str(note).encode(), verifier, size=size)
        if (claim.size, claim.root) != (size, root):
            raise LogVerificationError(Subject.CHECKPOINT, _OTHER_NOTE, index=size)
        claims.append(claim)
    return claims


_OTHER_NOTE: Final = Bilingual(
    fr="La note du point de contrôle ne dit pas la taille et la racine inscrites à côté d'elle.",
    en="The checkpoint's note does not say the size and the root that are stored beside it.",
)
_OTHER_TILE_ROOT: Final = Bilingual(
    fr="La racine inscrite avec la tuile n'est pas la sienne.",
    en="The root that is stored with the tile is not the tile's.",
)

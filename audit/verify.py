"""Verifying the whole log: from its database, or from what it shows the public.

One verdict over everything, or ``LogVerificationError`` at the first thing that does not hold. Memory does not grow
with the log. Whoever verifies trusts the verifier key and, where ``known`` is a checkpoint that came to them earlier,
nothing that the operator may have rewritten since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import CheckpointBody
from audit.cosignature import Cosignature
from audit.cosigned import read_cosigned
from audit.errors import LogVerificationError, Subject, UnmetPolicyError
from audit.growth import FullTile, Growth
from audit.merkle import EMPTY_ROOT, Frontier
from audit.note import Verifier
from audit.policy import WitnessPolicy, missing
from audit.recheck import (
    OTHER_ROOT,
    claim_of_note,
    leaves_of_bundle,
    leaves_of_rows,
    parties_text,
    require_roots,
    require_tile,
)
from audit.stored import LogTables, StoredLog
from audit.tiles import TILE_WIDTH, EntryBundle, Tile, tile_width
from schemas.bilingual import Bilingual

Progress = Callable[[int, int], None]
"""Is told how many entries are done, of how many."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets a file below the log's prefix: ``checkpoint``, ``tile/0/000``, ``tile/entries/x001/234.p/5``."""

_CHUNK: Final = 64 * TILE_WIDTH


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """A log that holds: its size and root, and how far signed checkpoints vouch for it.

    ``checkpoints`` of its own were verified; the largest is for ``signed_size`` entries, 0 where there is none. Where a
    policy was demanded, ``cosigned`` are the witnesses' words on the checkpoint of ``cosigned_size`` entries.
    """

    origin: str
    size: int
    root: bytes
    checkpoints: int
    signed_size: int
    cosigned_size: int = 0
    cosigned: tuple[Cosignature, ...] = ()


async def verify_database(
    connection: AsyncConnection,
    *,
    vkey: str,
    progress: Progress,
    known: bytes | None = None,
    policy: WitnessPolicy | None = None,
) -> VerifiedLog:
    """Recompute all that the database says of the log: commitments, columns, parties, tiles, roots, signatures.

    The connection must see one state throughout: a transaction, on PostgreSQL a ``REPEATABLE READ`` one. ``known`` is
    a checkpoint from elsewhere, as a note, which the log must continue. With a ``policy`` a checkpoint must be there
    that is cosigned as it says. Raises ``LogVerificationError``; ``UnmetPolicyError``; ``MalformedNoteError`` where
    ``vkey`` is no verifier key.
    """
    verified = await verify_stored(StoredLog(connection), vkey=vkey, progress=progress, known=known)
    if policy is None:
        return verified
    size, cosigned = await _stored_cosigned(connection, Verifier.from_vkey(vkey), policy)
    return replace(verified, cosigned_size=size, cosigned=cosigned)


async def verify_stored(log: LogTables, *, vkey: str, progress: Progress, known: bytes | None = None) -> VerifiedLog:
    """Recompute a log from its tables, wherever these are; else as ``verify_database``."""
    verifier, growth = Verifier.from_vkey(vkey), Growth(Frontier())
    earlier = None if known is None else claim_of_note(known, verifier)
    size, root, frontier = await log.head()
    _require_growth(earlier, size)
    await log.require_nothing_beyond(size)
    jurisdictions = await log.jurisdictions()
    count = signed_size = 0
    for start in range(0, size, _CHUNK):
        stop = min(start + _CHUNK, size)
        claims = await _stored_claims(log, verifier, start + 1, stop + 1)
        parties = parties_text(await log.parties(jurisdictions, start, stop), first=start, count=stop - start)
        leaves = leaves_of_rows(await log.entries(start, stop), parties, start)
        edge, tiles = growth.frontier.copy(), growth.extend(leaves)
        await _compare_stored(log, tiles)
        require_roots(edge, leaves, tiles, _roots([*claims, *_only(earlier)]))
        count, signed_size = count + len(claims), max([signed_size, *(claim.size for claim in claims)])
        progress(stop, size)
    if (growth.frontier.root(), b"".join(growth.frontier.hashes)) != (root, frontier):
        raise LogVerificationError(Subject.HEAD, _OTHER_HEAD, index=size)
    return VerifiedLog(verifier.name, size, root, count, signed_size)


async def verify_remote(
    fetch: Fetch,
    *,
    vkey: str,
    progress: Progress,
    known: bytes | None = None,
    policy: WitnessPolicy | None = None,
) -> VerifiedLog:
    """Recompute the public log, every entry's commitment and every tile, against the checkpoint that it publishes.

    ``fetch`` gets the files, several at a time; what it raises is passed on. ``known`` is an earlier checkpoint, as a
    note, which the log must continue. With a ``policy`` the log is verified against the latest checkpoint that the
    exchange calls cosigned, and that must be cosigned as the policy says. Raises ``LogVerificationError``;
    ``UnmetPolicyError``; ``MalformedNoteError`` where ``vkey`` is no verifier key.
    """
    verifier, growth = Verifier.from_vkey(vkey), Growth(Frontier())
    earlier = None if known is None else claim_of_note(known, verifier)
    note = await fetch("checkpoint" if policy is None else "cosigned-checkpoint")
    published = claim_of_note(note, verifier)
    cosigned = () if policy is None else policy.require(note)
    size = published.size
    _require_growth(earlier, size)
    roots = _roots([published, *_only(earlier)])
    if size == 0 and published.root != EMPTY_ROOT:
        raise LogVerificationError(Subject.CHECKPOINT, OTHER_ROOT, index=0)
    for start in range(0, size, _CHUNK):
        leaves = await _fetched_leaves(fetch, start, size)
        edge, tiles = growth.frontier.copy(), growth.extend(leaves)
        stop = growth.frontier.size
        expected = [(Tile(tile.level, tile.index), tile.data) for tile in tiles]
        await _compare_fetched(fetch, expected if stop < size else expected + growth.partial_tiles())
        require_roots(edge, leaves, tiles, roots)
        progress(stop, size)
    return VerifiedLog(verifier.name, size, published.root, 1, size, size if cosigned else 0, cosigned)


async def _fetched_leaves(fetch: Fetch, start: int, size: int) -> list[bytes]:
    indexes = range(start // TILE_WIDTH, -(-min(start + _CHUNK, size) // TILE_WIDTH))
    bundles = [EntryBundle(index, tile_width(0, index, size)) for index in indexes]
    fetched = await _fetch_all(fetch, [bundle.path for bundle in bundles])
    leaves: list[bytes] = []
    for bundle, data in zip(bundles, fetched, strict=True):
        leaves += leaves_of_bundle(data, width=bundle.width, first=bundle.index * TILE_WIDTH)
    return leaves


async def _stored_claims(log: LogTables, verifier: Verifier, start: int, stop: int) -> list[CheckpointBody]:
    claims = []
    for size, root, note in await log.checkpoints(start, stop):
        claim = claim_of_note(str(note).encode(), verifier, size=size)
        if (claim.size, claim.root) != (size, root):
            raise LogVerificationError(Subject.CHECKPOINT, _OTHER_NOTE, index=size)
        claims.append(claim)
    return claims


async def _stored_cosigned(
    connection: AsyncConnection, verifier: Verifier, policy: WitnessPolicy
) -> tuple[int, tuple[Cosignature, ...]]:
    found = await read_cosigned(connection, policy.is_met_by)
    if found is None:
        raise UnmetPolicyError(missing(policy.groups))
    note = found.published.encode()
    # the checkpoint itself was held against the entries with all the others
    return claim_of_note(note, verifier, size=found.size).size, policy.require(note)


async def _compare_stored(log: LogTables, tiles: Sequence[FullTile]) -> None:
    for level in sorted({tile.level for tile in tiles}):
        expected = [tile for tile in tiles if tile.level == level]
        stored = await log.tiles(level, expected[0].index, expected[-1].index + 1)
        for tile in expected:
            root, data = stored.get(tile.index, (None, None))
            require_tile(data, tile.data, level=level, tile=tile.index)
            if root != tile.root:
                raise LogVerificationError(Subject.TILE, _OTHER_TILE_ROOT, level=level, tile=tile.index)


async def _compare_fetched(fetch: Fetch, tiles: Sequence[tuple[Tile, bytes]]) -> None:
    fetched = await _fetch_all(fetch, [tile.path for tile, _ in tiles])
    for (tile, expected), found in zip(tiles, fetched, strict=True):
        require_tile(found, expected, level=tile.level, tile=tile.index)


async def _fetch_all(fetch: Fetch, paths: Iterable[str]) -> list[bytes]:
    async def fetched(path: str) -> bytes:
        return await fetch(path)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetched(path)) for path in paths]
    except BaseExceptionGroup as errors:  # the others were cancelled: the first to fail says why
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _roots(claims: Sequence[CheckpointBody]) -> dict[int, bytes]:
    roots: dict[int, bytes] = {}
    for claim in claims:
        if roots.setdefault(claim.size, claim.root) != claim.root:
            raise LogVerificationError(Subject.CHECKPOINT, _TWO_ROOTS, index=claim.size)
    return roots


def _only(claim: CheckpointBody | None) -> list[CheckpointBody]:
    return [] if claim is None else [claim]


def _require_growth(earlier: CheckpointBody | None, size: int) -> None:
    if earlier is not None and earlier.size > size:
        raise LogVerificationError(Subject.CHECKPOINT, _SHRUNK, index=earlier.size)


_OTHER_HEAD: Final = Bilingual(
    fr="La tête du journal n'est pas celle que donnent les inscriptions.",
    en="The log's head is not the one that the entries give.",
)
_OTHER_NOTE: Final = Bilingual(
    fr="La note du point de contrôle ne dit pas la taille et la racine inscrites à côté d'elle.",
    en="The checkpoint's note does not say the size and the root that are stored beside it.",
)
_OTHER_TILE_ROOT: Final = Bilingual(
    fr="La racine inscrite avec la tuile n'est pas la sienne.",
    en="The root that is stored with the tile is not the tile's.",
)
_TWO_ROOTS: Final = Bilingual(
    fr="Deux points de contrôle signés donnent deux racines pour une même taille : le journal a été dédoublé.",
    en="Two signed checkpoints give two roots for one size: the log was forked.",
)
_SHRUNK: Final = Bilingual(
    fr="Le journal est plus court que ce point de contrôle, qu'il a signé auparavant.",
    en="The log is shorter than this checkpoint, which it signed before.",
)

"""Verifying the whole log: from its database, or from what it shows the public.

One verdict over everything, or ``LogVerificationError`` at the first thing that does not hold. Memory does not grow
with the log. Whoever verifies trusts the verifier key and, where ``known`` is a checkpoint that came to them earlier,
nothing that the operator may have rewritten since.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import CheckpointBody
from audit.cosignature import Cosignature
from audit.cosigned import read_cosigned
from audit.errors import LogVerificationError, Subject, UnmetPolicyError
from audit.growth import Growth
from audit.merkle import EMPTY_ROOT, Frontier
from audit.note import Verifier
from audit.policy import WitnessPolicy, missing
from audit.recheck import OTHER_ROOT, claim_of_note, leaves_of_bundle, require_roots, require_tile
from audit.sharing import Sharing, shared
from audit.stored import LogTables, StoredLog
from audit.stretches import HEIGHT, Claim, Demanded, Recomputed, Stretches, recompute, require_tiles
from audit.tiles import TILE_WIDTH, EntryBundle, Tile, tile_width
from schemas.bilingual import Bilingual

Progress = Callable[[int, int], None]
"""Is told how many entries are done, of how many."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets a file below the log's prefix: ``checkpoint``, ``tile/0/000``, ``tile/entries/x001/234.p/5``."""

_CHUNK: Final = 64 * TILE_WIDTH

_Recomputing = Callable[[Demanded, Stretches], AsyncGenerator[Recomputed]]


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
    sharing: Sharing | None = None,
) -> VerifiedLog:
    """Recompute all that the database says of the log: commitments, columns, parties, tiles, roots, signatures.

    The connection must see one state throughout: a transaction, on PostgreSQL a ``REPEATABLE READ`` one. ``known`` is
    a checkpoint from elsewhere, as a note, which the log must continue. With a ``policy`` a checkpoint must be there
    that is cosigned as it says. With ``sharing`` a large log is verified by several processes, and what is found is
    the same. Raises ``LogVerificationError``; ``UnmetPolicyError``; ``MalformedNoteError`` where ``vkey`` is no
    verifier key.
    """

    def recomputed(demanded: Demanded, stretches: Stretches) -> AsyncGenerator[Recomputed]:
        if sharing is not None and sharing.worthwhile(len(stretches)):
            return shared(connection, sharing, demanded, stretches)
        return _one_by_one(log, demanded, stretches)

    log = StoredLog(connection)
    height = HEIGHT if sharing is None else sharing.height
    verified = await _verify(log, recomputed, vkey=vkey, progress=progress, known=known, height=height)
    if policy is None:
        return verified
    size, cosigned = await _stored_cosigned(connection, Verifier.from_vkey(vkey), policy)
    return replace(verified, cosigned_size=size, cosigned=cosigned)


async def verify_stored(
    log: LogTables, *, vkey: str, progress: Progress, known: bytes | None = None, height: int = HEIGHT
) -> VerifiedLog:
    """Recompute a log from its tables, wherever they are, 256^height entries at a time; else as ``verify_database``."""
    return await _verify(log, partial(_one_by_one, log), vkey=vkey, progress=progress, known=known, height=height)


async def _verify(
    log: LogTables, recomputed: _Recomputing, *, vkey: str, progress: Progress, known: bytes | None, height: int
) -> VerifiedLog:
    verifier = Verifier.from_vkey(vkey)
    earlier = None if known is None else claim_of_note(known, verifier)
    size, root, frontier = await log.head()
    _require_growth(earlier, size)
    await log.require_nothing_beyond(size)
    demanded = Demanded(verifier, await log.jurisdictions(), None if earlier is None else earlier.size)
    tree, count, signed_size = Growth(Frontier()), 0, 0
    width = TILE_WIDTH**height
    stretches = [(start, min(start + width, size)) for start in range(0, size, width)]
    async with aclosing(recomputed(demanded, stretches)) as parts:
        async for part in parts:
            edge = tree.frontier.copy()
            if part.fault is None:
                await _join(log, tree, part, height)
            _require_claims(edge, part.claims, earlier)
            if part.fault is not None:
                raise part.fault
            signed = [claim.size for claim in part.claims if claim.root is not None]
            count, signed_size = count + len(signed), max([signed_size, *signed])
            progress(tree.frontier.size, size)
    if (tree.frontier.root(), b"".join(tree.frontier.hashes)) != (root, frontier):
        raise LogVerificationError(Subject.HEAD, _OTHER_HEAD, index=size)
    return VerifiedLog(verifier.name, size, root, count, signed_size)


async def _one_by_one(log: LogTables, demanded: Demanded, stretches: Stretches) -> AsyncGenerator[Recomputed]:
    for start, stop in stretches:
        yield await recompute(log, demanded, start, stop)


async def _join(log: LogTables, tree: Growth, part: Recomputed, height: int) -> None:
    """Continue the tree by a stretch's, which is whole but for the last; compare the tiles that span stretches."""
    if part.edge.size == TILE_WIDTH**height:
        (root,) = part.edge.hashes
        await require_tiles(log, tree.append(root, level=height))
    else:
        tree.frontier = Frontier(tree.frontier.size + part.edge.size, tree.frontier.hashes + part.edge.hashes)


def _require_claims(edge: Frontier, claims: Sequence[Claim], earlier: CheckpointBody | None) -> None:
    """Compare what checkpoints claim with the tree, whose ``edge`` is where their stretch begins."""
    for claim in claims:
        known = earlier.root if earlier is not None and earlier.size == claim.size else None
        if claim.root is not None and known is not None and claim.root != known:
            raise LogVerificationError(Subject.CHECKPOINT, _TWO_ROOTS, index=claim.size)
        if (claim.root or known) != edge.root_with(claim.within):
            raise LogVerificationError(Subject.CHECKPOINT, OTHER_ROOT, index=claim.size)


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


async def _stored_cosigned(
    connection: AsyncConnection, verifier: Verifier, policy: WitnessPolicy
) -> tuple[int, tuple[Cosignature, ...]]:
    found = await read_cosigned(connection, policy.is_met_by)
    if found is None:
        raise UnmetPolicyError(missing(policy.groups))
    note = found.published.encode()
    # the checkpoint itself was held against the entries with all the others
    return claim_of_note(note, verifier, size=found.size).size, policy.require(note)


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
_TWO_ROOTS: Final = Bilingual(
    fr="Deux points de contrôle signés donnent deux racines pour une même taille : le journal a été dédoublé.",
    en="Two signed checkpoints give two roots for one size: the log was forked.",
)
_SHRUNK: Final = Bilingual(
    fr="Le journal est plus court que ce point de contrôle, qu'il a signé auparavant.",
    en="The log is shorter than this checkpoint, which it signed before.",
)

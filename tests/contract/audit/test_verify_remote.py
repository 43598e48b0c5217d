"""Verifying what a log shows the public: checkpoint, tiles, entry bundles."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.checkpoints import CheckpointBody, PublishedState, publish, read_latest
from audit.errors import LogVerificationError, Subject
from audit.merkle import EMPTY_ROOT
from audit.note import LogSigner
from audit.proofs import read_entry_bundle, read_tile
from audit.tiles import EntryBundle, parse_tile_path
from audit.verify import VerifiedLog, verify_remote
from tests.contract.audit.writing import NOW, append

SIZE: Final = 256 * 5 + 5

SEVERAL_ROUNDS: Final = 256 * 66 + 5
"""More entries than a verification takes at a time."""


class PublicLog:
    """A log's public files, read from its database once; a test may change them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []

    async def fetch(self, path: str) -> bytes:
        """Give a file, a moment later."""
        self.fetched.append(path)
        await asyncio.sleep(0)
        return self.files[path]


async def public_log(connection: AsyncConnection, size: int) -> PublicLog:
    """Give the public files of a log of this size."""
    log = PublicLog()
    latest = await read_latest(connection)
    assert latest is not None
    log.files["checkpoint"] = latest.note.encode()
    count, level = size, 0
    while count:
        for index in range(-(-count // 256)):
            width = min(256, count - index * 256)
            suffix = "" if width == 256 else f".p/{width}"
            names = [f"tile/{level}/{index:03}{suffix}", *([f"tile/entries/{index:03}{suffix}"] if level == 0 else [])]
            for name in names:
                wanted = parse_tile_path(name)
                if isinstance(wanted, EntryBundle):
                    log.files[name] = await read_entry_bundle(connection, wanted.index, wanted.width)
                else:
                    log.files[name] = await read_tile(connection, wanted.level, wanted.index, wanted.width)
        count, level = count // 256, level + 1
    return log


@pytest.fixture
async def log(connection: AsyncConnection, signer: LogSigner, published: PublishedState) -> PublicLog:
    """Give the public files of a log of 1,285 entries: full and partial tiles at level 0, a partial one at level 1."""
    await append(connection, SIZE)
    await publish(connection, signer, published, NOW)
    return await public_log(connection, SIZE)


async def verify(log: PublicLog, signer: LogSigner, *, known: bytes | None = None) -> VerifiedLog:
    """Verify public files with their signer's verifier key."""
    return await verify_remote(log.fetch, vkey=signer.vkey, progress=lambda _done, _total: None, known=known)


async def refusal(log: PublicLog, signer: LogSigner, *, known: bytes | None = None) -> LogVerificationError:
    """Verify public files that must not pass, and give the reason."""
    with pytest.raises(LogVerificationError) as refused:
        await verify(log, signer, known=known)
    return refused.value


async def test_every_public_file_is_fetched_once_and_verified(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """The verdict is on the checkpoint's tree, and no file of the log was left out; progress ends at the whole."""
    await append(connection, SEVERAL_ROUNDS)
    checkpoint = await publish(connection, signer, published, NOW)
    assert checkpoint is not None
    log = await public_log(connection, SEVERAL_ROUNDS)
    steps: list[tuple[int, int]] = []
    verdict = await verify_remote(log.fetch, vkey=signer.vkey, progress=lambda *step: steps.append(step))
    assert verdict == VerifiedLog(
        origin=signer.origin,
        size=SEVERAL_ROUNDS,
        root=checkpoint.root,
        checkpoints=1,
        signed_size=SEVERAL_ROUNDS,
    )
    assert sorted(log.fetched) == sorted(log.files)
    assert steps == [(256 * 64, SEVERAL_ROUNDS), (SEVERAL_ROUNDS, SEVERAL_ROUNDS)]


async def test_an_empty_log_verifies(signer: LogSigner) -> None:
    """A checkpoint of no entries must have the empty tree's root."""
    log = PublicLog()
    log.files["checkpoint"] = signer.sign(
        f"{signer.origin}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    ).encode()
    verdict = await verify(log, signer)
    assert (verdict.size, verdict.root) == (0, EMPTY_ROOT)
    log.files["checkpoint"] = signer.sign(CheckpointBody(origin=signer.origin, size=0, root=bytes(32)).text).encode()
    assert (await refusal(log, signer)).subject is Subject.CHECKPOINT


async def test_a_changed_file_is_named(log: PublicLog, signer: LogSigner) -> None:
    """A bit turned, a byte missing or too many, in any kind of file, is refused, and named where it has a place."""
    expected: dict[str, tuple[Subject, int | None, int | None]] = {
        "checkpoint": (Subject.CHECKPOINT, None, None),
        "tile/0/003": (Subject.TILE, 0, 3),
        "tile/0/005.p/5": (Subject.TILE, 0, 5),
        "tile/1/000.p/5": (Subject.TILE, 1, 0),
        "tile/entries/003": (Subject.ENTRY, None, None),
        "tile/entries/005.p/5": (Subject.ENTRY, None, None),
    }
    for name, (subject, level, tile) in expected.items():
        whole = log.files[name]
        for spoilt in (whole[:-1], whole + b"\x00", b"", whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
            log.files[name] = spoilt
            refused = await refusal(log, signer)
            if name.startswith("tile/entries/") and len(spoilt) == len(whole):
                # The entry is 32 bytes like any other: what it contradicts is its tile.
                assert refused.subject is Subject.TILE
            else:
                assert (refused.subject, refused.level, refused.tile) == (subject, level, tile), name
        log.files[name] = whole
    assert (await verify(log, signer)).size == SIZE


async def test_a_changed_entry_is_named_by_its_index(log: PublicLog, signer: LogSigner) -> None:
    """A commitment that was replaced is found at its place, by the tile that has another hash."""
    bundle = bytearray(log.files["tile/entries/003"])
    bundle[34 * 9 + 2] ^= 1
    log.files["tile/entries/003"] = bytes(bundle)
    refused = await refusal(log, signer)
    assert (refused.subject, refused.level, refused.tile, refused.index) == (Subject.TILE, 0, 3, 3 * 256 + 9)


async def test_an_entry_that_is_no_commitment_is_refused(log: PublicLog, signer: LogSigner) -> None:
    """A bundle of entries of another length is not ours, even where the whole is as long."""
    bundle = bytearray(log.files["tile/entries/003"])
    bundle[1] = 31
    log.files["tile/entries/003"] = bytes(bundle)
    refused = await refusal(log, signer)
    assert (refused.subject, refused.index) == (Subject.ENTRY, 768)


async def test_the_log_must_continue_a_known_checkpoint(
    engine: AsyncEngine, signer: LogSigner, published: PublishedState
) -> None:
    """An earlier checkpoint that the log continues passes; of another root, or of a longer log, it does not."""
    async with engine.connect() as connection:
        await append(connection, 300)
        earlier = await publish(connection, signer, published, NOW)
        assert earlier is not None
        await append(connection, 300)
        await publish(connection, signer, published, NOW)
        log = await public_log(connection, 600)
    assert (await verify(log, signer, known=earlier.note.encode())).size == 600
    assert (await verify(log, signer, known=log.files["checkpoint"])).size == 600
    for size in (1, 300, 600, 601):
        other = signer.sign(CheckpointBody(origin=signer.origin, size=size, root=bytes(32)).text).encode()
        refused = await refusal(log, signer, known=other)
        assert (refused.subject, refused.index) == (Subject.CHECKPOINT, size)


async def test_what_the_fetch_raises_is_passed_on(log: PublicLog, signer: LogSigner) -> None:
    """A file that can't be had is the caller's error, as the caller raised it."""
    for name in ("checkpoint", "tile/entries/003", "tile/0/005.p/5"):
        whole = log.files.pop(name)
        with pytest.raises(KeyError, match=name):
            await verify(log, signer)
        log.files[name] = whole

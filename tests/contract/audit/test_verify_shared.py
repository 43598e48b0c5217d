"""Verifying a database by several processes comes to what one process comes to, good or bad."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import ColumnElement, Update, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from audit.checkpoints import PublishedState, publish
from audit.errors import LogVerificationError
from audit.note import LogSigner
from audit.sharing import Sharing
from audit.tables import checkpoints, log_entries, log_head, log_tiles
from audit.verify import verify_database, verify_stored
from tests.contract.audit.conftest import open_engine
from tests.contract.audit.tampered import DATABASE, Kept, taken_from
from tests.contract.audit.writing import NOW, append

SIZES: Final = (300, 512, 900, 1_100)
"""Where the log is signed; by stretches of 256 the last one is the fifth, and not whole."""


@asynccontextmanager
async def reading(place: Path | str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that sees one state, in whichever process asks for it."""
    if isinstance(place, Path):
        engine = create_async_engine(f"sqlite+aiosqlite:///{place}")
    else:
        engine = open_engine(place).execution_options(isolation_level="REPEATABLE READ")
    async with engine.connect() as connection, connection.begin():
        yield connection
    await engine.dispose()


@pytest.fixture
async def place(path: Path | str, engine: AsyncEngine, signer: LogSigner, published: PublishedState) -> Path | str:
    """Give the place of a database with a log of several stretches."""
    async with engine.connect() as connection:
        before = 0
        for size in SIZES:
            await append(connection, size - before)
            await publish(connection, signer, published, NOW)
            before = size
    return path


async def told(place: Path | str, signer: LogSigner, sharing: Sharing) -> tuple[str, list[int]]:
    """Verify; give the verdict or the refusal, and how far the work was said to be."""
    steps: list[int] = []
    async with reading(place) as connection:
        try:
            verdict = str(
                await verify_database(
                    connection, vkey=signer.vkey, progress=lambda done, _of: steps.append(done), sharing=sharing
                )
            )
        except LogVerificationError as refused:
            verdict = f"{refused} {refused.reason.fr}"
    return verdict, steps


def faults() -> list[Update]:
    """Give changes of a log, the later ones at earlier places of it."""

    def index(number: int) -> ColumnElement[bool]:
        return log_entries.c.log_index == number

    return [
        update(log_head).values(root=bytes(32)),
        update(log_entries).where(index(1_050)).values(kind="expired"),
        update(checkpoints).where(checkpoints.c.size == 900).values(root=bytes(32)),
        update(log_tiles).where(log_tiles.c.tile == 2).values(root=bytes(32)),
        update(log_entries).where(index(300)).values(salt=bytes(32)),
    ]


async def test_processes_come_to_what_one_comes_to(place: Path | str, engine: AsyncEngine, signer: LogSigner) -> None:
    """The verdict of a good log, and the first fault of one with ever more, are those of a single process."""
    sharing, alone = (Sharing(processes, partial(reading, place), height=1) for processes in (2, 1))
    good, steps = await told(place, signer, sharing)
    assert (good, steps) == ((await told(place, signer, alone))[0], [256, 512, 768, 1_024, 1_100])
    seen = [good]
    for fault in faults():
        async with engine.begin() as connection:
            await connection.execute(fault)
        refused, _ = await told(place, signer, sharing)
        assert refused == (await told(place, signer, alone))[0]
        seen.append(refused)
    assert len(set(seen)) == len(seen), "every fault comes before those that were made earlier"


def test_few_stretches_are_not_shared() -> None:
    """Processes are started where each has two stretches to do at least."""
    sharing = Sharing(2, partial(reading, ""))
    assert [sharing.worthwhile(stretches) for stretches in (0, 1, 3, 4, 100)] == [False, False, False, True, True]
    assert not Sharing(1, partial(reading, "")).worthwhile(100)


@pytest.mark.parametrize("path", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("place")
async def test_however_long_a_stretch_is_the_finding_is_the_same(engine: AsyncEngine, signer: LogSigner) -> None:
    """By stretches of 256 entries or of 65,536, whatever was tampered with is found out, and at the same place."""
    async with engine.connect() as connection, connection.begin():
        log = await taken_from(connection, signer)
    choices = random.Random(11)  # noqa: S311 - how logs are tampered with is no secret
    for way in DATABASE:
        tampered = log.copy()
        way(tampered, choices, signer)
        whole, parts = [await finding(tampered, log, signer, height=height) for height in (2, 1)]
        assert whole == parts, way.__name__
    assert await finding(log, log, signer, height=1) == str(1_100)


async def finding(log: Kept, original: Kept, signer: LogSigner, *, height: int) -> str:
    """Verify tables as whoever has kept the last checkpoint; give the size or the fault."""
    known = str(original.signed[-1][2]).encode()
    try:
        verified = await verify_stored(
            log, vkey=signer.vkey, progress=lambda _done, _of: None, known=known, height=height
        )
    except LogVerificationError as refused:
        return str(refused)
    return str(verified.size)

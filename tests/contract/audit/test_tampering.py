"""History that is rewritten is found out: ten thousand times, in every way that we could think of.

Each attempt changes one log, its tables or the files that it serves, and verifies it with the product's own code, by
whoever has kept a checkpoint. Attempts that happen to change nothing do not count, and every way counts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import PublishedState, publish
from audit.errors import LogVerificationError
from audit.log import initialise
from audit.note import LogSigner
from audit.tables import checkpoints, log_entries, log_head, log_parties, log_tiles, metadata
from audit.verify import verify_database, verify_remote, verify_stored
from tests.contract.audit.conftest import open_engine
from tests.contract.audit.tampered import DATABASE, SERVED, GoneError, Kept, Tampering, fork, taken_from
from tests.contract.audit.writing import NOW, append

ATTEMPTS: Final = {"tables": 4_320, "files": 5_320, "database": 360}
"""Ten thousand together; those in a real database take longest each."""
WEIGHTS: Final = (6, 2, 1)
WITHOUT_TILES: Final = tuple(way for way in DATABASE if "tile" not in way.__name__)
LOGS: Final = ((7, 12, 24), (3, 256, 270), (100, 300, 520))
"""The sizes at which each log was signed; the last is its own."""


def quiet(_done: int, _of: int) -> None:
    """Tell nobody how far it is."""


@pytest.fixture
async def logs(tmp_path: Path, signer: LogSigner) -> list[Kept]:
    """Return logs of several sizes, taken from databases that the product has written."""
    made = []
    for number, sizes in enumerate(LOGS):
        engine = open_engine(tmp_path / f"{number}.sqlite3")
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await initialise(connection)
        async with engine.connect() as connection:
            before, published = 0, PublishedState(tmp_path / f"{number}.published")
            for size in sizes:
                await append(connection, size - before)
                await publish(connection, signer, published, NOW)
                before = size
            async with connection.begin():
                made.append(await taken_from(connection, signer))
        await engine.dispose()
    return made


def attempts(
    logs: Sequence[Kept], ways: Sequence[Tampering], number: int, signer: LogSigner, *, seed: int
) -> Iterator[tuple[Kept, Kept, str]]:
    """Yield so many tampered logs, each way as often as any other, with what each was before; small logs more often."""
    choices, made = random.Random(seed), 0  # noqa: S311 - how logs are tampered with is no secret
    while made < number:
        way = ways[made % len(ways)]
        (original,) = choices.choices(logs, WEIGHTS[: len(logs)])
        tampered = original.copy()
        way(tampered, choices, signer)
        if tampered != original:
            made += 1
            yield tampered, original, way.__name__


async def test_ten_thousand_are_enough() -> None:
    """The attempts of this module are ten thousand together."""
    assert sum(ATTEMPTS.values()) == 10_000


async def test_what_was_not_tampered_with_verifies(logs: list[Kept], signer: LogSigner) -> None:
    """The logs are sound before anyone tampers with them, so that what is found is the tampering."""
    for log in logs:
        known = str(log.signed[-1][2]).encode()
        assert (await verify_stored(log, vkey=signer.vkey, progress=quiet, known=known)).size == log.size
        assert (await verify_remote(log.fetch, vkey=signer.vkey, progress=quiet, known=known)).size == log.size
        assert log.copy() == log


async def test_tables_that_were_tampered_with_are_found_out(logs: list[Kept], signer: LogSigner) -> None:
    """Whatever is flipped, deleted, reordered, rewritten or rolled back in a log's tables."""
    tried = Counter[str]()
    for log, original, way in attempts(logs, DATABASE, ATTEMPTS["tables"], signer, seed=1):
        known = str(original.signed[-1][2]).encode()
        tried[way] += 1
        try:
            await verify_stored(log, vkey=signer.vkey, progress=quiet, known=known)
        except LogVerificationError:
            continue
        pytest.fail(f"{way} was not found out, of a log of {original.size}")
    assert set(tried.values()) == {ATTEMPTS["tables"] // len(DATABASE)}


async def test_files_that_were_tampered_with_are_found_out(logs: list[Kept], signer: LogSigner) -> None:
    """Whatever is flipped, cut, deleted, reordered, exchanged or rolled back of what a log serves."""
    tried = Counter[str]()
    for log, original, way in attempts(logs, SERVED, ATTEMPTS["files"], signer, seed=2):
        known = str(original.signed[-1][2]).encode()
        tried[way] += 1
        try:
            await verify_remote(log.fetch, vkey=signer.vkey, progress=quiet, known=known)
        except (LogVerificationError, GoneError):
            continue
        pytest.fail(f"{way} was not found out, of a log of {original.size}")
    assert set(tried.values()) == {ATTEMPTS["files"] // len(SERVED)}


async def test_a_forked_log_is_right_in_itself(logs: list[Kept], signer: LogSigner) -> None:
    """What a log's own operator rewrites and signs anew is found out by nobody but who has kept a checkpoint.

    That is what witnesses are for.
    """
    forked = logs[0].copy()
    fork(forked, random.Random(7), signer)  # noqa: S311 - the same
    assert (await verify_stored(forked, vkey=signer.vkey, progress=quiet)).size == forked.size
    with pytest.raises(LogVerificationError):
        await verify_stored(forked, vkey=signer.vkey, progress=quiet, known=str(logs[0].signed[-1][2]).encode())


async def test_a_database_that_was_tampered_with_is_found_out(
    logs: list[Kept], connection: AsyncConnection, signer: LogSigner
) -> None:
    """The same ways in a real database, whose own rules some of them break before anyone verifies."""
    for log, original, way in attempts(logs[:1], WITHOUT_TILES, ATTEMPTS["database"], signer, seed=3):
        known = str(original.signed[-1][2]).encode()
        async with connection.begin() as transaction:
            await _written(connection, log)
            try:
                await verify_database(connection, vkey=signer.vkey, progress=quiet, known=known)
            except LogVerificationError:
                await transaction.rollback()
                continue
        pytest.fail(f"{way} was not found out")


async def _written(connection: AsyncConnection, log: Kept) -> None:
    """Put a log into a database, in the place of the one that is there."""
    for table in (log_entries, log_parties, log_tiles, log_head, checkpoints):
        await connection.execute(delete(table))
    names = [column.name for column in log_entries.columns if column is not log_entries.c.disclosures]
    parties = [
        {"jurisdiction": name, "log_index": index}
        for name, of_name in log.of_jurisdictions.items()
        for index in of_name
    ]
    head = {"id": 1, "size": log.size, "root": log.root, "frontier": log.frontier}
    signed = [{"size": size, "root": root, "note": note, "time": ""} for size, root, note in log.signed]
    tiles = [
        {"level": level, "tile": tile, "root": root, "data": data}
        for (level, tile), (root, data) in log.full_tiles.items()
    ]
    entries = [dict(zip(names, row, strict=True)) for row in log.rows]
    for table, rows in (
        (log_entries, entries),
        (log_parties, parties),
        (log_tiles, tiles),
        (log_head, [head]),
        (checkpoints, signed),
    ):
        if rows:
            await connection.execute(insert(table), rows)

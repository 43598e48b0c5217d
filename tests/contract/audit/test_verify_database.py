"""Verifying a database: a good log passes, and nothing in it can be changed unnoticed."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from typing import Final

import pytest
from sqlalchemy import Column, Row, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.checkpoints import PublishedState, publish, read_latest
from audit.entry import commitment
from audit.errors import LogVerificationError, MalformedNoteError, Subject
from audit.growth import Growth
from audit.log import open_batch, read_head
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from audit.note import LogSigner
from audit.queries import entry_at
from audit.tables import checkpoints, log_entries, log_head, log_parties, log_tiles
from audit.verify import VerifiedLog, verify_database
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.contract.audit.writing import NOW, Plainly, append, draft

SIZE: Final = 520
SIGNED: Final = (3, 256, 300, SIZE)

SUBJECTS: Final = {
    log_entries: {Subject.ENTRY},
    log_parties: {Subject.PARTIES},
    log_tiles: {Subject.TILE},
    log_head: {Subject.HEAD, Subject.ENTRY, Subject.CHECKPOINT, Subject.TILE},
    checkpoints: {Subject.CHECKPOINT},
}
"""What a verification may find at fault where a table was changed; a smaller head leaves everything else beyond it."""

UNCOVERED: Final = {checkpoints.c.time, log_head.c.id, log_entries.c.disclosures}
"""The operator's own note of when a checkpoint was signed, which nothing vouches for; a number that is always 1; and
what an entry withholds, which is sealed: whoever opens it finds it out, for it must answer to digests in the entry."""


@pytest.fixture
async def log(engine: AsyncEngine, signer: LogSigner, published: PublishedState) -> AsyncIterator[AsyncConnection]:
    """Give a connection in a transaction on a log of 520 entries with four checkpoints; all it changes is undone."""
    async with engine.connect() as connection:
        before = 0
        for size in SIGNED:
            await append(connection, size - before)
            await publish(connection, signer, published, NOW)
            before = size
        async with connection.begin() as transaction:
            yield connection
            await transaction.rollback()


async def verify(log: AsyncConnection, signer: LogSigner, *, known: bytes | None = None) -> VerifiedLog:
    """Verify the log with its signer's verifier key."""
    return await verify_database(log, vkey=signer.vkey, progress=lambda _done, _total: None, known=known)


async def refusal(log: AsyncConnection, signer: LogSigner, *, known: bytes | None = None) -> LogVerificationError:
    """Verify a log that must not pass, and give the reason."""
    with pytest.raises(LogVerificationError) as refused:
        await verify(log, signer, known=known)
    return refused.value


async def test_a_good_log_verifies(log: AsyncConnection, signer: LogSigner) -> None:
    """The verdict names origin, size, root and how far checkpoints vouch; progress ends at the whole."""
    steps: list[tuple[int, int]] = []
    verdict = await verify_database(log, vkey=signer.vkey, progress=lambda *step: steps.append(step))
    head = await read_head(log)
    assert verdict == VerifiedLog(
        origin=signer.origin, size=SIZE, root=head.root, checkpoints=len(SIGNED), signed_size=SIZE
    )
    assert steps[-1] == (SIZE, SIZE)


async def test_an_empty_log_verifies(connection: AsyncConnection, signer: LogSigner) -> None:
    """A log without entries and checkpoints is the empty tree."""
    async with connection.begin():
        verdict = await verify(connection, signer)
    assert verdict == VerifiedLog(origin=signer.origin, size=0, root=EMPTY_ROOT, checkpoints=0, signed_size=0)


async def test_a_log_of_several_rounds_verifies(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """More entries than a verification takes at a time make one verdict, and a fault in a later round is found."""
    for count in (256 * 64 - 1, 1, 1, 700):
        await append(connection, count)
        await publish(connection, signer, published, NOW)
    size = 256 * 64 + 701
    async with connection.begin() as transaction:
        verdict = await verify(connection, signer)
        assert (verdict.size, verdict.checkpoints, verdict.signed_size) == (size, 4, size)
        await connection.execute(update(log_entries).where(log_entries.c.log_index == size - 2).values(kind="expired"))
        assert (await refusal(connection, signer)).index == size - 2
        await transaction.rollback()


async def test_entries_after_the_last_checkpoint_are_not_vouched_for(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """What was appended since is verified against the head, and the verdict says where the signatures end."""
    await append(connection, 5)
    await publish(connection, signer, published, NOW)
    await append(connection, 3)
    async with connection.begin():
        verdict = await verify(connection, signer)
    assert (verdict.size, verdict.checkpoints, verdict.signed_size) == (8, 1, 5)


def flipped(value: object, at: int, bit: int) -> object:
    """Turn one bit of a stored value; a null becomes a value."""
    match value:
        case int():
            return value ^ 1 << bit
        case bytes():
            turned = bytearray(value)
            turned[at % len(turned)] ^= 1 << bit
            return bytes(turned)
        case str():
            return "".join(
                chr(ord(char) ^ 1 << bit) if place == at % len(value) else char for place, char in enumerate(value)
            )
        case _:
            return "x"


def columns() -> list[Column[object]]:
    """Give every column that something vouches for."""
    return [column for table in SUBJECTS for column in table.columns if column not in UNCOVERED]


async def rows_of(log: AsyncConnection, table: Table) -> list[Row[*tuple[object, ...]]]:
    """Give a table's rows, in the order of its key."""
    return list(await log.execute(select(table).order_by(*table.primary_key.columns)))


async def assert_noticed(
    log: AsyncConnection, signer: LogSigner, row: Row[*tuple[object, ...]], column: Column[object], value: object
) -> None:
    """Change one value, demand that the verification names the table's fault and place, and change it back."""
    table = column.table
    assert isinstance(table, Table)
    async with log.begin_nested() as savepoint:
        where = [key == row._mapping[key.name] for key in table.primary_key.columns]
        await log.execute(update(table).where(*where).values({column.name: value}))
        refused = await refusal(log, signer)
        assert refused.subject in SUBJECTS[table], f"{column}: {refused}"
        if table is log_entries and column is not log_entries.c.log_index:
            assert refused.index == row._mapping["log_index"]
        if table is log_tiles and column.name in ("root", "data"):
            assert (refused.level, refused.tile) == (row._mapping["level"], row._mapping["tile"])
        if table is checkpoints and column is not checkpoints.c.size:
            assert refused.index == row._mapping["size"]
        await savepoint.rollback()


@pytest.mark.parametrize("column", columns(), ids=str)
async def test_a_flipped_bit_in_any_column_is_named(
    log: AsyncConnection, signer: LogSigner, column: Column[object]
) -> None:
    """One bit turned, in a few rows of each table and at a few places of each value: the verdict says where."""
    choices = random.Random(str(column))  # noqa: S311 - which bits are turned is no secret
    assert isinstance(column.table, Table)
    rows = await rows_of(log, column.table)
    for row in choices.sample(rows, min(3, len(rows))):
        value = row._mapping[column.name]
        for _ in range(3):
            # An index is turned to one that no entry has: to another's the database itself would object.
            bit = choices.randrange(10, 60) if column.name == "log_index" else choices.randrange(7)
            await assert_noticed(log, signer, row, column, flipped(value, choices.randrange(1000), bit))


async def test_every_byte_of_an_entry_is_covered(connection: AsyncConnection, signer: LogSigner) -> None:
    """No byte at all of an entry's columns can be changed, not even to what is no UTF-8."""
    await append(connection, 2)
    async with connection.begin():
        (_, row) = await rows_of(connection, log_entries)
        for column in log_entries.columns:
            value = row._mapping[column.name]
            for at in range(len(value) if isinstance(value, str | bytes) else 0):
                await assert_noticed(connection, signer, row, column, flipped(value, at, 0))
        for name in ("kind", "time", "actor", "alert_id", "agreement"):
            await connection.exec_driver_sql(
                f"UPDATE log_entries SET {name} = CAST(x'c3' || {name} AS TEXT) WHERE log_index = 1"  # noqa: S608 - constants
            )
            refused = await refusal(connection, signer)
            assert (refused.subject, refused.index) == (Subject.ENTRY, 1)
            await connection.execute(update(log_entries).where(log_entries.c.log_index == 1).values(**row._mapping))
        assert (await verify(connection, signer)).size == 2


async def test_a_value_of_another_type_is_named(log: AsyncConnection, signer: LogSigner) -> None:
    """SQLite takes any type into any column; the verification does not."""
    for column in ("salt", "content", "commitment"):
        async with log.begin_nested() as savepoint:
            await log.exec_driver_sql(f"UPDATE log_entries SET {column} = 'text' WHERE log_index = 7")  # noqa: S608 - constants
            refused = await refusal(log, signer)
            assert (refused.subject, refused.index) == (Subject.ENTRY, 7)
            await savepoint.rollback()


@pytest.mark.parametrize("table", list(SUBJECTS), ids=str)
async def test_a_missing_row_is_named(log: AsyncConnection, signer: LogSigner, table: Table) -> None:
    """Any row that is deleted is missed, but for a checkpoint's, which is known from elsewhere or not at all."""
    rows = await rows_of(log, table)
    for row in (rows[0], rows[-1]):
        note = row._mapping.get("note")
        async with log.begin_nested() as savepoint:
            where = [key == row._mapping[key.name] for key in table.primary_key.columns]
            await log.execute(delete(table).where(*where))
            if note is None:
                assert (await refusal(log, signer)).subject in SUBJECTS[table]
            else:
                verdict = await verify(log, signer, known=str(note).encode())
                assert verdict.checkpoints == len(SIGNED) - 1
            await savepoint.rollback()


async def test_a_row_too_many_is_named(log: AsyncConnection, signer: LogSigner) -> None:
    """What the head does not cover, or no entry says, is refused: an entry, a party, a tile, a checkpoint."""
    entry = (await rows_of(log, log_entries))[-1]._mapping
    tile = (await rows_of(log, log_tiles))[-1]._mapping
    checkpoint = (await rows_of(log, checkpoints))[-1]._mapping
    extra: list[tuple[Table, dict[str, object], Subject]] = [
        (log_entries, {**entry, "log_index": SIZE}, Subject.ENTRY),
        (log_entries, {**entry, "log_index": -1}, Subject.ENTRY),
        (log_parties, {"jurisdiction": "US-ME", "log_index": 5}, Subject.PARTIES),
        (log_parties, {"jurisdiction": "CA-QC", "log_index": SIZE}, Subject.PARTIES),
        (log_tiles, {**tile, "tile": 2}, Subject.TILE),
        (log_tiles, {**tile, "tile": -1}, Subject.TILE),
        (log_tiles, {**tile, "level": 1, "tile": 0}, Subject.TILE),
        (log_tiles, {**tile, "level": -1}, Subject.TILE),
        (checkpoints, {**checkpoint, "size": SIZE + 1}, Subject.CHECKPOINT),
        (checkpoints, {**checkpoint, "size": 0}, Subject.CHECKPOINT),
        (checkpoints, {**checkpoint, "size": 5}, Subject.CHECKPOINT),
    ]
    for table, values, subject in extra:
        async with log.begin_nested() as savepoint:
            await log.execute(insert(table), values)
            assert (await refusal(log, signer)).subject is subject, values
            await savepoint.rollback()


async def test_a_rewrite_that_is_consistent_in_itself_meets_the_signature(
    log: AsyncConnection, signer: LogSigner
) -> None:
    """Whoever rewrites an entry meets the tile; whoever rewrites the tiles and the head too, the next checkpoint."""
    stored = await entry_at(log, 100)
    assert stored is not None
    forged = stored.canonical.replace(b'"ca-qc.sq"', b'"ca-qc.xx"')
    assert forged != stored.canonical
    values = {"content": forged, "actor": "ca-qc.xx", "commitment": commitment(stored.salt, forged)}
    await log.execute(update(log_entries).where(log_entries.c.log_index == 100).values(values))
    refused = await refusal(log, signer)
    assert (refused.subject, refused.level, refused.tile, refused.index) == (Subject.TILE, 0, 0, 100)
    growth = Growth(Frontier())
    commitments = await log.scalars(select(log_entries.c.commitment).order_by(log_entries.c.log_index))
    for tile in growth.extend([leaf_hash(each) for each in commitments]):
        where = (log_tiles.c.level == tile.level, log_tiles.c.tile == tile.index)
        await log.execute(update(log_tiles).where(*where).values(root=tile.root, data=tile.data))
    frontier = b"".join(growth.frontier.hashes)
    await log.execute(update(log_head).values(root=growth.frontier.root(), frontier=frontier))
    refused = await refusal(log, signer)
    assert (refused.subject, refused.index) == (Subject.CHECKPOINT, 256)


async def test_a_log_written_anew_meets_a_checkpoint_from_elsewhere(log: AsyncConnection, signer: LogSigner) -> None:
    """Whoever kept an earlier checkpoint sees that a log, though sound in itself and signed, is another one."""
    kept = await read_latest(log)
    assert kept is not None
    assert (await verify(log, signer, known=kept.note.encode())).size == SIZE
    for table in SUBJECTS:
        await log.execute(delete(table))
    await log.execute(insert(log_head), {"id": 1, "size": 0, "root": EMPTY_ROOT, "frontier": b""})
    refused = await refusal(log, signer, known=kept.note.encode())
    assert (refused.subject, refused.index) == (Subject.CHECKPOINT, SIZE)
    batch = await open_batch(log, now=NOW, randomness=os.urandom, keeper=Plainly())
    for number in range(SIZE + 1):
        batch.append(draft(number))
    await batch.write()
    assert (await verify(log, signer)).size == SIZE + 1
    refused = await refusal(log, signer, known=kept.note.encode())
    assert (refused.subject, refused.index) == (Subject.CHECKPOINT, SIZE)


async def test_two_signed_roots_for_one_size_are_a_fork(log: AsyncConnection, signer: LogSigner) -> None:
    """A known checkpoint of a size that the log has another signed root for is reported as such."""
    head = await read_head(log)
    forked = signer.sign(f"{signer.origin}\n{SIZE}\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    refused = await refusal(log, signer, known=forked.encode())
    assert (refused.subject, refused.index) == (Subject.CHECKPOINT, head.size)
    assert "dédoublé" in refused.reason.fr


async def test_another_logs_key_verifies_nothing(log: AsyncConnection, signer: LogSigner) -> None:
    """With a verifier key of another log no checkpoint holds; with none at all there is nothing to begin with."""
    other = LogSigner(signer.origin, SigningKey.generate(KeyId("log.other"), "Ed25519"))
    assert (await refusal(log, other)).subject is Subject.CHECKPOINT
    stranger = LogSigner("stranger.example/log", SigningKey.generate(KeyId("log.stranger"), "Ed25519"))
    assert (await refusal(log, stranger)).subject is Subject.CHECKPOINT
    with pytest.raises(MalformedNoteError):
        await verify_database(log, vkey="garbage", progress=lambda _done, _total: None)


def test_a_refusal_says_where() -> None:
    """The message of a refusal names subject and place."""
    refused = LogVerificationError(Subject.TILE, Bilingual(fr="Non.", en="No."), index=769, level=0, tile=3)
    assert str(refused) == "tile, index 769, level 0, tile 3: No."

"""Publishing checkpoints: never two roots for one size, whatever happens to the database or the process."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Insert, delete, event, insert, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.checkpoints import CheckpointBody, PublishedState, publish, read_latest
from audit.errors import AuditError, LogForkError, LogStateError, UntrustedNoteError
from audit.log import open_batch, read_head
from audit.note import LogSigner, open_note
from audit.tables import checkpoints, log_entries, log_head, log_parties, log_tiles
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.contract.audit.conftest import open_engine
from tests.contract.audit.writing import NOW, Plainly, append, draft

_OVERTAKEN_AT: Final = 7


async def test_a_grown_log_is_signed_once(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """The head is signed when it grew, stored, remembered beside the database, and not signed again."""
    assert await publish(connection, signer, published, NOW) is None
    for count in (3, 1, 300):
        head = await append(connection, count)
        checkpoint = await publish(connection, signer, published, NOW + timedelta(seconds=head.size))
        assert checkpoint is not None
        body = CheckpointBody.parse(open_note(checkpoint.note.encode(), signer.verifier))
        assert body == CheckpointBody(origin=signer.origin, size=head.size, root=head.root)
        assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (signer.origin, head.size, head.root)
        assert published.read() == checkpoint.note.encode()
        async with connection.begin():
            assert await read_latest(connection) == checkpoint
        assert await publish(connection, signer, published, NOW) is None


async def test_nothing_uncommitted_is_signed(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """In a transaction that has appended, publishing is refused: what is rolled back must never have been signed."""
    async with connection.begin():
        batch = await open_batch(connection, now=NOW, randomness=os.urandom, keeper=Plainly())
        batch.append(draft(0))
        await batch.write()
        with pytest.raises(InvalidRequestError):
            await publish(connection, signer, published, NOW)
    assert published.read() is None


async def copy_log(connection: AsyncConnection, engine: AsyncEngine) -> None:
    """Make another database's log the copy of this one's, as a backup that is restored does."""
    async with connection.begin(), engine.begin() as restoring:
        for table in (log_head, log_entries, log_parties, log_tiles, checkpoints):
            await restoring.execute(delete(table))
            rows = [dict(row) for row in (await connection.execute(select(table))).mappings()]
            if rows:
                await restoring.execute(insert(table), rows)


async def test_a_restored_backup_that_is_behind_is_not_signed(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState, other_engine: AsyncEngine
) -> None:
    """An older backup has forgotten what was published: nothing is signed, neither as it is nor after it grew past."""
    await append(connection, 5)
    await publish(connection, signer, published, NOW)
    await copy_log(connection, other_engine)
    await append(connection, 5)
    assert await publish(connection, signer, published, NOW) is not None
    last = published.read()
    async with other_engine.connect() as behind:
        with pytest.raises(LogForkError, match="older backup") as refused:
            await publish(behind, signer, published, NOW)
        assert "sauvegarde" in refused.value.reason.fr
        await append(behind, 5)
        with pytest.raises(LogForkError, match="contradicts"):
            await publish(behind, signer, published, NOW)
        await append(behind, 5)
        with pytest.raises(LogForkError, match="contradicts"):
            await publish(behind, signer, published, NOW)
        async with behind.begin():
            assert list(await behind.scalars(select(checkpoints.c.size))) == [5]
    assert published.read() == last


async def test_a_database_that_was_made_anew_is_not_signed(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState, other_engine: AsyncEngine
) -> None:
    """An empty log beside the memory of a longer one signs nothing."""
    await append(connection, 2)
    await publish(connection, signer, published, NOW)
    async with other_engine.connect() as empty:
        with pytest.raises(LogForkError):
            await publish(empty, signer, published, NOW)


async def test_without_its_memory_a_log_that_has_published_signs_nothing(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState, tmp_path: Path
) -> None:
    """The file is gone: no signature, until a checkpoint that somebody holds is put in its place."""
    await append(connection, 2)
    first = await publish(connection, signer, published, NOW)
    assert first is not None
    (tmp_path / "published").unlink()
    await append(connection, 2)
    with pytest.raises(LogForkError, match="Put it back"):
        await publish(connection, signer, published, NOW)
    published.write(first.note.encode())
    assert await publish(connection, signer, published, NOW) is not None


async def test_a_memory_that_another_wrote_is_refused(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState, tmp_path: Path
) -> None:
    """What the file holds must be a checkpoint of this very signer."""
    await append(connection, 2)
    other = LogSigner(signer.origin, SigningKey.generate(KeyId("log.other"), "Ed25519"))
    for note in (other.sign(f"{signer.origin}\n1\nroot\n"), signer.sign("no checkpoint\n"), "", "garbage"):
        (tmp_path / "published").write_bytes(note.encode())
        with pytest.raises(AuditError) as refused:
            await publish(connection, signer, published, NOW)
        assert isinstance(refused.value, UntrustedNoteError) is note.startswith(f"{signer.origin}\n1")
    assert await read_latest(connection) is None


async def test_a_crash_between_memory_and_database_gives_the_same_checkpoint_again(
    engine: AsyncEngine, signer: LogSigner, published: PublishedState
) -> None:
    """The note was remembered and the row was lost: the next publication gives out that note, and no other."""
    async with engine.connect() as connection:
        await append(connection, 4)
        first = await publish(connection, signer, published, NOW)
        async with connection.begin():
            await connection.execute(delete(checkpoints))
        assert await publish(connection, signer, published, NOW) == first
        async with connection.begin():
            assert await read_latest(connection) == first


async def test_a_note_is_remembered_before_it_is_stored(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """Where the database then fails, the file already knows what was signed."""
    head = await append(connection, 4)

    @event.listens_for(connection.sync_connection, "before_execute")
    def _full(_connection: object, statement: object, *_rest: object) -> None:
        if isinstance(statement, Insert) and statement.table is checkpoints:
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        await publish(connection, signer, published, NOW)
    note = published.read()
    assert note is not None
    assert CheckpointBody.parse(open_note(note, signer.verifier)).root == head.root


async def test_a_memory_that_can_not_be_written_lets_nothing_out(
    connection: AsyncConnection, signer: LogSigner, tmp_path: Path
) -> None:
    """Where the file can't be written, no checkpoint is stored or returned."""
    await append(connection, 4)
    with pytest.raises(OSError, match="No such file"):
        await publish(connection, signer, PublishedState(tmp_path / "absent" / "published"), NOW)
    async with connection.begin():
        assert await read_latest(connection) is None


def _note(signer: LogSigner, size: int, root: bytes = bytes(32)) -> bytes:
    return signer.sign(CheckpointBody(origin=signer.origin, size=size, root=root).text).encode()


def test_the_memory_never_goes_back(signer: LogSigner, published: PublishedState) -> None:
    """A relay whose turn is over writes nothing older than what the next one has published, and nothing else of it."""
    assert published.write(_note(signer, 5))
    assert not published.write(_note(signer, 4))
    assert published.write(_note(signer, 5))
    with pytest.raises(LogForkError, match="contradicts"):
        published.write(_note(signer, 5, root=bytes(31) + b"1"))
    assert published.read() == _note(signer, 5)


def test_relays_that_write_at_once_leave_the_largest_tree(signer: LogSigner, tmp_path: Path) -> None:
    """However their writes cross, none fails, what stays is whole and the newest, and nothing is left beside it."""
    notes = [_note(signer, size) for size in range(1, 65)]
    with ThreadPoolExecutor(16) as relays:
        list(relays.map(lambda note: PublishedState(tmp_path / "published").write(note), notes))
    assert (tmp_path / "published").read_bytes() == notes[-1]
    assert {path.name for path in tmp_path.iterdir()} == {"published", ".published.lock"}


async def test_a_publication_that_was_overtaken_gives_nothing_out(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """Another relay publishes between the look at the memory and its writing: no row, no checkpoint, no error."""

    class Slow(LogSigner):
        def sign(self, text: str) -> str:
            published.write(_note(signer, 9))
            return super().sign(text)

    await append(connection, 4)
    slow = Slow(signer.origin, SigningKey.generate(KeyId("log.slow"), "Ed25519"))
    assert await publish(connection, slow, published, NOW) is None
    assert published.read() == _note(signer, 9)
    async with connection.begin():
        assert await read_latest(connection) is None


@pytest.mark.parametrize("path", ["postgres"], indirect=True)
async def test_a_relay_that_another_overtakes_while_it_reads_finds_no_fork(
    path: str, connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """What another relay appends and publishes between two looks of this one is newer, and contradicts nothing."""
    await append(connection, 4)
    overtaken: list[int] = []

    @event.listens_for(connection.sync_connection, "after_execute")
    def _overtake(*_execution: object) -> None:
        if not overtaken:
            overtaken.append(1)
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _overtaking(path, signer, published)).result()

    checkpoint = await publish(connection, signer, published, NOW)
    assert checkpoint is not None
    assert checkpoint.size == _OVERTAKEN_AT
    async with connection.begin():
        latest = await read_latest(connection)
    assert latest is not None
    assert latest.size == _OVERTAKEN_AT


async def _overtaking(path: str, signer: LogSigner, published: PublishedState) -> None:
    engine = open_engine(path)
    async with engine.connect() as other:
        await append(other, _OVERTAKEN_AT - 4)
        await publish(other, signer, published, NOW)
    await engine.dispose()


async def test_a_head_that_its_tiles_do_not_give_is_not_signed(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """Where the head says another root than the entries give, nothing is signed."""
    await append(connection, 4)
    async with connection.begin():
        await connection.execute(update(log_head).values(root=bytes(32)))
    with pytest.raises(LogStateError, match="does not match"):
        await publish(connection, signer, published, NOW)


async def test_a_rewritten_history_is_not_signed(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState
) -> None:
    """An entry that was changed under a published checkpoint stops the log from signing on."""
    await append(connection, 4)
    await publish(connection, signer, published, NOW)
    async with connection.begin():
        await connection.execute(update(log_entries).where(log_entries.c.log_index == 2).values(commitment=bytes(32)))
        before = await read_head(connection)
    await append(connection, 1)
    async with connection.begin():
        assert (await read_head(connection)).size == before.size + 1
    with pytest.raises(LogForkError, match="contradicts"):
        await publish(connection, signer, published, NOW)

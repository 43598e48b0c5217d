"""The crash matrix of the checkpoint publisher: the file it remembers in and the row it stores, lost and landed.

Whatever happens, no two roots are ever signed for one size, nothing is signed that is not in the log for good, and
the next start goes on from where the disk really is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from audit.checkpoints import CheckpointBody, PublishedState
from audit.errors import LogForkError, LogStateError
from audit.note import LogSigner, open_note
from audit.tables import checkpoints
from audit.verify import verify_database
from gateway.log.checkpoints import CheckpointTask
from gateway.store.entries import EntryWriter
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.contract.store.faults import Fate, Faults, unreachable
from tests.patience import GIVES_UP_AFTER
from tests.unit.gateway.ground import ORIGIN, Ground, draft

SIGNER = LogSigner(ORIGIN, SigningKey.generate(KeyId("log"), "Ed25519"))
FATES = pytest.mark.parametrize("fate", list(Fate), ids=lambda fate: fate.name.lower())


class UnreliableFile(PublishedState):
    """The file beside the database, on a disk that reports a failure once: nothing was written, or all of it."""

    def __init__(self, path: Path, fate: Fate) -> None:
        super().__init__(path)
        self._fate: Fate | None = fate

    def write(self, note: bytes) -> bool:
        """Write, and report a failure the first time."""
        fate, self._fate = self._fate, None
        written = fate is not Fate.LOST and super().write(note)
        if fate is not None:
            raise OSError("input/output error")
        return written


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return where the file is kept."""
    return tmp_path / "published-checkpoint"


@pytest.fixture
def publisher(ground: Ground) -> Callable[[PublishedState], CheckpointTask]:
    """Return a maker of publishers: one for each start of the process."""
    return lambda published: CheckpointTask(
        store=ground.store, signer=SIGNER, published=published, clock=ground.clock, doubts=ground.doubts
    )


async def grow(ground: Ground, count: int = 1) -> None:
    """Append entries."""
    for _ in range(count):
        await ground.committer.submit(EntryWriter(), draft("a"))


async def stored_sizes(ground: Ground) -> list[int]:
    """Return the sizes of the checkpoints in the store."""
    async with ground.store.reading() as connection:
        return list(await connection.scalars(select(checkpoints.c.size).order_by(checkpoints.c.size)))


def remembered(kept: Path) -> CheckpointBody | None:
    """Return the checkpoint that the file remembers."""
    note = PublishedState(kept).read()
    return None if note is None else CheckpointBody.parse(open_note(note, SIGNER.verifier))


async def holds(ground: Ground, kept: Path) -> None:
    """Hold the whole log against its checkpoints and against the file."""
    async with ground.store.reading() as connection:
        verified = await verify_database(
            connection, vkey=SIGNER.vkey, progress=lambda _done, _of: None, known=PublishedState(kept).read()
        )
    assert verified.signed_size == verified.size


@FATES
async def test_a_row_that_fails_is_made_good_by_the_next_start(
    ground: Ground, faults: Faults, kept: Path, publisher: Callable[[PublishedState], CheckpointTask], fate: Fate
) -> None:
    """The file is ahead of a row that was lost, and level with one that landed: either way the next start goes on."""
    await grow(ground, 3)
    task = publisher(PublishedState(kept))
    faults.fail(fate, unreachable(), after=1)  # its reading transaction commits first
    with pytest.raises(type(unreachable())):
        await task.start()
    said = remembered(kept)
    assert said is not None
    assert (said.size, await stored_sizes(ground)) == (3, [3] if fate is Fate.LANDED else [])
    again = publisher(PublishedState(kept))
    await again.start()
    assert again.latest is not None
    assert (again.latest.size, again.latest.root) == (said.size, said.root)
    await holds(ground, kept)


@FATES
async def test_a_file_that_fails_is_made_good_by_the_next_start(
    ground: Ground, kept: Path, publisher: Callable[[PublishedState], CheckpointTask], fate: Fate
) -> None:
    """Nothing is given out, nor stored, that the file may not remember; the next start signs the same, or more."""
    await grow(ground, 2)
    task = publisher(UnreliableFile(kept, fate))
    with pytest.raises(OSError, match="input/output"):
        await task.start()
    assert (task.latest, await stored_sizes(ground)) == (None, [])
    assert (remembered(kept) is None) == (fate is Fate.LOST)
    await grow(ground)
    again = publisher(PublishedState(kept))
    await again.start()
    assert await stored_sizes(ground) == [3]
    await holds(ground, kept)


@FATES
async def test_a_running_publisher_ends_where_it_can_not_remember(
    ground: Ground, kept: Path, publisher: Callable[[PublishedState], CheckpointTask], fate: Fate
) -> None:
    """A disk that fails while the exchange runs ends the publisher, and with it the exchange; nothing is given out."""
    await publisher(PublishedState(kept)).start()
    task = publisher(UnreliableFile(kept, fate))
    running = asyncio.create_task(task.run())
    await grow(ground)
    task.head_moved()
    async with asyncio.timeout(GIVES_UP_AFTER):
        with pytest.raises(OSError, match="input/output"):
            await running
    assert task.latest is None


async def test_a_commit_that_was_lost_is_never_signed(
    ground: Ground, faults: Faults, kept: Path, publisher: Callable[[PublishedState], CheckpointTask]
) -> None:
    """Only what a transaction made durable is in a checkpoint: an entry whose commit was lost is not."""
    await grow(ground)
    faults.fail(Fate.LOST, unreachable())
    with pytest.raises(Exception, match="can't be appended"):
        await grow(ground)
    task = publisher(PublishedState(kept))
    await task.start()
    assert task.latest is not None
    assert task.latest.size == 1
    await grow(ground)
    task.head_moved()
    await task._publish()
    await holds(ground, kept)


async def test_a_backup_that_is_behind_signs_nothing(
    ground: Ground, kept: Path, publisher: Callable[[PublishedState], CheckpointTask]
) -> None:
    """A database that is older than the file, or whose file is gone, is refused at the start."""
    await grow(ground, 3)
    await publisher(PublishedState(kept)).start()
    state, note = PublishedState(kept), PublishedState(kept).read()
    assert note is not None
    await asyncio.to_thread(kept.unlink)
    with pytest.raises(LogForkError):
        await publisher(PublishedState(kept)).start()
    state.write(note)
    await ground.tamper("UPDATE log_head SET size = 2")
    with pytest.raises((LogForkError, LogStateError)):
        await publisher(PublishedState(kept)).start()
    assert state.read() == note


async def test_what_was_appended_meanwhile_is_in_the_next_one(
    ground: Ground, kept: Path, publisher: Callable[[PublishedState], CheckpointTask]
) -> None:
    """However often the head moved before the publisher looked, it signs once; and once more when it moves again."""
    task = publisher(PublishedState(kept))
    await task.start()
    assert task.latest is None
    for _ in range(3):
        await grow(ground, 5)
        task.head_moved()
    running = asyncio.create_task(task.run())
    await reached(task, 15)
    await grow(ground)
    task.head_moved()
    await reached(task, 16)
    running.cancel()
    assert await stored_sizes(ground) == [15, 16]
    await holds(ground, kept)


async def reached(task: CheckpointTask, size: int) -> None:
    """Wait until a checkpoint of a size is published."""
    async with asyncio.timeout(GIVES_UP_AFTER):
        while task.latest is None or task.latest.size < size:  # noqa: ASYNC110 - a publisher tells nobody
            await asyncio.sleep(0.01)

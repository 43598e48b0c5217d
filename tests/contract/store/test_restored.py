"""A backup of PostgreSQL put back as the manual says: on a server that knows nothing of the exchange, nor its roles.

What was accepted is there and verifies, what was erased since is erased again, and a log behind what was published is
not signed.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit.checkpoints import PublishedState
from audit.errors import LogForkError
from audit.note import LogSigner
from audit.verify import verify_database
from gateway.errors import LogUnavailableError
from gateway.log.checkpoints import CheckpointTask
from gateway.store.engine import open_postgres
from gateway.store.entries import EntryWriter
from gateway.store.roles import create_exchange_login, create_groups
from gateway.store.schema import require_ready, upgrade
from lacolle.backup import back_up_postgres
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.servers.postgres import Postgres, local_postgres
from tests.unit.gateway.ground import ORIGIN, Ground, acceptance, draft, open_ground
from tests.unit.gateway.test_erasing import DAY, Room, make_room

SIGNER = LogSigner(ORIGIN, SigningKey.generate(KeyId("log"), "Ed25519"))


@dataclass(frozen=True, slots=True)
class Restored:
    """An exchange that went on after its backup, and that backup on another server, for its own role."""

    room: Room
    url: str
    folder: Path

    def publisher(self, ground: Ground) -> CheckpointTask:
        """Return who signs the checkpoints of a database, and remembers the last in the folder."""
        published = PublishedState(self.folder / "published-checkpoint")
        return CheckpointTask(
            store=ground.store, signer=SIGNER, published=published, clock=ground.clock, doubts=ground.doubts
        )


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Postgres]:
    """Return a second server, which has no role and no database of any exchange."""
    with local_postgres() as server:
        yield Postgres(server.url("postgres"), local=server)


@pytest.fixture
async def restored(on_postgres: Ground, elsewhere: Postgres, tmp_path: Path) -> AsyncIterator[Restored]:
    """Yield an exchange with an accepted alert, published, and its backup restored by the manual's commands."""
    assert elsewhere.local is not None
    room = make_room(on_postgres, tmp_path / "content-keys")
    async with on_postgres.store.writer.begin() as connection:
        await create_groups(connection)  # so that the backup has grants to roles that the other server lacks
    await room.accept("A-1")
    programs, address = elsewhere.local._programs, on_postgres.store.address
    assert address is not None
    backup = tmp_path / "backup"
    await asyncio.to_thread(back_up_postgres, address, backup, program=str(programs / "pg_dump"), ca_file=None)
    target = elsewhere.url_of(name := await elsewhere.new_database(empty=True))
    restoring = [str(programs / "pg_restore"), "--exit-on-error", "--no-owner", "--no-privileges"]
    await asyncio.to_thread(subprocess.run, [*restoring, f"--dbname={target}", str(backup)], check=True)
    owner = open_postgres(target)
    await upgrade(owner.writer)
    async with owner.writer.begin() as connection:
        await create_groups(connection)
        password = await create_exchange_login(connection, f"of_{name}")
    await owner.close()
    yield Restored(room, elsewhere.url_of(name, role=f"of_{name}", password=password), tmp_path)
    await elsewhere.drop(name)


async def test_a_restored_exchange_goes_on(restored: Restored) -> None:
    """Its own role finds the schema ready, reads what was accepted, accepts more, and may not change what was."""
    async with open_ground(restored.url, seed=2) as ground:
        await require_ready(ground.store)
        room = make_room(ground, restored.room.contents.folder.path, exist_ok=True)
        again = await ground.committer.submit(room.writer, acceptance("A-1"))
        assert again.replayed
        assert await room.submission(again) == acceptance("A-1").submission
        assert not (await room.accept("A-2")).replayed
        await restored.publisher(ground).start()
        async with ground.store.reading() as connection:
            verified = await verify_database(connection, vkey=SIGNER.verifier.vkey, progress=lambda _done, _of: None)
        assert verified.size == len(await ground.entries())
        for forbidden in ("UPDATE alerts SET sender = 'us-ny.nysp'", "DELETE FROM log_entries"):
            with pytest.raises(DBAPIError):
                async with ground.store.writer.begin() as connection:
                    await connection.execute(text(forbidden))


async def test_what_was_erased_since_is_erased_again(restored: Restored) -> None:
    """Its rows say that content is there, but the key of its day is gone: it reads as erased, and is logged as such."""
    original = restored.room
    answer = await original.ground.committer.submit(original.writer, acceptance("A-1"))
    original.ground.clock.advance(12 * DAY)
    assert await original.eraser.look() == 1
    async with open_ground(restored.url) as ground:
        ground.clock.now = original.ground.clock.now
        room = make_room(ground, original.contents.folder.path, exist_ok=True)
        assert (await room.read(answer))["state"] == "erased"
        assert await room.eraser.look() == 1
        assert (await ground.kinds())[-1] == "erased"


@pytest.mark.parametrize("grown_by", [0, 2])
async def test_a_restored_log_that_is_behind_is_not_signed(restored: Restored, grown_by: int) -> None:
    """With the checkpoint that was published after the backup, the restored log is refused, and takes nothing more."""
    original = restored.room.ground
    await original.committer.submit(EntryWriter(), draft("after the backup"))
    await restored.publisher(original).start()
    async with open_ground(restored.url, seed=2) as ground:
        for _ in range(grown_by):
            await ground.committer.submit(EntryWriter(), draft("another history"))
        with pytest.raises(LogForkError):
            await restored.publisher(ground).start()
        with pytest.raises(LogUnavailableError):
            await ground.committer.submit(EntryWriter(), draft("more of it"))
    await restored.publisher(original).start()

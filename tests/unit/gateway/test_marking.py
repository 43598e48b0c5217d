"""The key of a database's marks: founded with it, and no exchange starts with another or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.sealing.contents import Contents
from gateway.sealing.folder import MARKS, KeyFolder
from gateway.store.marking import MarkKeyWriter, found_marks
from tests.unit.gateway.ground import KEK, START, Ground


def contents_in(folder: Path) -> Contents:
    """Return a door to content in a folder, as a process opens it."""
    return Contents(KeyFolder(folder, KEK, randomness=os.urandom), clock=lambda: START)


async def test_the_first_process_founds_and_all_others_agree(ground: Ground, tmp_path: Path) -> None:
    """The database knows the key from its first process on; a second start, and another process, find it the same."""
    for _ in range(2):
        await found_marks(ground.store, ground.committer, contents_in(tmp_path))
    await ground.committer.submit(MarkKeyWriter(), bytes(32))  # somebody who founds at the same time, and later
    await found_marks(ground.store, ground.committer, contents_in(tmp_path))


@pytest.mark.parametrize("damage", ["missing", "another", "damaged"])
async def test_no_exchange_starts_with_another_key_or_none(ground: Ground, tmp_path: Path, damage: str) -> None:
    """Where the key is gone, damaged or another one the start is refused in both languages, and no new one is made."""
    await found_marks(ground.store, ground.committer, contents_in(tmp_path))
    file = tmp_path / f"{MARKS}.key"
    match damage:
        case "missing":
            file.unlink()
        case "damaged":
            file.write_bytes(b"{}")
        case _:
            file.unlink()
            contents_in(tmp_path).found_marks()
    with pytest.raises(StoreError, match=r"marks\.key.*Put (it|the right one) back") as refused:
        await found_marks(ground.store, ground.committer, contents_in(tmp_path))
    assert "marks.key" in refused.value.reason.fr
    assert file.exists() is (damage != "missing")

"""Passwords made for others: in a file before a server knows them, and replaced only once it has taken the new one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lacolle.errors import ConfigurationError
from lacolle.passwordfolder import PasswordFolder
from lacolle.secretfiles import read_secret


def test_a_password_is_made_once(tmp_path: Path) -> None:
    """The first question makes it, in a file of its owner alone; every other one answers what is in the file."""
    folder = PasswordFolder(tmp_path / "passwords")
    made = folder.password("us-ny.nysp")
    assert folder.password("us-ny.nysp") == made == read_secret(folder.file("us-ny.nysp"))
    assert folder.password("us-ny.doh") != made
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.path.iterdir()} == {0o600}


def test_the_old_password_stands_until_the_new_one_is_taken(tmp_path: Path) -> None:
    """Cut short before the server answered, a renewal has lost neither; the next run asks with the same new one."""
    old = PasswordFolder(tmp_path).password("relay")
    renewed = PasswordFolder(tmp_path).next_password("relay")
    assert renewed != old
    again = PasswordFolder(tmp_path)
    assert again.awaits("relay")
    assert (again.password("relay"), again.next_password("relay")) == (old, renewed)
    again.settle("relay")
    assert not again.awaits("relay")
    assert again.password("relay") == renewed


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where nothing can be written there is no password, and the reason says which option to change."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="--passwords"):
        PasswordFolder(tmp_path / "file").password("relay")

"""The folder of the keys that wrap: made durably, shared, destroyed for good, and rewrapped."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.sealing.errors import KeyEncryptionKeyError, KeyFolderError, KeyLostError, KeyTooLateError
from gateway.sealing.folder import KeyFolder, KeyName, day_key, day_of, hold_key
from gateway.sealing.kek import LocalKey

TODAY = date(2026, 11, 22)
TOMORROW = day_key(TODAY + timedelta(days=1))
HELD = hold_key(bytes(range(32)))


def folder(path: Path, *, kek: bytes = bytes(32)) -> KeyFolder:
    """Return a process's view of a folder."""
    return KeyFolder(path, LocalKey(kek, randomness=os.urandom), randomness=os.urandom)


def test_a_key_is_made_once_and_read_by_all(tmp_path: Path) -> None:
    """Whoever asks, in whichever process, gets the same key, from a file that its owner alone may read."""
    key = folder(tmp_path).obtain(TOMORROW, today=TODAY)
    assert folder(tmp_path).obtain(TOMORROW, today=TODAY) == folder(tmp_path).read(TOMORROW) == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / f"{TOMORROW}.key").stat().st_mode) == 0o600
    assert key not in (tmp_path / f"{TOMORROW}.key").read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == [f"{TOMORROW}.key"]


def test_of_many_that_make_a_key_at_once_all_get_one(tmp_path: Path) -> None:
    """However many processes need a day's key first, one key wraps, and nothing else is left in the folder."""
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: folder(tmp_path).obtain(TOMORROW, today=TODAY), range(64)))
    assert len(keys) == 1
    assert [each.name for each in tmp_path.iterdir()] == [f"{TOMORROW}.key"]


def test_a_destroyed_key_is_gone_and_stays_gone(tmp_path: Path) -> None:
    """Its file is overwritten and unlinked; once its day has begun nobody makes another, and a hold's can be made."""
    keys = folder(tmp_path)
    keys.obtain(TOMORROW, today=TODAY)
    with (tmp_path / f"{TOMORROW}.key").open("rb") as still_open:
        keys.destroy(TOMORROW)
        assert set(still_open.read()) == {0}
    assert keys.names() == []
    keys.destroy(TOMORROW)
    with pytest.raises(KeyLostError):
        keys.read(TOMORROW)
    for day in (TODAY + timedelta(days=1), TODAY + timedelta(days=2)):
        with pytest.raises(KeyTooLateError):
            keys.obtain(TOMORROW, today=day)
    assert keys.obtain(HELD, today=TODAY + timedelta(days=9)) == keys.read(HELD)


@pytest.mark.parametrize("content", [b"", b"\0" * 120, b"{}", b'{"kek": 1, "wrapped": "AAAA"}', b"[]"])
def test_a_damaged_key_concerns_itself_alone(tmp_path: Path, content: bytes) -> None:
    """One file that is cut, zeroed or nonsense is named; the others are read as before."""
    keys = folder(tmp_path)
    key = keys.obtain(HELD, today=TODAY)
    keys.obtain(TOMORROW, today=TODAY)
    (tmp_path / f"{TOMORROW}.key").write_bytes(content)
    if b'"kek"' not in content:
        assert keys.require_usable() == (TOMORROW,)
    assert keys.read(HELD) == key


def test_a_file_of_another_name_is_no_key_of_it(tmp_path: Path) -> None:
    """A day's key put in the place of another's does not unwrap: whoever moves files prolongs nothing."""
    keys = folder(tmp_path)
    keys.obtain(TOMORROW, today=TODAY)
    (tmp_path / f"{TOMORROW}.key").rename(tmp_path / "2030-01-01.key")
    assert keys.require_usable() == (KeyName("2030-01-01"),)


def test_a_missing_folder_and_another_kek_are_refused(tmp_path: Path) -> None:
    """An exchange does not start without its folder, nor with another key-encryption key, and is told what to do."""
    with pytest.raises(KeyFolderError, match=r"files\.content_keys"):
        folder(tmp_path / "none").require_usable()
    folder(tmp_path).obtain(TOMORROW, today=TODAY)
    with pytest.raises(KeyEncryptionKeyError, match="keys rewrap") as refused:
        folder(tmp_path, kek=b"o" * 32).require_usable()
    assert "keys rewrap" in refused.value.reason.fr


def test_rewrapping_changes_the_kek_and_no_key(tmp_path: Path) -> None:
    """Every key is the same under the new key-encryption key, the old one opens nothing, and again is harmless."""
    keys, new = folder(tmp_path), LocalKey(b"n" * 32, randomness=os.urandom)
    before = {name: keys.obtain(name, today=TODAY) for name in (TOMORROW, HELD)}
    (tmp_path / "2031-01-01.key").write_bytes(b"damaged")
    done = keys.rewrap(new)
    assert (done.rewrapped, done.before, done.damaged) == (2, 0, (KeyName("2031-01-01"),))
    renewed = folder(tmp_path, kek=b"n" * 32)
    assert {name: renewed.read(name) for name in before} == before
    with pytest.raises(KeyEncryptionKeyError):
        keys.read(TOMORROW)
    again = keys.rewrap(new)
    assert (again.rewrapped, again.before) == (0, 2)


def test_names_say_what_a_key_is_for() -> None:
    """A day's key names the day; a hold's names none; nothing else is a name, so no path leaves the folder."""
    assert day_of(TOMORROW) == TODAY + timedelta(days=1)
    assert day_of(HELD) is None


@pytest.mark.parametrize("name", ["../content", "2026-11-22/x", "hold-1", ""])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """What is no key's name is no file either, whatever a database was made to hold."""
    with pytest.raises(KeyLostError):
        folder(tmp_path).read(KeyName(name))

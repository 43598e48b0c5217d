"""Marks: the same for the same words, of no use to whoever lacks the key, and their key kept for good."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealing.contents import Contents
from gateway.sealing.errors import KeyEncryptionKeyError, KeyLostError
from gateway.sealing.folder import MARKS, KeyFolder, day_of
from gateway.sealing.kek import LocalKey
from gateway.sealing.marks import MARK_SIZE, Marks
from tests.unit.gateway.ground import START, contents_in
from tests.unit.gateway.sealing.test_folder import folder

PARTS = st.lists(st.text(max_size=8), max_size=4)


def test_a_mark_is_the_standard_s_hmac() -> None:
    """A mark is HMAC-SHA-256 over the parts, each behind its length in eight bytes."""
    message = b"\0\0\0\0\0\0\0\x04name" + b"\0\0\0\0\0\0\0\x03\xc3\xa9a"
    assert Marks(b"k" * 32).of("name", "éa") == hmac.new(b"k" * 32, message, hashlib.sha256).digest()
    assert len(Marks(b"k" * 32).check) == MARK_SIZE


@given(PARTS, PARTS)
def test_other_parts_have_another_mark(one: list[str], other: list[str]) -> None:
    """No two lists of texts share a mark, however they are cut, and the same list always has the same."""
    marks = Marks(b"k" * 32)
    assert (marks.of(*one) == marks.of(*other)) is (one == other)
    assert marks.of(*one) != Marks(b"l" * 32).of(*one)


def test_what_no_encoding_holds_has_a_mark() -> None:
    """A lone surrogate, which no alert holds and a query may name, is marked as any text is."""
    assert Marks(b"k" * 32).of("\ud800") != Marks(b"k" * 32).of("?")


def test_the_key_is_founded_once_and_never_made_again(tmp_path: Path) -> None:
    """All who found get one key; whoever did not found is told that there is none."""
    keys = KeyFolder(tmp_path, LocalKey(bytes(32), randomness=os.urandom), randomness=os.urandom)
    with pytest.raises(KeyLostError):
        keys.read(MARKS)
    with pytest.raises(KeyLostError):
        Contents(keys, clock=lambda: START).marks.of("alert")
    first, second = contents_in(tmp_path), contents_in(tmp_path)
    assert first.found_marks().check == second.found_marks().check == contents_in(tmp_path).marks.check
    assert [each.name for each in tmp_path.iterdir()] == ["marks.key"]


def test_the_key_is_never_destroyed_and_is_none_of_those_that_end(tmp_path: Path) -> None:
    """The eraser does not see it, and nobody destroys it by mistake."""
    keys = folder(tmp_path)
    key = keys.obtain(MARKS, today=START.date())
    assert keys.names() == []
    assert day_of(MARKS) is None
    with pytest.raises(ValueError, match="never ends"):
        keys.destroy(MARKS)
    assert keys.read(MARKS) == key


def test_the_key_is_rewrapped_with_the_others(tmp_path: Path) -> None:
    """Another key-encryption key wraps it too, and does not change a mark; before that, the start is refused."""
    keys, new = folder(tmp_path), LocalKey(b"n" * 32, randomness=os.urandom)
    key = keys.obtain(MARKS, today=START.date())
    renewed = folder(tmp_path, kek=b"n" * 32)
    with pytest.raises(KeyEncryptionKeyError):
        renewed.require_usable()
    assert keys.rewrap(new).rewrapped == 1
    assert renewed.read(MARKS) == key
    assert keys.rewrap(new).before == 1


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    """Whoever opens the folder is told that the key of marks is damaged."""
    keys = folder(tmp_path)
    keys.obtain(MARKS, today=START.date())
    (tmp_path / "marks.key").write_bytes(b"\0" * 90)
    assert keys.require_usable() == (MARKS,)

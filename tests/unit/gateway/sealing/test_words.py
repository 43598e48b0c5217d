"""Keeping what entries withhold: under an alert's key or a day's, for one entry and no other, and marks of words."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import LogUnavailableError
from gateway.sealing.contents import utc_day
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.sealing.folder import day_key
from gateway.sealing.marks import Marks
from gateway.sealing.words import AlertKeeper, keeping_for, opened_words, word_mark, word_marks
from schemas.ids import AlertId
from tests.unit.gateway.ground import START, HandClock, contents_in

ALERT = AlertId("01890a5d-ac96-774b-bcce-b302099a8057")
ENTRY, OTHER = bytes(range(32)), bytes(32)


def test_words_end_with_their_day(tmp_path: Path) -> None:
    """Sealed under the key of the day so many days on, they open until that key is destroyed, and never again."""
    clock = HandClock()
    contents = contents_in(tmp_path, clock=clock)
    sealed = keeping_for(contents, days=30)(START, os.urandom).keep(b"words", entry=ENTRY)
    name = day_key(utc_day(START + timedelta(days=30)))
    assert contents.folder.names() == [name]
    assert b"words" not in sealed
    assert opened_words(contents, sealed, entry=ENTRY, alert_id=None, key=None) == b"words"
    clock.advance(31 * 86_400)
    contents.destroy(name)
    with pytest.raises(ContentErasedError):
        opened_words(contents, sealed, entry=ENTRY, alert_id=None, key=None)


def test_an_acceptances_words_end_with_its_content(tmp_path: Path) -> None:
    """Sealed under the alert's own key they open with it, and are erased where it is there no more."""
    contents = contents_in(tmp_path)
    day = utc_day(START + timedelta(days=2))
    key = contents.new_key(ALERT, until=day, today=utc_day(START), randomness=os.urandom)
    sealed = AlertKeeper(key).keep(b"words", entry=ENTRY)
    assert opened_words(contents, sealed, entry=ENTRY, alert_id=ALERT, key=key.wrapped) == b"words"
    with pytest.raises(ContentErasedError):
        opened_words(contents, sealed, entry=ENTRY, alert_id=ALERT, key=None)
    with pytest.raises(ContentUnreadableError):
        opened_words(contents, sealed, entry=OTHER, alert_id=ALERT, key=key.wrapped)


@pytest.mark.parametrize("byte", [0, 1, 8, 15, -1])
def test_words_of_another_entry_or_altered_ones_do_not_open(tmp_path: Path, byte: int) -> None:
    """What was put beside another entry, or changed by a bit, is unreadable: it is never said to be erased."""
    contents = contents_in(tmp_path)
    sealed = bytearray(keeping_for(contents, days=30)(START, os.urandom).keep(b"words", entry=ENTRY))
    with pytest.raises(ContentUnreadableError):
        opened_words(contents, bytes(sealed), entry=OTHER, alert_id=None, key=None)
    sealed[byte] ^= 0x40
    with pytest.raises(ContentUnreadableError):
        opened_words(contents, bytes(sealed), entry=ENTRY, alert_id=None, key=None)


def test_without_the_folder_nothing_is_kept(tmp_path: Path) -> None:
    """Where the key of the day can't be made the entry is not written: whoever asks is told to come again."""
    contents = contents_in(tmp_path)
    (tmp_path / "marks.key").unlink()
    tmp_path.rmdir()
    with pytest.raises(LogUnavailableError):
        keeping_for(contents, days=30)(START, os.urandom).keep(b"words", entry=ENTRY)


def test_words_have_marks_that_only_the_key_makes() -> None:
    """One word is one mark wherever it stands, in whatever case; another key makes others; order is not told."""
    marks = Marks(bytes(32))
    assert word_marks(marks, "SQ-2026/tremblay") == tuple(
        sorted(word_mark(marks, each) for each in ("sq", "2026", "tremblay"))
    )
    assert word_marks(marks, "Tremblay tremblay") == (word_mark(marks, "tremblay"),)
    assert word_mark(marks, "tremblay") != word_mark(Marks(bytes([1]) * 32), "tremblay")
    assert len(word_mark(marks, "tremblay")) == 3

"""The door to stored content: what goes in comes out, of the right alert, until its key is gone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.sealing.contents import Contents, WrappedKey, is_sealed
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError, KeyTooLateError
from gateway.sealing.folder import day_key, hold_key
from schemas.ids import AlertId
from tests.unit.gateway.ground import START, HandClock, contents_in

ONE, OTHER = AlertId("0190a8f0-0000-7000-8000-000000000001"), AlertId("0190a8f0-0000-7000-8000-000000000002")
UNTIL = START.date() + timedelta(days=30)
TEXT = b"eyJhbGciOi.the alert.signature"
HOLD = hold_key(bytes(32))


def door(path: Path) -> tuple[Contents, HandClock]:
    """Return a door, and the clock on its wall."""
    clock = HandClock()
    return contents_in(path, clock=clock), clock


def sealed(contents: Contents, alert_id: AlertId = ONE) -> tuple[bytes, WrappedKey]:
    """Return a sealed text and its key."""
    kept = contents.seal(alert_id, TEXT, until=UNTIL, today=START.date(), randomness=os.urandom)
    return kept.data, kept.key


def test_what_is_sealed_is_opened_by_any_process(tmp_path: Path) -> None:
    """Another process with the same folder reads it; what is stored shows nothing of it, and is known as sealed."""
    data, key = sealed(door(tmp_path)[0])
    assert door(tmp_path)[0].open(ONE, data, key) == TEXT
    assert is_sealed(data)
    assert not is_sealed(TEXT)
    assert b"the alert" not in data
    assert key.by == day_key(UNTIL)


def test_nothing_can_be_put_in_another_s_place(tmp_path: Path) -> None:
    """Content, key or both of one alert under another's name, at another place, or altered are not read."""
    contents, _ = door(tmp_path)
    (data, key), (others, other_key) = sealed(contents), sealed(contents, OTHER)
    for alert_id, stored, wrapped in (
        (OTHER, data, key),
        (OTHER, data, other_key),
        (ONE, others, key),
        (ONE, data, WrappedKey(key.by, other_key.wrapped)),
        (ONE, data[:-1] + b"\0", key),
        (ONE, data[:5], key),
        (ONE, b"", key),
    ):
        with pytest.raises(ContentUnreadableError):
            contents.open(alert_id, stored, wrapped)
    with pytest.raises(ContentUnreadableError):
        contents.open(ONE, data, key, place="elsewhere")


def test_without_its_key_it_was_erased(tmp_path: Path) -> None:
    """Where no wrapped key is stored any more, the content was erased."""
    contents, _ = door(tmp_path)
    data, _ = sealed(contents)
    with pytest.raises(ContentErasedError):
        contents.open(ONE, data, None)


def test_a_destroyed_day_s_key_erases_and_a_lost_one_does_not(tmp_path: Path) -> None:
    """Gone before its day is over a key is lost, and that is said; gone afterwards, its content was erased."""
    contents, clock = door(tmp_path)
    data, key = sealed(contents)
    contents.destroy(key.by)
    with pytest.raises(ContentUnreadableError):
        contents.open(ONE, data, key)
    clock.advance(31 * 86_400)
    with pytest.raises(ContentErasedError):
        contents.open(ONE, data, key)


def test_no_process_uses_a_key_after_its_day(tmp_path: Path) -> None:
    """One that has a day's key at hand forgets it once the day is over, whoever destroyed the file."""
    contents, clock = door(tmp_path)
    data, key = sealed(contents)
    door(tmp_path)[0].destroy(key.by)
    assert contents.open(ONE, data, key) == TEXT
    clock.advance(31 * 86_400)
    with pytest.raises(ContentErasedError):
        contents.open(ONE, data, key)


def test_a_hold_s_key_keeps_what_the_day_s_would_end(tmp_path: Path) -> None:
    """Rewrapped for a hold it is read after its day; back under a day's key, the hold's key is no use any more."""
    contents, clock = door(tmp_path)
    data, key = sealed(contents)
    held = contents.rewrap(ONE, key, by=HOLD, today=START.date(), randomness=os.urandom)
    clock.advance(40 * 86_400)
    contents.destroy(key.by)
    assert contents.open(ONE, data, held) == TEXT
    today = clock().date()
    released = contents.rewrap(ONE, held, by=day_key(today + timedelta(days=1)), today=today, randomness=os.urandom)
    contents.destroy(HOLD)
    assert contents.open(ONE, data, released) == TEXT
    with pytest.raises(ContentUnreadableError):
        contents.open(ONE, data, held)


def test_nothing_is_sealed_until_a_day_that_has_begun(tmp_path: Path) -> None:
    """The key of today may be destroyed by another process at any moment: nobody makes it anew."""
    contents, clock = door(tmp_path)
    clock.advance(30 * 86_400)
    with pytest.raises(KeyTooLateError):
        contents.seal(ONE, TEXT, until=UNTIL, today=UNTIL, randomness=os.urandom)


def test_beside_an_alert_other_words_are_sealed_under_its_key(tmp_path: Path) -> None:
    """What else is said about an alert is read and erased with it, and is not taken for its submission."""
    contents, _ = door(tmp_path)
    _, key = sealed(contents)
    beside = contents.seal_beside(ONE, key, b"a note", place="note", randomness=os.urandom)
    assert contents.open(ONE, beside, key, place="note") == b"a note"
    with pytest.raises(ContentUnreadableError):
        contents.open(ONE, beside, key)
    with pytest.raises(ContentErasedError):
        contents.seal_beside(ONE, None, b"a note", place="note", randomness=os.urandom)

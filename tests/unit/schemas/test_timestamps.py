"""Our own instants have one form: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.faults import BrokenRuleError
from schemas.timestamps import UtcText, read_utc, utc_text, utc_text_of_ms

EASTERN = timezone(timedelta(hours=-5))
INSTANTS = st.integers(0, 253_402_200_000_000_000).map(
    lambda microseconds: datetime.fromtimestamp(0, EASTERN) + timedelta(microseconds=microseconds)
)


def test_an_instant_is_written_in_utc_with_milliseconds() -> None:
    """Another offset is converted, and the finer part is cut off, not rounded."""
    assert utc_text(datetime(2026, 1, 17, 14, 5, 9, 123999, tzinfo=EASTERN)) == "2026-01-17T19:05:09.123Z"
    assert utc_text(datetime(2026, 1, 17, tzinfo=UTC)) == "2026-01-17T00:00:00.000Z"


def test_a_time_without_offset_is_no_instant() -> None:
    """Nothing is guessed about a naive time."""
    with pytest.raises(ValueError, match="offset"):
        utc_text(datetime(2026, 1, 17))  # noqa: DTZ001 - what must fail


@settings(deadline=None)
@given(INSTANTS)
def test_what_is_written_is_read_back(at: datetime) -> None:
    """Reading gives the instant to the millisecond, aware and in UTC."""
    read = read_utc(utc_text(at))
    assert read.tzinfo is UTC
    assert timedelta(0) <= at - read < timedelta(milliseconds=1)


@settings(deadline=None)
@given(st.integers(0, 253_402_300_799_999))
def test_milliseconds_are_written_exactly(milliseconds: int) -> None:
    """A count of milliseconds comes back from its text without a rounding error."""
    read = read_utc(utc_text_of_ms(milliseconds))
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == milliseconds


def test_a_person_may_leave_the_milliseconds_out() -> None:
    """The second alone is read as its beginning."""
    assert read_utc("2026-01-17T19:05:09Z") == datetime(2026, 1, 17, 19, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-17",
        "2026-01-17T19:05Z",
        "2026-01-17T19:05:09",
        "2026-01-17T19:05:09+00:00",
        "2026-01-17T14:05:09-05:00",
        "2026-01-17t19:05:09z",
        "2026-01-17 19:05:09Z",
        "2026-01-17T19:05:09.1Z",
        "2026-01-17T19:05:09.123456Z",
        "2026-01-17T19:05:09,123Z",
        "2026-02-30T00:00:00Z",
        "2026-01-17T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "20260117T190509Z",
        "2026-01-17T19:05:09Z\n",
        "٢٠٢٦-01-17T19:05:09Z",
    ],
)
def test_every_other_form_is_refused(text: str) -> None:
    """Other offsets, precisions, separators, calendars and digits are refused, by the field too."""
    with pytest.raises(BrokenRuleError):
        read_utc(text)
    with pytest.raises(ValidationError):
        TypeAdapter(UtcText).validate_python(text)


def test_the_field_keeps_the_text_as_signed() -> None:
    """A model's member stays the text that it was."""
    assert TypeAdapter(UtcText).validate_python("2026-01-17T19:05:09Z") == "2026-01-17T19:05:09Z"

"""Retry-After, as partners write it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.retry_after import LONGEST_WAIT, seconds_to_wait

NOON = datetime(2026, 1, 17, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("00120", 120.0),
        ("86400", LONGEST_WAIT),
        ("86401", LONGEST_WAIT),
        ("9" * 4000, LONGEST_WAIT),
        ("Sat, 17 Jan 2026 12:01:00 GMT", 60.0),
        ("Sat, 17 Jan 2026 12:01:00 -0000", 60.0),
        ("Sat, 17 Jan 2026 07:01:00 -0500", 60.0),
        ("Sat, 17 Jan 2026 11:00:00 GMT", 0.0),
        ("Sun, 17 Jan 2027 12:00:00 GMT", LONGEST_WAIT),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("120, 60", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("Sat, 17 Jan 2026 25:00:00 GMT", None),
        ("Sat, 99 Jan 2026 12:00:00 GMT", None),
    ],
)
def test_what_a_field_asks(field: str | None, seconds: float | None) -> None:
    """Seconds and dates are heard within a day; what is neither asks nothing."""
    assert seconds_to_wait(field, now=NOON) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{5,9} [+-]?[0-9A-Z]{0,6}"))
def test_no_field_breaks_it(field: str) -> None:
    """Whatever a partner writes, the wait is none or within a day."""
    seconds = seconds_to_wait(field, now=NOON)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT

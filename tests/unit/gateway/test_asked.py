"""The filters of a question to the log: whatever is kept of them can be written down, signed and shown again."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidQueryError
from gateway.inquiry.asked import read_filters


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\n", "\ud800", "\u2028"])
def test_nothing_unprintable_is_asked(bad: str) -> None:
    """A control character or half a character is refused: no manifest could repeat it, no terminal should be told."""
    for filters in (
        {"text": f"sq{bad}demo"},
        {"from": f"2026-01-17{bad}19:05:09Z"},
        {"until": f"2026-01-17{bad}19:05Z"},
    ):
        with pytest.raises(InvalidQueryError):
            read_filters(filters, after=-1)


def test_what_is_printable_is_kept_as_it_was_given() -> None:
    """The filters are those that were given, whatever search they come to."""
    given = {"text": "SQ-2026 0117", "from": "2026-01-17T14:05:09-05:00"}
    asked = read_filters(given, after=-1)
    assert dict(asked.filters) == given
    assert (asked.words, asked.search.terms) == (("sq", "2026", "0117"), frozenset())
    assert asked.search.since == "2026-01-17T19:05:09.000Z"

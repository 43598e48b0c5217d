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


@pytest.mark.parametrize(
    "text",
    [
        "2026-W03-6T19:05:09Z",
        "20260117T190509Z",
        "2026-01-17",
        "2026-01-17T19:05:09",
        "2026-01-17T19:05Z",
        "2026-01-17 19:05:09Z",
        "2026-01-17T19:05:09+05",
        "2026-01-17T19:05:09+0500",
        "2026-01-17T19:05:09,5Z",
        "2026-01-17T24:00:00Z",
        "2026-01-17T19:05:60Z",
        "2026-02-30T19:05:09Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "٢٠٢٦-01-17T19:05:09Z",
    ],
)
@pytest.mark.parametrize("name", ["from", "until"])
def test_an_instant_has_one_form(name: str, text: str) -> None:
    """RFC 3339 with its offset, and no other form of ISO 8601; whoever is refused is told which parameter it was."""
    with pytest.raises(InvalidQueryError) as refused:
        read_filters({name: text}, after=-1)
    assert refused.value.parameter == name


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-17T19:05:09Z", "2026-01-17T19:05:09.000Z"),
        ("2026-01-17t19:05:09.123456789z", "2026-01-17T19:05:09.123Z"),
        ("2026-01-17T14:05:09.5-05:00", "2026-01-17T19:05:09.500Z"),
        ("2026-01-17T19:05:09-00:00", "2026-01-17T19:05:09.000Z"),
    ],
)
def test_an_instant_of_that_form_is_read(text: str, utc: str) -> None:
    """Whatever RFC 3339 allows is the same instant in UTC."""
    assert read_filters({"until": text}, after=-1).search.until == utc

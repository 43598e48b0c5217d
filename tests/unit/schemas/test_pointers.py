"""A pattern names exactly the places of a document that an agreement's reader would expect (RFC 6901)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.pointers import leaves, pattern_of, places, pointer_of, value_at

DOCUMENT: Any = {
    "info": [{"headline": "a"}, {"headline": "b"}, {}],
    "a/b": {"m~n": 1},
    "": {"": 2},
    "0": {"*": 3},
    "list": [[4, 5], []],
}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [()]),
        ("/info/*/headline", [("info", 0, "headline"), ("info", 1, "headline")]),
        ("/info/1/headline", [("info", 1, "headline")]),
        ("/info/01/headline", []),
        ("/info/9", []),
        ("/info/-", []),
        ("/info/headline", []),
        ("/a~1b/m~0n", [("a/b", "m~n")]),
        ("//", [("", "")]),
        ("/0/*", [("0", "*")]),
        ("/list/*/*", [("list", 0, 0), ("list", 0, 1)]),
        ("/list/0/0/x", []),
        ("/absent", []),
    ],
)
def test_the_places_of_a_pattern(pattern: str, found: list[tuple[str | int, ...]]) -> None:
    """``*`` is any position of a list and, in an object, a member of that name; what is not there is no place."""
    assert list(places(DOCUMENT, pattern)) == found


def test_what_is_no_pointer_is_refused() -> None:
    """A pointer is empty or begins with a slash."""
    with pytest.raises(ValueError, match="slash"):
        list(places(DOCUMENT, "info"))


def test_every_place_has_a_pointer_that_leads_back() -> None:
    """Escapes are resolved as they were made, and a pattern differs in the list positions alone."""
    for place, value in leaves(DOCUMENT):
        assert value_at(DOCUMENT, place) == value
        assert list(places(DOCUMENT, pointer_of(place))) == [place]
        assert place in list(places(DOCUMENT, pattern_of(place)))
    assert pattern_of(("info", 1, "headline")) == "/info/*/headline"


@pytest.mark.parametrize("place", [("info", "0"), ("info", 3), ("list", 0, 0, "x"), ("absent",), (0,)])
def test_where_nothing_is_nothing_is_returned(place: tuple[str | int, ...]) -> None:
    """A place that the document does not have is an error, never a value."""
    with pytest.raises(LookupError):
        value_at(DOCUMENT, place)

"""Places in a JSON document, and the RFC 6901 pointers that name them.

A *place* is a tuple of member names and list positions. A *pattern* is a pointer in which ``*`` stands for any position
of a list; it may name many places of one document, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from schemas.signing.strict_json import JsonValue, escaped

Place: TypeAlias = tuple[str | int, ...]
"""Member names and list positions, from the document's root."""

Scalar: TypeAlias = "str | int | float | bool | None"
"""What holds nothing else."""

ANY: Final = "*"
"""The token of a pattern that stands for any position of a list."""


def pointer_of(place: Place) -> str:
    """Return the pointer to a place (RFC 6901 section 5)."""
    return "".join(escaped(step) for step in place)


def pattern_of(place: Place) -> str:
    """Return the pattern of a place: its pointer with ``*`` for every list position."""
    return "".join(escaped(ANY if isinstance(step, int) else step) for step in place)


def places(document: JsonValue, pattern: str) -> Iterator[Place]:
    """Yield every place of a document that a pattern names, in the document's order.

    Raises ``ValueError`` for a text that is no pointer (RFC 6901 section 3).
    """
    if pattern and not pattern.startswith("/"):
        raise ValueError("a pointer begins with a slash")
    tokens = [_unescaped(token) for token in pattern.split("/")[1:]]
    found: list[tuple[Place, JsonValue]] = [((), document)]
    for token in tokens:
        found = [one for place, value in found for one in _steps(place, value, token)]
    yield from (place for place, _ in found)


def value_at(document: JsonValue, place: Place) -> JsonValue:
    """Return what stands at a place. Raises ``LookupError`` where nothing does."""
    for step in place:
        match document, step:
            case (dict(), str()):
                document = document[step]
            case (list(), int()):
                document = document[step]
            case _:
                raise LookupError(step)
    return document


def leaves(value: JsonValue, place: Place = ()) -> Iterator[tuple[Place, Scalar]]:
    """Yield each scalar of a value with its place, which begins at ``place``."""
    match value:
        case dict():
            for name, member in value.items():
                yield from leaves(member, (*place, name))
        case list():
            for position, item in enumerate(value):
                yield from leaves(item, (*place, position))
        case _:
            yield place, value


def _steps(place: Place, value: JsonValue, token: str) -> Iterator[tuple[Place, JsonValue]]:
    match value:
        case dict() if token in value:
            yield (*place, token), value[token]
        case list() if token == ANY:
            yield from (((*place, position), item) for position, item in enumerate(value))
        case list() if _POSITION.fullmatch(token) and int(token) < len(value):
            yield (*place, int(token)), value[int(token)]
        case _:
            pass


_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,9}")
"""A list position as RFC 6901 section 4 writes it, within any list there can be."""


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")

"""Which members of an alert an agency makes disclosable by default when it signs an SD-JWT.

Marked members, each item of a marked list by itself; files; every free text and time of the info blocks, the areas and
the body, because names leak into prose. The header's own members, closed lists, numbers, true and false stay under the
signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from schemas.ids import AlertType
from schemas.pointers import ANY
from schemas.signing.strict_json import escaped
from schemas.withholding.shapes import Shape, shape_of


@cache
def disclosable(alert_type: AlertType) -> tuple[str, ...]:
    """Return the patterns of what is disclosable by default. Raises ``KeyError`` for a type that there is not."""
    members = shape_of(alert_type).members
    found = [escaped(name) for name in _HEADER_PROSE if name in members]
    for name in ("info", "body"):
        found += _patterns(members[name], escaped(name), outer=frozenset())
    return tuple(dict.fromkeys(found))


_HEADER_PROSE: Final = ("source", "restriction", "note")


def _patterns(shape: Shape, pattern: str, *, outer: frozenset[str]) -> Iterator[str]:
    if shape.marks - outer or _is_separate(shape, pattern):
        yield pattern
    for name, member in shape.members.items():
        yield from _patterns(member, pattern + escaped(name), outer=shape.marks)
    if shape.item is not None:
        if shape.marks:
            yield f"{pattern}/{ANY}"
        yield from _patterns(shape.item, f"{pattern}/{ANY}", outer=shape.marks)


def _is_separate(shape: Shape, pattern: str) -> bool:
    """Whether a place is a disclosure of its own whatever its marks: free text, a file, an area."""
    is_file = "mimeType" in shape.members and shape.item is None
    is_area = "areaDesc" in shape.members and pattern.endswith(ANY)
    return is_file or is_area or (shape.text and not shape.listed and shape.code is None)

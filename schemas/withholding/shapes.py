"""What a type's JSON Schema says of each member: its marks, and whether its values come from a closed list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from schemas.alerts.catalogue import json_schema
from schemas.alerts.marks import SCHEMA_KEYWORD
from schemas.ids import ALERT_TYPE_PATTERN, JURISDICTION_PATTERN, PARTICIPANT_PATTERN, AlertType
from schemas.pointers import Place, Scalar
from schemas.signing.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at a place of an alert. ``marks`` are its own and those of all that encloses it.

    ``listed`` are the values of a closed list; ``code`` is the pattern of a public code, such as a jurisdiction's.
    """

    members: Mapping[str, Shape] = field(default_factory=lambda: MappingProxyType({}))
    item: Shape | None = None
    text: bool = False
    listed: frozenset[str] = frozenset()
    code: re.Pattern[str] | None = None
    marks: frozenset[str] = frozenset()

    def is_closed(self, value: str) -> bool:
        """Whether a text is one of the few that the schema has for this place, so that it can carry nothing else."""
        return value in self.listed or (self.code is not None and self.code.fullmatch(value) is not None)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of an alert, its place, the name of the nearest member, and what the schema says of it."""

    place: Place
    name: str
    value: Scalar
    shape: Shape


@cache
def shape_of(alert_type: AlertType) -> Shape:
    """Return the shape of alerts of a type. Raises ``KeyError`` for a type that there is not."""
    schema = json_schema(alert_type)
    return _shape(schema, schema, frozenset())


def shape_at(shape: Shape, place: Place) -> Shape:
    """Return the shape of a place; of one that the schema does not have, a shape that says nothing but the marks."""
    for step in place:
        shape = _below(shape, step)
    return shape


def leaves_of(value: JsonValue, shape: Shape, place: Place = (), name: str = "") -> Iterator[Leaf]:
    """Yield the scalars of a value that stands at ``place``, in order."""
    match value:
        case dict():
            for member, inner in value.items():
                yield from leaves_of(inner, _below(shape, member), (*place, member), member)
        case list():
            for position, inner in enumerate(value):
                yield from leaves_of(inner, _below(shape, position), (*place, position), name)
        case _:
            yield Leaf(place, name, value, shape)


def _below(shape: Shape, step: str | int) -> Shape:
    found = shape.item if isinstance(step, int) else shape.members.get(step)
    return Shape(marks=shape.marks) if found is None else found


_CODES: Final = {
    pattern: re.compile(pattern) for pattern in (ALERT_TYPE_PATTERN, JURISDICTION_PATTERN, PARTICIPANT_PATTERN)
}


def _shape(schema: Mapping[str, Any], root: Mapping[str, Any], inherited: frozenset[str]) -> Shape:
    marks = inherited | frozenset(schema.get(SCHEMA_KEYWORD, ()))
    members: dict[str, Shape] = {}
    item: Shape | None = None
    text = schema.get("type") == "string"
    listed = frozenset(each for each in (*schema.get("enum", ()), schema.get("const")) if isinstance(each, str))
    code = _CODES.get(schema.get("pattern", ""))
    for choice in _choices(schema, root):
        other = _shape(choice, root, marks)
        members.update(other.members)
        item = item or other.item
        text = text or other.text
        listed |= other.listed
        code = code or other.code
    if "items" in schema:
        item = _shape(schema["items"], root, marks)
    members.update({name: _shape(member, root, marks) for name, member in schema.get("properties", {}).items()})
    return Shape(MappingProxyType(members), item, text, listed, code, marks)


def _choices(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for keyword in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(keyword, ())

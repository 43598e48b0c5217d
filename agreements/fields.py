"""Where a path of an obligation leads in an alert of some type, by the type's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from agreements.meaning import type_within
from schemas.alerts.catalogue import alert_types, json_schema
from schemas.alerts.fields import CapTime, Date
from schemas.ids import AlertType

_Schema = Mapping[str, Any]


def covered_types(pattern: str) -> tuple[AlertType, ...]:
    """Return the types there are that a type or pattern of a clause covers."""
    return tuple(each for each in alert_types() if type_within(each, pattern))


@cache
def has_field(alert_type: AlertType, path: str) -> bool:
    """Say whether alerts of a type can have something at a path."""
    return bool(_at(alert_type, path))


@cache
def is_date(alert_type: AlertType, path: str) -> bool:
    """Say whether what alerts of a type have at a path is a date or an instant, so that a year can be left of it."""
    found = [each for each in _at(alert_type, path) if each.get("type") != "null"]
    return bool(found) and all(each.get("pattern") in _DATES for each in found)


def _at(alert_type: AlertType, path: str) -> list[_Schema]:
    root = json_schema(alert_type)
    found: list[_Schema] = list(_meant(root, root))
    for step in path.split("/")[1:]:
        below = [_below(schema, step) for schema in found]
        found = [meant for schema in below if schema is not None for meant in _meant(schema, root)]
    return found


def _below(schema: _Schema, step: str) -> _Schema | None:
    below: _Schema | None = schema.get("items") if step == "*" else schema.get("properties", {}).get(step)
    return below


def _meant(schema: _Schema, root: _Schema) -> Iterator[_Schema]:
    """Yield what a schema stands for: its references followed, its choices one by one."""
    if "$ref" in schema:
        yield from _meant(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _meant(choice, root)
    if not {"$ref", "anyOf", "oneOf"} & set(schema):
        yield schema


_DATES: Final = {TypeAdapter(kind).json_schema()["pattern"] for kind in (CapTime, Date)}

"""Marks on fields: what a member says about a person, so that an agreement can name a class as well as a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from schemas.signing.strict_json import escaped

Mark: TypeAlias = Literal["identifying", "health"]
"""``identifying``: tells who a person is, alone or with other members. ``health``: a fact about a person's health."""

SCHEMA_KEYWORD: Final = "x-lacolle-marks"
"""The member of a JSON Schema that lists the marks of what it describes."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Annotates a field of a model with a mark; it changes nothing about what the field accepts."""

    mark: Mark

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Show the mark in the JSON Schema, beside those that are there already."""
        schema = handler(core_schema)
        schema[SCHEMA_KEYWORD] = [*schema.get(SCHEMA_KEYWORD, ()), self.mark]
        return schema


IDENTIFYING: Final = Marked("identifying")
HEALTH: Final = Marked("health")


def marked_in(schema: Mapping[str, Any], mark: Mark) -> tuple[str, ...]:
    """Return where a JSON Schema (draft 2020-12) has a mark: RFC 6901 pointers, ``*`` for any position of a list.

    A pointer names everything below it, and is named once. Raises ``ValueError`` for a schema whose members no pointer
    can name: one that is open, or part of itself.
    """
    return tuple(dict.fromkeys(_marked(schema, schema.get("$defs", {}), mark, "", frozenset())))


def _marked(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], mark: Mark, pointer: str, within: frozenset[str]
) -> Iterator[str]:
    if mark in schema.get(SCHEMA_KEYWORD, ()):
        yield pointer
        return
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    if name in within or isinstance(schema.get("additionalProperties"), Mapping):
        raise ValueError(f"no pointer can name every member at {pointer}")
    if name:
        yield from _marked(definitions[name], definitions, mark, pointer, within | {name})
    for keyword in ("anyOf", "oneOf", "allOf"):
        for choice in schema.get(keyword, ()):
            yield from _marked(choice, definitions, mark, pointer, within)
    for position, item in enumerate(schema.get("prefixItems", ())):
        yield from _marked(item, definitions, mark, f"{pointer}/{position}", within)
    if isinstance(schema.get("items"), Mapping):
        yield from _marked(schema["items"], definitions, mark, f"{pointer}/*", within)
    for member, described in schema.get("properties", {}).items():
        yield from _marked(described, definitions, mark, pointer + escaped(member), within)

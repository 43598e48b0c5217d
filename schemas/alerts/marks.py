"""Marks on fields: what a member says about a person, so that an agreement can name a class as well as a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

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

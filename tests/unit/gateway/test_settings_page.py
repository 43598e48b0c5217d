"""``docs/settings.md`` says of every setting what the models say: none is missing, invented, or has another default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings.exchange import Settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
_ROW = re.compile(r"^\| `(?P<member>[a-z0-9_.]+)` \| (?P<default>[^|]+?) \|", re.MULTILINE)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _models(each)


def _members(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = list(_models(field.annotation))
        for each in inner:
            yield from _members(each, f"{path}{name}.")
        if not inner:
            yield f"{path}{name}", _default(field)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "—"
    return "none" if field.default in {None, ()} else f"`{field.default}`"


def _table() -> str:
    return PAGE.read_text(encoding="utf-8").partition("## The environment")[0]


def test_the_page_has_every_setting_and_its_default() -> None:
    """The table's rows are the models' members, each with its default; of a choice, one of its members' defaults."""
    told = {row["member"]: row["default"] for row in _ROW.finditer(_table())}
    known: dict[str, set[str]] = {}
    for member, default in _members(Settings):
        known.setdefault(member, set()).add(default)
    assert told.keys() == known.keys()
    assert {member: default for member, default in told.items() if default not in known[member]} == {}

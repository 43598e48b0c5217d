"""Rows as exports have them, whatever their format: named columns of a few forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

Value: TypeAlias = int | str | bytes | tuple[str, ...] | None
Row: TypeAlias = tuple[Value, ...]


class Form(StrEnum):
    """What a column's values are, where there is one.

    ``INSTANT`` is text in RFC 3339, UTC, milliseconds; ``DOCUMENT`` the bytes of a JSON value; ``BYTES`` are written in
    hexadecimal where a format is text; ``NAMES`` are several texts without spaces.
    """

    NUMBER = "number"
    TEXT = "text"
    NAMES = "names"
    INSTANT = "instant"
    BYTES = "bytes"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``repeats`` what one that is a document says: a format that has documents leaves it out."""

    name: str
    form: Form
    repeats: bool = False


class RowWriter(Protocol):
    """Writes rows in a format, as they come: each call returns the bytes that follow those before."""

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return what some rows add."""
        ...

    def end(self) -> bytes:
        """Return what ends the file; nothing is written after it."""
        ...

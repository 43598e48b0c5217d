"""Rows as text: NDJSON, one object a line, and CSV (RFC 4180) with a head."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

import orjson

from audit.exporting.rows import Column, Form, Row, Value

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class NdjsonWriter:
    """Writes one JSON object a line, in UTF-8; a document is a member as it is, byte for byte."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._places = [(place, column) for place, column in enumerate(columns) if not column.repeats]

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return a line for each row."""
        return b"".join(
            orjson.dumps(
                {column.name: _member(column, row[place]) for place, column in self._places},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )

    def end(self) -> bytes:
        """Return nothing: the last line has its end."""
        return b""


class CsvWriter:
    """Writes CSV (RFC 4180) in UTF-8, its head first. Names are parted by spaces.

    A spreadsheet takes a text for a formula that begins like one: such a text gets an apostrophe before it.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._headed = False

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return the rows, after the head where they are the first."""
        text = io.StringIO()
        writer = csv.writer(text)
        if not self._headed:
            writer.writerow([column.name for column in self._columns])
            self._headed = True
        writer.writerows(
            [_cell(column, value) for column, value in zip(self._columns, row, strict=True)] for row in rows
        )
        return text.getvalue().encode("utf-8")

    def end(self) -> bytes:
        """Return the head where there was no row, and nothing else."""
        return self.write(()) if not self._headed else b""


def _member(column: Column, value: Value) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, bytes):
        return orjson.Fragment(value) if column.form is Form.DOCUMENT else value.hex()
    return value


def _cell(column: Column, value: Value) -> int | str:
    match value:
        case None:
            return ""
        case bytes():
            return value.decode("utf-8") if column.form is Form.DOCUMENT else value.hex()
        case tuple():
            return " ".join(value)
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case _:
            return value

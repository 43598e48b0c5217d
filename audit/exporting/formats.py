"""The formats that exports come in."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from enum import StrEnum

from audit.exporting.rows import Column, RowWriter
from audit.exporting.text import CsvWriter, NdjsonWriter


class Format(StrEnum):
    """How rows are written; each is also the end of a file's name."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class FormatNotHereError(Exception):
    """Parquet is written by a library that is not installed with this exchange."""


def writer_of(form: Format, columns: Sequence[Column]) -> RowWriter:
    """Return what writes rows of some columns. Raises ``FormatNotHereError``."""
    match form:
        case Format.NDJSON:
            return NdjsonWriter(columns)
        case Format.CSV:
            return CsvWriter(columns)
        case Format.PARQUET:
            return _parquet(columns)


def _parquet(columns: Sequence[Column]) -> RowWriter:
    if importlib.util.find_spec("pyarrow") is None:
        raise FormatNotHereError
    from audit.exporting.parquet import ParquetRowWriter  # noqa: PLC0415 - an extra, which not every exchange has

    return ParquetRowWriter(columns)

"""Rows as Apache Parquet, for those who load them into an analytical engine. Needs the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import RawIOBase
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from audit.exporting.rows import Column, Form, Row, Value

_TYPES: Final = {
    Form.NUMBER: pa.int64(),
    Form.TEXT: pa.string(),
    Form.NAMES: pa.list_(pa.string()),
    Form.INSTANT: pa.timestamp("ms", tz="UTC"),
    Form.BYTES: pa.binary(),
    Form.DOCUMENT: pa.string(),
}


class ParquetRowWriter:
    """Writes a Parquet file, a row group for each call."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema([pa.field(column.name, _TYPES[column.form]) for column in columns])
        self._written = _Written()
        self._file = pq.ParquetWriter(self._written, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return what a row group of these rows adds."""
        if rows:
            arrays = [
                pa.array([_value(column, row[place]) for row in rows], type=_TYPES[column.form])
                for place, column in enumerate(self._columns)
            ]
            self._file.write_batch(pa.record_batch(arrays, schema=self._schema))
        return self._written.take()

    def end(self) -> bytes:
        """Return the footer."""
        self._file.close()
        return self._written.take()


class _Written(RawIOBase):
    """What was written and not taken yet; its place counts on."""

    def __init__(self) -> None:
        self._new = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # nothing but bytes comes from the writer
        self._new += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._new)

    def take(self) -> bytes:
        new = bytes(self._new)
        self._taken += len(new)
        self._new.clear()
        return new


def _value(column: Column, value: Value) -> object:
    if value is None:
        return None
    match column.form:
        case Form.INSTANT:
            return datetime.fromisoformat(str(value))
        case Form.DOCUMENT if isinstance(value, bytes):
            return value.decode("utf-8")
        case _:
            return list(value) if isinstance(value, tuple) else value

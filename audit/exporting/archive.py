"""An archive (ZIP) that is written as it goes to somebody: nothing of it is kept longer than until it is taken."""

from __future__ import annotations

import zipfile
from threading import Lock
from typing import IO, Final

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_FAST: Final = 1
"""The level of compression: higher ones take several times as long for a tenth less."""


class Archive:
    """A ZIP under way. Its files are written one after another; each call returns the bytes that follow.

    Their date is that of the format's beginning: the manifest has the time, in a form that needs no time zone.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST)  # type: ignore[call-overload]  # a file that is written alone will do
        self._open: IO[bytes] | None = None

    def begin(self, name: str) -> bytes:
        """Begin a file of any length; the one before has ended."""
        info = zipfile.ZipInfo(name, date_time=_DATE)
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._turn:
            self._open = self._zip.open(info, "w", force_zip64=True)
            return self._sink.take()

    def write(self, data: bytes) -> bytes:
        """Add to the file that was begun. Raises ``ValueError`` where none was, or it was abandoned."""
        with self._turn:
            if self._open is None:
                raise ValueError("no file was begun")
            self._open.write(data)
            return self._sink.take()

    def finish(self) -> bytes:
        """End the file that was begun."""
        with self._turn:
            self._finish()
            return self._sink.take()

    def end(self) -> bytes:
        """End the archive."""
        with self._turn:
            self._zip.close()
            return self._sink.take()

    def abandon(self) -> None:
        """Let go of an archive that nobody takes any more of, whole or not. Idempotent, and safe beside a thread."""
        with self._turn:
            self._finish()
            self._zip.close()
            self._sink.take()

    def _finish(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _Sink:
    """A file that is written and neither read nor gone about in, as ``zipfile`` takes one."""

    def __init__(self) -> None:
        self._new = bytearray()

    def write(self, data: bytes) -> int:
        self._new += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever takes what was written is nearer than any disk."""

    def take(self) -> bytes:
        new = bytes(self._new)
        self._new.clear()
        return new

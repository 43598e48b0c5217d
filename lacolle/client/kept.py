"""A small file of a partner's own: SQLite, durable at each statement, shared by its processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

_WAIT: Final = 10.0


class KeptFile:
    """One table in one file. For one thread.

    ``unusable`` says why a file can't be used; ``ConfigurationError`` is raised with it, here and within ``explained``.
    """

    def __init__(self, file: Path, *, table: str, unusable: Callable[[Path, sqlite3.Error], Bilingual]) -> None:
        self._file = file
        self._unusable = unusable
        with self.explained():
            # a rollback journal: a partner's processes may share the file, and SQLite's WAL has bitten there
            self.database = sqlite3.connect(file, timeout=_WAIT, isolation_level=None)
            self.database.execute("PRAGMA synchronous = FULL")
            self.database.execute(table)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say of what SQLite refuses which file it is, and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigurationError(self._unusable(self._file, error)) from error

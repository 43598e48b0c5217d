"""What a partner has handled already, kept in a file: SQLite, one row for each delivery.

A delivery can come again: after a crash, after partitions changed hands, or because the exchange sent it anew. Its
``ce_id`` is the same every time. A row is written, durably, when the handler has returned, and before the offset is
committed; so only a crash between the handler's end and the row has it called twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual
from schemas.ids import DeliveryId
from schemas.timestamps import utc_text

KEPT_FOR: Final = timedelta(days=400)
"""Longer than any exchange tries a delivery."""
_WAIT: Final = 10.0
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS deliveries (
    delivery_id TEXT PRIMARY KEY, handled TEXT NOT NULL, acknowledged INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""


class Progress(Enum):
    """How far a delivery has come here."""

    NEW = "new"
    HANDLED = "handled"
    ACKNOWLEDGED = "acknowledged"


class SeenDeliveries:
    """The deliveries in one file; several processes of a partner may share it. For one thread.

    ``now`` is UTC, and what is older than ``KEPT_FOR`` is forgotten. Raises ``ConfigurationError`` for a file that
    can't be used.
    """

    def __init__(self, file: Path, *, now: datetime) -> None:
        self._file = file
        with self._explained():
            # a rollback journal: a partner's processes may share the file, and SQLite's WAL has bitten there
            self._database = sqlite3.connect(file, timeout=_WAIT, isolation_level=None)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_TABLE)
            self._database.execute("DELETE FROM deliveries WHERE handled < ?", (utc_text(now - KEPT_FOR),))

    def progress(self, delivery_id: DeliveryId) -> Progress:
        """Return how far a delivery has come."""
        with self._explained():
            row = self._database.execute(
                "SELECT acknowledged FROM deliveries WHERE delivery_id = ?", (delivery_id,)
            ).fetchone()
        if row is None:
            return Progress.NEW
        return Progress.ACKNOWLEDGED if row[0] else Progress.HANDLED

    def handled(self, delivery_id: DeliveryId, *, at: datetime) -> None:
        """Say that a delivery was handled."""
        with self._explained():
            self._database.execute(
                "INSERT OR IGNORE INTO deliveries (delivery_id, handled) VALUES (?, ?)", (delivery_id, utc_text(at))
            )

    def acknowledged(self, delivery_id: DeliveryId) -> None:
        """Say that the exchange has the acknowledgement of a delivery that was handled."""
        with self._explained():
            self._database.execute("UPDATE deliveries SET acknowledged = 1 WHERE delivery_id = ?", (delivery_id,))

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigurationError(_unusable(self._file, error)) from error


def _unusable(file: Path, error: sqlite3.Error) -> Bilingual:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return Bilingual(
        fr=f"Le fichier des livraisons déjà traitées, {file}, ne peut être utilisé ({name}) : vérifiez le chemin, ses "
        "droits et la place sur le disque, ou indiquez-en un autre avec --seen.",
        en=f"The file of deliveries handled already, {file}, can't be used ({name}): check the path, its permissions "
        "and the room on the disk, or name another with --seen.",
    )

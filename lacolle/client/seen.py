"""What a partner has handled already, kept in a file: SQLite, one row for each delivery.

A delivery can come again: after a crash, after partitions changed hands, or because the exchange sent it anew. Its
``ce_id`` is the same every time. A row is written, durably, when the handler has returned, and before the offset is
committed; so only a crash between the handler's end and the row has it called twice.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from lacolle.client.kept import KeptFile
from schemas.bilingual import Bilingual
from schemas.ids import DeliveryId
from schemas.timestamps import utc_text

KEPT_FOR: Final = timedelta(days=400)
"""Longer than any exchange tries a delivery."""
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


class SeenDeliveries(KeptFile):
    """The deliveries in one file; several processes of a partner may share it. For one thread.

    ``now`` is UTC, and what is older than ``KEPT_FOR`` is forgotten. Raises ``ConfigurationError`` for a file that
    can't be used.
    """

    def __init__(self, file: Path, *, now: datetime) -> None:
        super().__init__(file, table=_TABLE, unusable=_unusable)
        with self.explained():
            self.database.execute("DELETE FROM deliveries WHERE handled < ?", (utc_text(now - KEPT_FOR),))

    def progress(self, delivery_id: DeliveryId) -> Progress:
        """Return how far a delivery has come."""
        with self.explained():
            row = self.database.execute(
                "SELECT acknowledged FROM deliveries WHERE delivery_id = ?", (delivery_id,)
            ).fetchone()
        if row is None:
            return Progress.NEW
        return Progress.ACKNOWLEDGED if row[0] else Progress.HANDLED

    def handled(self, delivery_id: DeliveryId, *, at: datetime) -> None:
        """Say that a delivery was handled."""
        with self.explained():
            self.database.execute(
                "INSERT OR IGNORE INTO deliveries (delivery_id, handled) VALUES (?, ?)", (delivery_id, utc_text(at))
            )

    def acknowledged(self, delivery_id: DeliveryId) -> None:
        """Say that the exchange has the acknowledgement of a delivery that was handled."""
        with self.explained():
            self.database.execute("UPDATE deliveries SET acknowledged = 1 WHERE delivery_id = ?", (delivery_id,))


def _unusable(file: Path, error: sqlite3.Error) -> Bilingual:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return Bilingual(
        fr=f"Le fichier des livraisons déjà traitées, {file}, ne peut être utilisé ({name}) : vérifiez le chemin, ses "
        "droits et la place sur le disque, ou indiquez-en un autre avec --seen.",
        en=f"The file of deliveries handled already, {file}, can't be used ({name}): check the path, its permissions "
        "and the room on the disk, or name another with --seen.",
    )

"""A partner's book of what it received: SQLite, one row for each delivery, with the digest of its bytes.

Whoever takes deliveries over HTTPS writes a row before it answers 2xx, ``lacolle consume --book`` once its handler has
returned. The first row of a delivery stands, however often it comes. ``lines`` are then what ``lacolle reconcile``
compares with the exchange's own book.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from lacolle.client.kept import KeptFile
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual
from schemas.decisions import Lane
from schemas.ids import AgreementId, DeliveryId
from schemas.reconciliation import GroupName, Line, Period
from schemas.timestamps import utc_text

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS received (
    delivery_id TEXT PRIMARY KEY, agreement TEXT, lane TEXT, digest TEXT NOT NULL, received TEXT NOT NULL
) WITHOUT ROWID
"""


class ReceivedBook(KeptFile):
    """The book in one file; several processes of a partner may share it. For one thread.

    Raises ``ConfigurationError`` for a file that can't be used.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file, table=_TABLE, unusable=_unusable)

    def record(
        self,
        delivery_id: DeliveryId,
        body: bytes,
        *,
        at: datetime,
        agreement: AgreementId | None = None,
        lane: Lane | None = None,
    ) -> None:
        """Write down a delivery that came, durably; ``body`` is the bytes as they came.

        Over HTTPS the delivery id is the header ``Idempotency-Key``, and the agreement stands before the ``/`` of
        ``ce-agreement``. Where agreement and lane are not known of every delivery, all are compared in one group.
        """
        row = (delivery_id, agreement, lane and lane.value, hashlib.sha256(body).hexdigest(), utc_text(at))
        with self.explained():
            self.database.execute("INSERT OR IGNORE INTO received VALUES (?, ?, ?, ?, ?)", row)

    def lines(self, period: Period) -> Mapping[GroupName, list[Line]]:
        """Return what came of a period's deliveries, by group, in the order of the delivery ids."""
        with self.explained():
            rows = self.database.execute(
                "SELECT delivery_id, agreement, lane, digest FROM received "
                "WHERE delivery_id >= ? AND delivery_id < ? ORDER BY delivery_id",
                period.bounds,
            ).fetchall()
        in_one = any(agreement is None or lane is None for _, agreement, lane, _ in rows)
        groups: dict[GroupName, list[Line]] = {}
        for delivery_id, agreement, lane, digest in rows:
            name: GroupName = (None, None) if in_one else (AgreementId(agreement), Lane(lane))
            groups.setdefault(name, []).append(Line(DeliveryId(delivery_id), digest))
        return groups


def lines_in_folder(folder: Path, period: Period) -> Mapping[GroupName, list[Line]]:
    """Return what lies in a folder that the exchange writes files into (its transport ``directory``), in one group.

    A file's name ends in ``-<delivery id>.<extension>``; names with a leading dot and manifests are no deliveries. Of a
    delivery that came in two formats the file that is newer counts. Raises ``ConfigurationError``.
    """
    first, end = period.bounds
    found: dict[str, Path] = {}
    try:
        for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
            delivery_id = path.stem[-_ID_LENGTH:]
            if path.name.startswith(".") or path.suffix == _MANIFEST or not first <= delivery_id < end:
                continue
            found[delivery_id] = path
        lines = [
            Line(DeliveryId(delivery_id), hashlib.sha256(path.read_bytes()).hexdigest())
            for delivery_id, path in sorted(found.items())
        ]
    except OSError as error:
        raise ConfigurationError(_unreadable(folder, error)) from error
    return {(None, None): lines}


def _unusable(file: Path, error: sqlite3.Error) -> Bilingual:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return Bilingual(
        fr=f"Le registre des livraisons reçues, {file}, ne peut être utilisé ({name}) : vérifiez le chemin, ses droits "
        "et la place sur le disque, ou indiquez-en un autre avec --book.",
        en=f"The book of received deliveries, {file}, can't be used ({name}): check the path, its permissions and the "
        "room on the disk, or name another with --book.",
    )


def _unreadable(folder: Path, error: OSError) -> Bilingual:
    kind = type(error).__name__
    return Bilingual(
        fr=f"Le dossier {folder} ne peut être lu ({kind}) : vérifiez le chemin et ses droits.",
        en=f"The folder {folder} can't be read ({kind}): check the path and its permissions.",
    )


_ID_LENGTH: Final = 36
_MANIFEST: Final = ".manifest"

"""The log's tables as a verification reads them: in ranges, nothing converted, nothing believed.

Raises ``LogVerificationError`` for what the database itself can't read back, and for what lies beyond the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Text, TextClause, and_, bindparam, cast, func, or_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.errors import LogVerificationError, Subject
from audit.recheck import UNREADABLE
from audit.tables import checkpoints, log_entries, log_head, log_parties, log_tiles
from audit.tiles import TILE_HEIGHT
from schemas.bilingual import Bilingual


class LogTables(Protocol):
    """A log as its tables say it is. All its ranges are from ``start`` to before ``stop``."""

    async def head(self) -> tuple[int, bytes, bytes]:
        """Return size, root and frontier."""
        ...

    async def entries(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return index, kind, time, actor, alert, agreement, salt, content and commitment of entries."""
        ...

    async def checkpoints(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return size, root and note of the checkpoints whose size is in the range."""
        ...

    async def jurisdictions(self) -> Sequence[str]:
        """Return every jurisdiction that is a party to something."""
        ...

    async def parties(self, jurisdictions: Sequence[str], start: int, stop: int) -> Mapping[str, Iterable[int]]:
        """Return the entries in the range that each jurisdiction may read, in any order."""
        ...

    async def tiles(self, level: int, start: int, stop: int) -> Mapping[int, tuple[bytes, bytes]]:
        """Return root and data of the level's full tiles in the range."""
        ...

    async def require_nothing_beyond(self, size: int) -> None:
        """Refuse rows that a log of this size can't have: no tree covers them, yet a reader might believe them."""
        ...


class StoredLog:
    """A log in a database."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def head(self) -> tuple[int, bytes, bytes]:
        """Return size, root and frontier."""
        row = (await self._connection.execute(_HEAD)).first()
        if row is None:
            raise LogVerificationError(Subject.HEAD, _NO_HEAD)
        return row.size, row.root, row.frontier

    async def entries(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return index, kind, time, actor, alert, agreement, salt, content and commitment of entries."""
        return await self._range(_ENTRIES, Subject.ENTRY, start, stop)

    async def checkpoints(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return size, root and note of the checkpoints whose size is in the range."""
        return await self._range(_CHECKPOINTS, Subject.CHECKPOINT, start, stop)

    async def jurisdictions(self) -> Sequence[str]:
        """Return every jurisdiction that is a party to something."""
        try:
            return (await self._connection.scalars(_JURISDICTIONS)).all()
        except DBAPIError as error:
            raise _unreadable(error, Subject.PARTIES) from None

    async def parties(self, jurisdictions: Sequence[str], start: int, stop: int) -> Mapping[str, Iterable[int]]:
        """Return the entries in the range that each jurisdiction may read, in any order."""
        among = {"jurisdictions": jurisdictions, "start": start, "stop": stop}
        rows = await self._connection.execute(_PARTIES, among)
        return {jurisdiction: map(int, indexes.split(",")) for jurisdiction, indexes in rows}

    async def tiles(self, level: int, start: int, stop: int) -> Mapping[int, tuple[bytes, bytes]]:
        """Return root and data of the level's full tiles in the range."""
        rows = await self._connection.execute(_TILES, {"level": level, "start": start, "stop": stop})
        return {tile: (root, data) for tile, root, data in rows}

    async def require_nothing_beyond(self, size: int) -> None:
        """Refuse rows that a log of this size can't have: no tree covers them, yet a reader might believe them."""
        entry, party, checkpoint = log_entries.c.log_index, log_parties.c.log_index, checkpoints.c.size
        beyond: tuple[tuple[Subject, ColumnElement[int], ColumnElement[bool]], ...] = (
            (Subject.ENTRY, entry, or_(entry < 0, entry >= size)),
            (Subject.PARTIES, party, or_(party < 0, party >= size)),
            (Subject.CHECKPOINT, checkpoint, or_(checkpoint < 1, checkpoint > size)),
        )
        for subject, column, condition in beyond:
            index = await self._connection.scalar(select(column).where(condition).limit(1))
            if index is not None:
                raise LogVerificationError(subject, _BEYOND, index=index)
        await self._require_no_tile_beyond(size)

    async def _require_no_tile_beyond(self, size: int) -> None:
        level, tile = log_tiles.c.level, log_tiles.c.tile
        full = [
            and_(level == at, tile >= 0, tile < size >> TILE_HEIGHT * (at + 1))
            for at in range(size.bit_length() // TILE_HEIGHT + 1)
        ]
        row = (await self._connection.execute(select(level, tile).where(~or_(*full)).limit(1))).first()
        if row is not None:
            raise LogVerificationError(Subject.TILE, _BEYOND, level=row.level, tile=row.tile)

    async def _range(self, statement: TextClause, subject: Subject, start: int, stop: int) -> Sequence[Sequence[Any]]:
        # SQLite can't read back a text that is no UTF-8, and does not say where it stands: halve until it is found.
        try:
            result = await self._connection.execute(statement, {"start": start, "stop": stop})
            with closing(result.cursor) as cursor:
                return cursor.fetchall()
        except DBAPIError as error:
            if error.connection_invalidated or stop - start == 1:
                raise _unreadable(error, subject, index=start) from None
        middle = (start + stop) // 2
        lower = await self._range(statement, subject, start, middle)
        return [*lower, *await self._range(statement, subject, middle, stop)]


def _unreadable(error: DBAPIError, subject: Subject, *, index: int | None = None) -> Exception:
    # The driver's message quotes the value: it goes no further.
    return error if error.connection_invalidated else LogVerificationError(subject, UNREADABLE, index=index)


_HEAD: Final = select(log_head.c.size, log_head.c.root, log_head.c.frontier)
_JURISDICTIONS: Final = select(log_parties.c.jurisdiction).distinct()

# As text, and fetched from the driver's cursor, they come as the driver gives them: SQLAlchemy's conversions would take
# a fifth of the whole time, its rows a fifteenth.
_ENTRIES: Final = text(
    "SELECT log_index, kind, time, actor, alert_id, agreement, salt, content, commitment FROM log_entries"
    " WHERE log_index >= :start AND log_index < :stop ORDER BY log_index"
)
_CHECKPOINTS: Final = text(
    "SELECT size, root, note FROM checkpoints WHERE size >= :start AND size < :stop ORDER BY size"
)

# One text for each jurisdiction: a row for each of its entries would take as long as the entries themselves.
_PARTIES: Final = (
    select(log_parties.c.jurisdiction, func.aggregate_strings(cast(log_parties.c.log_index, Text), ","))
    .where(
        log_parties.c.jurisdiction.in_(bindparam("jurisdictions", expanding=True)),
        log_parties.c.log_index >= bindparam("start"),
        log_parties.c.log_index < bindparam("stop"),
    )
    .group_by(log_parties.c.jurisdiction)
)

_TILES: Final = select(log_tiles.c.tile, log_tiles.c.root, log_tiles.c.data).where(
    log_tiles.c.level == bindparam("level"),
    log_tiles.c.tile >= bindparam("start"),
    log_tiles.c.tile < bindparam("stop"),
)

_NO_HEAD: Final = Bilingual(
    fr="La tête du journal manque.",
    en="The log's head is missing.",
)
_BEYOND: Final = Bilingual(
    fr="Cette donnée est hors du journal, que sa tête dit plus court.",
    en="This lies outside the log, which its head says is shorter.",
)

"""Exports that are under way: each is a row from the entry that begins it to those that end it, and has one end.

Whoever makes an export may die over it. Its row is then left, so that another process finds it and writes its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from gateway.store.committer import Batch
from gateway.store.tables import open_exports


@dataclass(frozen=True, slots=True)
class ExportEnd:
    """What the log is to say of the end of the export that began at an index, to each jurisdiction its own part."""

    begun: int
    drafts: Sequence[Draft]


class ExportBeginWriter:
    """Logs that exports were asked for, and has them under way."""

    async def write(self, batch: Batch, items: Sequence[Draft]) -> Sequence[int]:
        """Return the index of each entry, by which its export is known."""
        indexes = [batch.log.append(item) for item in items]
        rows = [{"begun": index, "at_ms": batch.now_ms} for index in indexes]
        await batch.connection.execute(insert(open_exports), rows)
        return indexes


class ExportEndWriter:
    """Logs how exports ended, each once, whoever comes first with it."""

    async def write(self, batch: Batch, items: Sequence[ExportEnd]) -> Sequence[int | None]:
        """Return the index of the first entry of each end; None where its export had ended before."""
        return [await self._write_one(batch, item) for item in items]

    async def _write_one(self, batch: Batch, item: ExportEnd) -> int | None:
        gone = await batch.connection.execute(delete(open_exports).where(open_exports.c.begun == item.begun))
        if gone.rowcount == 0:
            return None
        first, *_ = [batch.log.append(draft) for draft in item.drafts]
        return first


async def left_exports(connection: AsyncConnection, *, before: int, until_ms: int) -> Sequence[int]:
    """Return some exports under way that began below an index of the log, or until an instant (ms, Unix epoch)."""
    began = or_(open_exports.c.begun < before, open_exports.c.at_ms <= until_ms)
    return (await connection.scalars(select(open_exports.c.begun).where(began).order_by("begun").limit(_MOST))).all()


_MOST: Final = 100

"""What readers ask of the log. Every question names the jurisdiction that asks, and sees what it is a party to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from audit.tables import SIZE_LIMIT, log_entries, log_parties
from schemas.ids import AlertId, JurisdictionCode


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry as it is kept: with its salt, ``canonical`` can be held against the commitment in the public tree.

    ``audit.entry.read_entry`` reads ``canonical``. ``disclosures`` is what it withholds, as its keeper has sealed it;
    None where it withholds nothing.
    """

    index: int
    salt: bytes
    canonical: bytes
    commitment: bytes
    disclosures: bytes | None


async def entries_of_alert(
    connection: AsyncConnection, alert_id: AlertId, *, jurisdiction: JurisdictionCode
) -> tuple[LoggedEntry, ...]:
    """Return an alert's entries that a jurisdiction may read, in the log's order.

    A participant reads as its jurisdiction (``schemas.ids.home_of``). An unknown alert and another's look the same.
    """
    party = exists().where(
        log_parties.c.jurisdiction == jurisdiction, log_parties.c.log_index == log_entries.c.log_index
    )
    return await _entries(connection, _SELECT.where(log_entries.c.alert_id == alert_id, party))


async def entry_at(connection: AsyncConnection, index: int) -> LoggedEntry | None:
    """Return one entry, whoever its parties are: whether the reader may have it is the caller's to decide."""
    if not 0 <= index < SIZE_LIMIT:
        return None
    found = await _entries(connection, _SELECT.where(log_entries.c.log_index == index))
    return found[0] if found else None


async def entries_at(connection: AsyncConnection, indexes: Sequence[int]) -> tuple[LoggedEntry, ...]:
    """Return some entries, in the log's order, whoever their parties are: which of them is the caller's to decide."""
    return await _entries(connection, _SELECT.where(log_entries.c.log_index.in_(indexes)))


async def entries_about(
    connection: AsyncConnection, alerts: Sequence[AlertId], kinds: Sequence[Kind]
) -> tuple[LoggedEntry, ...]:
    """Return the entries of some kinds about some alerts, in the log's order, whoever their parties are."""
    wanted = log_entries.c.alert_id.in_(alerts), log_entries.c.kind.in_([kind.value for kind in kinds])
    return await _entries(connection, _SELECT.where(*wanted))


async def _entries(
    connection: AsyncConnection, statement: Select[int, bytes, bytes, bytes, bytes | None]
) -> tuple[LoggedEntry, ...]:
    rows = await connection.execute(statement.order_by(log_entries.c.log_index))
    return tuple(LoggedEntry(*row) for row in rows)


_SELECT: Final = select(
    log_entries.c.log_index,
    log_entries.c.salt,
    log_entries.c.content,
    log_entries.c.commitment,
    log_entries.c.disclosures,
)

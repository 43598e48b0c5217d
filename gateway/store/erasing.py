"""Erasing content whose time has come: an entry each, and the key to it is no longer stored.

The wrapped key is deleted in the transaction of its entry. Copies of it, in pages and logs of the database that are not
overwritten yet, in replicas and backups, are wrapped by the key of the day on which the content ended, and that is
destroyed when the day is over: by then, ``unreadable_by``, no copy of anything reads the content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from gateway.sealing.folder import KeyName, day_of
from gateway.store.committer import Batch
from gateway.store.dispatches import HELD, OPEN
from gateway.store.retention import RetentionBasis
from gateway.store.tables import alerts, consent_requests, content_keys, dispatches
from schemas.ids import AlertId, JurisdictionCode, ParticipantId, home_of
from schemas.signing.canonical import PlainValue
from schemas.timestamps import utc_text, utc_text_of_ms

GRACE_MS: Final = 3_600_000
"""Milliseconds after which content that should have been erased is overdue."""


@dataclass(frozen=True, slots=True)
class Erasures:
    """How many alerts' content is due to be erased, how many of them are overdue, and how many are held."""

    due: int
    overdue: int
    held: int


NOTHING_DUE: Final = Erasures(due=0, overdue=0, held=0)


class EraseWriter:
    """Erases content that is due; its items are alerts."""

    async def write(self, batch: Batch, items: Sequence[AlertId]) -> Sequence[RetentionBasis | None]:
        """Return on whose term each was erased; None where it is not due, held, gone, or a copy is on its way."""
        rows = await _rows(batch.connection, items, now_ms=batch.now_ms)
        await erase(batch, list(rows.values()))
        return [RetentionBasis(rows[item].basis) if item in rows else None for item in items]


async def erase(batch: Batch, rows: Sequence[Row[Any]], ordered: dict[str, PlainValue] | None = None) -> Sequence[int]:
    """Erase the content of ``erasable`` rows, and return the indexes of the entries, of each its sender's.

    ``ordered`` are the members that tell of the order to do so, where it is no term that has ended.
    """
    if not rows:
        return []
    ids = [row.alert_id for row in rows]
    told = await _told(batch.connection, ids)
    indexes = []
    for row in rows:
        together, *apart = _circles(row, told[row.alert_id])
        indexes.append(batch.log.append(_entry(row, together, ordered, batch.now)))
        for each in apart:
            batch.log.append(_entry(row, each, ordered, batch.now))
    await batch.connection.execute(delete(content_keys).where(content_keys.c.alert_id.in_(ids)))
    return indexes


async def erasable(connection: AsyncConnection, alert_id: AlertId) -> Row[Any] | None:
    """Return what ``erase`` needs of an alert, due or not; None where its content is gone."""
    row: Row[Any] | None = (await connection.execute(_CONTENT.where(content_keys.c.alert_id == alert_id))).one_or_none()
    return row


async def due_contents(connection: AsyncConnection, *, now_ms: int, limit: int) -> Sequence[AlertId]:
    """Return alerts whose content is to be erased now, those first that were due first."""
    found = await connection.scalars(
        select(content_keys.c.alert_id).where(*_due(now_ms)).order_by(content_keys.c.due_ms).limit(limit)
    )
    return [AlertId(each) for each in found]


async def count_erasures(connection: AsyncConnection, *, now_ms: int) -> Erasures:
    """Return how many alerts' content is due, overdue and held."""

    async def count(*conditions: ColumnElement[bool]) -> int:
        return int(await connection.scalar(select(func.count()).select_from(content_keys).where(*conditions)) or 0)

    waiting = content_keys.c.held_by.is_(None)
    return Erasures(
        due=await count(waiting, content_keys.c.due_ms <= now_ms),
        overdue=await count(waiting, content_keys.c.due_ms <= now_ms - GRACE_MS),
        held=await count(content_keys.c.held_by.is_not(None)),
    )


async def _rows(connection: AsyncConnection, wanted: Collection[AlertId], *, now_ms: int) -> dict[AlertId, Row[Any]]:
    rows = await connection.execute(_CONTENT.where(content_keys.c.alert_id.in_(sorted(set(wanted))), *_due(now_ms)))
    return {AlertId(row.alert_id): row for row in rows}


def _due(now_ms: int) -> Sequence[ColumnElement[bool]]:
    on_its_way = exists().where(
        and_(dispatches.c.alert_id == content_keys.c.alert_id, dispatches.c.state.in_((HELD, *OPEN)))
    )
    return content_keys.c.due_ms <= now_ms, content_keys.c.held_by.is_(None), ~on_its_way


async def _told(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[JurisdictionCode, bool]]:
    """Return to whose jurisdictions a copy of each alert was released, and whether that was upon its acceptance."""
    told: defaultdict[str, dict[JurisdictionCode, bool]] = defaultdict(dict)
    rows = await connection.execute(
        select(dispatches.c.alert_id, dispatches.c.recipient, ~_CONSENT_ASKED).where(
            dispatches.c.alert_id.in_(ids), dispatches.c.released.is_not(None)
        )
    )
    for alert_id, recipient, at_once in rows:
        home = home_of(ParticipantId(recipient))
        told[alert_id][home] = told[alert_id].get(home, False) or bool(at_once)
    return told


def _circles(row: Row[Any], told: Mapping[JurisdictionCode, bool]) -> Iterator[Collection[JurisdictionCode]]:
    """Yield who is told together: all whom the acceptance names to each other; each whom consent let in, by itself."""
    sender = home_of(ParticipantId(row.sender))
    yield [sender, *(each for each, at_once in told.items() if at_once)]
    yield from ([each] for each in sorted(told) if not told[each] and each != sender)


def _entry(
    row: Row[Any], parties: Collection[JurisdictionCode], ordered: dict[str, PlainValue] | None, now: datetime
) -> Draft:
    content: dict[str, PlainValue] = {
        "digest": f"sha-256:{row.submission_digest.hex()}",
        "due": utc_text_of_ms(row.due_ms),
        "unreadable_by": utc_text(_unreadable_by(KeyName(row.wrapped_by), now)),
    }
    # not whose agreement's term it was: a recipient must not learn from it who else has one
    content |= {"basis": row.basis, "retain_days": row.retain_days} if ordered is None else ordered
    return Draft(
        kind=Kind.ERASED,
        actor=None,
        jurisdictions=tuple(parties),
        alert_id=AlertId(row.alert_id),
        agreement=None,
        content=content,
    )


def _unreadable_by(name: KeyName, now: datetime) -> datetime:
    """Return when the key is destroyed that every copy of a content key is wrapped by: at the end of its day."""
    day = day_of(name)
    ends = now if day is None else datetime.combine(day + timedelta(days=1), time(), UTC)
    return max(now, ends).replace(microsecond=0)


_CONSENT_ASKED: Final = exists().where(consent_requests.c.delivery_id == dispatches.c.delivery_id)
_CONTENT: Final[Select[Any]] = select(
    content_keys.c.alert_id,
    content_keys.c.wrapped_by,
    content_keys.c.wrapped,
    content_keys.c.due_ms,
    content_keys.c.retain_days,
    content_keys.c.basis,
    content_keys.c.held_by,
    alerts.c.sender,
    alerts.c.submission_digest,
).join(alerts, alerts.c.alert_id == content_keys.c.alert_id)

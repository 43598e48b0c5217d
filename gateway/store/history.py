"""Past traffic, page by page: accepted alerts as they were signed, each with whom its thread had reached by then.

Pages go by the alerts' ids, which begin with the millisecond of their acceptance (UUIDv7, RFC 9562 section 5.7), so
that each is a stretch of the primary key and none holds a lock or a transaction for longer than it is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.examining import StoredAlert
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.store.content_keys import OPENING, opened, with_keys
from gateway.store.dispatches import DELIVERED, PENDING, PUBLISHED
from gateway.store.engine import Store
from gateway.store.reader import Reader
from gateway.store.reading import visible
from gateway.store.tables import alerts, dispatches
from gateway.store.terms import UnreadableTermsError, read_terms
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, AlertId, ParticipantId, home_of, uuid7

PAGE: Final = 250
"""Alerts read at once; with bodies of the largest size it is what bounds the memory."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which past alerts: those accepted from ``since`` until ``until``, which is no longer part of it.

    ``reader`` narrows them to what it may see; None for the operator, who sees all.
    """

    since: datetime
    until: datetime
    reader: Reader | None = None


async def count_alerts(store: Store, stretch: Stretch, *, most: int | None = None) -> int:
    """Return how many alerts a stretch has; it counts no further than ``most``."""
    found = select(alerts.c.alert_id).where(_within(stretch)).limit(most)
    async with store.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(found.subquery())) or 0)


async def pages(store: Store, contents: Contents, stretch: Stretch) -> AsyncIterator[Sequence[StoredAlert]]:
    """Yield a stretch's alerts, in the order of their ids."""
    after = ""
    while True:
        async with store.reading() as connection:
            page = await _page(connection, contents, stretch, after)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].alert_id


async def _page(connection: AsyncConnection, contents: Contents, stretch: Stretch, after: str) -> list[StoredAlert]:
    found = await connection.execute(
        with_keys(select(*_ALERT))
        .where(_within(stretch), alerts.c.alert_id > after)
        .order_by(alerts.c.alert_id)
        .limit(PAGE)
    )
    rows = list(found)
    following = {row.thread for row in rows if row.msg_type in _FOLLOWING}
    sent = await _sent(connection, following) if following else {}
    had = {row.alert_id for row in rows} if stretch.reader is None else await _had(connection, rows, stretch.reader)
    return [
        _stored(row, _readable(contents, row), sent.get(row.thread, ()), stretch.reader, known=row.alert_id in had)
        for row in rows
    ]


def _readable(contents: Contents, row: Row[Any]) -> bytes | None:
    """Return a row's submission; None for one that was erased, or can't be read."""
    try:
        return opened(contents, row)
    except (ContentErasedError, ContentUnreadableError):
        return None


async def _had(connection: AsyncConnection, rows: Sequence[Row[Any]], reader: Reader) -> set[str]:
    """Return the alerts of which a reader has all: its own, and those of which it gets a copy that lacks nothing."""
    own = {row.alert_id for row in rows if _sees_all(reader, ParticipantId(row.sender))}
    copies = await connection.execute(
        select(dispatches.c.alert_id, dispatches.c.recipient, dispatches.c.terms).where(
            dispatches.c.alert_id.in_([row.alert_id for row in rows]), dispatches.c.state.in_(_GOING_OUT)
        )
    )
    return own | {
        copy.alert_id
        for copy in copies
        if _sees_all(reader, ParticipantId(copy.recipient)) and _lacks_nothing(copy.terms)
    }


def _lacks_nothing(terms: str | None) -> bool:
    try:
        return not read_terms(terms).withholdings
    except UnreadableTermsError:
        return False


async def _sent(connection: AsyncConnection, threads: set[str]) -> dict[str, list[Row[Any]]]:
    """Return the dispatches of some threads, in the order of the log."""
    rows = await connection.execute(
        select(*_DISPATCH)
        .where(dispatches.c.thread.in_(sorted(threads)), dispatches.c.released.is_not(None))
        .order_by(dispatches.c.log_index)
    )
    sent: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        sent[row.thread].append(row)
    return sent


def _stored(
    row: Row[Any], submission: bytes | None, sent: Sequence[Row[Any]], reader: Reader | None, *, known: bool
) -> StoredAlert:
    return StoredAlert(
        alert_id=AlertId(row.alert_id),
        submission=submission,
        at=_EPOCH + timedelta(milliseconds=row.received_ms),
        reached={
            ParticipantId(each.recipient): ClauseRef(AgreementId(each.agreement), each.version, each.clause)
            for each in sent
            if each.released < row.log_index
        },
        whole=reader is None or _sees_all(reader, ParticipantId(row.sender)),
        known=known,
    )


def _sees_all(reader: Reader, whose: ParticipantId) -> bool:
    """Say whether a reader sees all that a participant sees: it is that one, or audits for its jurisdiction."""
    return whose == reader.participant or (reader.auditor and home_of(whose) == reader.jurisdiction)


def _within(stretch: Stretch) -> ColumnElement[bool]:
    first, end = (uuid7(at=max(each, _EPOCH), randomness=bytes(10)) for each in (stretch.since, stretch.until))
    seen = true() if stretch.reader is None else visible(stretch.reader)
    return and_(alerts.c.alert_id >= first, alerts.c.alert_id < end, seen)


_ALERT: Final[Sequence[Column[Any]]] = (
    *OPENING,
    alerts.c.log_index,
    alerts.c.thread,
    alerts.c.sender,
    alerts.c.msg_type,
    alerts.c.received_ms,
)
_DISPATCH: Final[Sequence[Column[Any]]] = (
    dispatches.c.thread,
    dispatches.c.released,
    dispatches.c.recipient,
    dispatches.c.agreement,
    dispatches.c.version,
    dispatches.c.clause,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOLLOWING: Final = frozenset({"Update", "Cancel"})
_GOING_OUT: Final = (PENDING, PUBLISHED, DELIVERED)

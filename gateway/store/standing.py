"""Which legal holds stand over an alert, and content keys wrapped by them.

A hold stands over the alert that it names, or over its thread: over every alert of that, those to come too, of which
its jurisdiction is the sender's, or one that an agreement passes it on to, if need be once consent is given. Of what
others of the thread got it keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Row, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import LogUnavailableError
from gateway.sealing.contents import Contents, WrappedKey, utc_day
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError, SealingError
from gateway.sealing.folder import KeyName, hold_key
from gateway.store.committer import Batch
from gateway.store.erasing import erasable
from gateway.store.tables import alerts, content_keys, content_statements, dispatches
from schemas.ids import AlertId, JurisdictionCode, ParticipantId, home_of

log = structlog.get_logger(__name__)

_ENDING: Final = content_statements.alias("ending")
STANDS: Final[ColumnElement[bool]] = and_(
    content_statements.c.statement == "legal-hold",
    ~exists().where(_ENDING.c.ends == content_statements.c.digest),
)
"""What holds of a statement that is a hold which nobody released."""


async def standing_over(connection: AsyncConnection, alert_id: AlertId) -> dict[bytes, JurisdictionCode]:
    """Return the holds over an alert that nobody released, the first first, with whose they are."""
    thread = select(alerts.c.thread).where(alerts.c.alert_id == alert_id).scalar_subquery()
    rows = await connection.execute(
        select(content_statements.c.digest, content_statements.c.jurisdiction, content_statements.c.thread)
        .where(
            or_(
                and_(content_statements.c.alert_id == alert_id, content_statements.c.thread.is_(None)),
                content_statements.c.thread == thread,
            ),
            STANDS,
        )
        .order_by(content_statements.c.log_index)
    )
    holds = rows.all()
    homes = await homes_of(connection, alert_id) if any(row.thread for row in holds) else frozenset()
    return {
        row.digest: JurisdictionCode(row.jurisdiction)
        for row in holds
        if row.thread is None or row.jurisdiction in homes
    }


async def homes_of(connection: AsyncConnection, alert_id: AlertId) -> frozenset[JurisdictionCode]:
    """Return whose alert it is: the sender's jurisdiction, and those that it was decided to pass it on to."""
    sent = select(alerts.c.sender).where(alerts.c.alert_id == alert_id)
    found = await connection.scalars(
        sent.union(select(dispatches.c.recipient).where(dispatches.c.alert_id == alert_id))
    )
    return frozenset(home_of(ParticipantId(each)) for each in found)


async def alerts_of(connection: AsyncConnection, thread: AlertId) -> Sequence[AlertId]:
    """Return the alerts of a thread, the one that began it first."""
    later = await connection.scalars(
        select(alerts.c.alert_id)
        .where(alerts.c.thread == thread, alerts.c.thread != alerts.c.alert_id)
        .order_by(alerts.c.log_index)
    )
    return [thread, *(AlertId(each) for each in later)]


async def bring_under(batch: Batch, contents: Contents, found: Mapping[AlertId, Iterable[AlertId]]) -> None:
    """Wrap the content of alerts, given by thread, by a hold on their thread, where one stands over them.

    What is held already stays as it is. Raises ``LogUnavailableError`` where a key can't be had.
    """
    held = await batch.connection.scalars(
        select(content_statements.c.thread).where(content_statements.c.thread.in_(sorted(found)), STANDS).distinct()
    )
    for thread in held.all():
        for alert_id in found[AlertId(thread)]:
            await _bring_under(batch, contents, alert_id)


async def rewrap(
    batch: Batch, contents: Contents, row: Row[Any], *, by: KeyName, held_by: bytes | None, due_ms: int
) -> None:
    """Wrap an alert's content key by another key; ``row`` is as ``erasable`` reads it.

    Raises ``ContentErasedError``, and ``LogUnavailableError`` where a key can't be had.
    """
    try:
        await _rewrap(batch, contents, row, by=by, held_by=held_by, due_ms=due_ms)
    except ContentUnreadableError as error:
        raise LogUnavailableError from error


async def rewrap_or_leave(
    batch: Batch, contents: Contents, row: Row[Any], *, by: KeyName, held_by: bytes | None, due_ms: int
) -> None:
    """Do as ``rewrap``, but for content that can't be read: its key stays as it is wrapped, and counts as held, or not.

    So one lost key stops no hold on the rest of its thread, nor the release. Should it come back, it is there: while
    a row names a key the eraser leaves that alone. Raises as ``rewrap``.
    """
    try:
        await _rewrap(batch, contents, row, by=by, held_by=held_by, due_ms=due_ms)
    except ContentUnreadableError:
        await _keep(batch, row, WrappedKey(KeyName(row.wrapped_by), row.wrapped), held_by=held_by, due_ms=due_ms)


async def keys_of_threads(connection: AsyncConnection) -> Iterable[KeyName]:
    """Return the keys of the holds on threads: an alert that is accepted this moment may be wrapped by them."""
    found = await connection.scalars(
        select(content_statements.c.digest).where(content_statements.c.thread.is_not(None), STANDS)
    )
    return [hold_key(each) for each in found]


async def _rewrap(
    batch: Batch, contents: Contents, row: Row[Any], *, by: KeyName, held_by: bytes | None, due_ms: int
) -> None:
    key = WrappedKey(KeyName(row.wrapped_by), row.wrapped)
    try:
        renewed = contents.rewrap(
            AlertId(row.alert_id), key, by=by, today=utc_day(batch.now), randomness=batch.randomness
        )
    except ContentErasedError:
        raise
    except SealingError as error:
        log.critical("content_can_not_be_rewrapped", error=type(error).__name__, key=key.by)
        if isinstance(error, ContentUnreadableError):
            raise
        raise LogUnavailableError from error
    await _keep(batch, row, renewed, held_by=held_by, due_ms=due_ms)


async def _keep(batch: Batch, row: Row[Any], key: WrappedKey, *, held_by: bytes | None, due_ms: int) -> None:
    await batch.connection.execute(
        update(content_keys)
        .where(content_keys.c.alert_id == row.alert_id)
        .values(wrapped_by=key.by, wrapped=key.wrapped, held_by=held_by, due_ms=due_ms)
    )


async def _bring_under(batch: Batch, contents: Contents, alert_id: AlertId) -> None:
    row = await erasable(batch.connection, alert_id)
    if row is None or row.held_by is not None:
        return
    first = next(iter(await standing_over(batch.connection, alert_id)), None)
    if first is None:
        return
    try:
        await rewrap_or_leave(batch, contents, row, by=hold_key(first), held_by=first, due_ms=row.due_ms)
    except ContentErasedError:  # a restored database, whose erasure is about to be logged anew
        log.warning("content_can_not_be_held", alert_id=alert_id)

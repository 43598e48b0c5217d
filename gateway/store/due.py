"""What waits in the database to be published, and what is overdue: questions that change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from audit.tables import log_entries
from gateway.store.dispatches import OPEN, PENDING, PUBLISHED, Route
from gateway.store.tables import alerts, content_keys, dispatches
from schemas.decisions import Lane
from schemas.ids import DeliveryId, ParticipantId


async def due(connection: AsyncConnection, route: Route, *, now_ms: int, limit: int) -> Sequence[Row[Any]]:
    """Return the dispatches of one route that are due, the one that is due longest first, with what a parcel is of.

    So a dispatch that its partner defers again and again comes after those that were never tried, whichever is older;
    what must keep its order, the alerts of one thread, is kept by the condition.
    """
    statement = (
        select(
            dispatches,
            alerts.c.sender,
            alerts.c.type,
            alerts.c.status,
            alerts.c.received_ms,
            alerts.c.submission,
            content_keys.c.wrapped_by,
            content_keys.c.wrapped,
        )
        .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
        .outerjoin(content_keys, content_keys.c.alert_id == dispatches.c.alert_id)
        .where(*_due_on(route, now_ms=now_ms))
        .order_by(dispatches.c.due_ms, dispatches.c.log_index)
        .limit(limit)
    )
    return (await connection.execute(statement)).all()


async def due_since_ms(connection: AsyncConnection, route: Route, *, now_ms: int) -> int | None:
    """Return since when the first of those that ``due`` would return is due, in ms since the Unix epoch."""
    statement = select(dispatches.c.due_ms).where(*_due_on(route, now_ms=now_ms)).order_by(dispatches.c.due_ms).limit(1)
    since_ms: int | None = await connection.scalar(statement)
    return since_ms


async def next_due(connection: AsyncConnection, *, after_ms: int) -> dict[Route, int]:
    """Return when each route's next dispatch is due after an instant, in ms since the Unix epoch."""
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.lane, func.min(dispatches.c.due_ms).label("first_ms"))
        .where(dispatches.c.state == PENDING, dispatches.c.due_ms > after_ms)
        .group_by(dispatches.c.recipient, dispatches.c.lane)
    )
    return {_route(row.recipient, row.lane): row.first_ms for row in rows}


async def pending_routes(connection: AsyncConnection) -> Sequence[Route]:
    """Return every route with pending dispatches."""
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.lane).where(dispatches.c.state == PENDING).distinct()
    )
    return [_route(row.recipient, row.lane) for row in rows]


async def routes_since(connection: AsyncConnection, size: int) -> Sequence[Route]:
    """Return every route of the alerts that were accepted, or the last consent to which was given, since a size."""
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.lane)
        .join(log_entries, log_entries.c.alert_id == dispatches.c.alert_id)
        .where(log_entries.c.log_index >= size, log_entries.c.kind.in_(_LETTING_GO))
        .distinct()
    )
    return [_route(row.recipient, row.lane) for row in rows]


async def waiting(connection: AsyncConnection) -> Mapping[Route, tuple[int, int]]:
    """Return for each route how many dispatches are pending, and when the first is due, in ms since the Unix epoch."""
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.lane, func.count(), func.min(dispatches.c.due_ms))
        .where(dispatches.c.state == PENDING)
        .group_by(dispatches.c.recipient, dispatches.c.lane)
    )
    return {_route(recipient, lane): (count, first_ms) for recipient, lane, count, first_ms in rows}


async def overdue(connection: AsyncConnection, *, now_ms: int, limit: int) -> Sequence[DeliveryId]:
    """Return open dispatches whose deadline has passed, earliest first."""
    statement = (
        select(dispatches.c.delivery_id)
        .where(dispatches.c.state.in_(OPEN), dispatches.c.deadline_ms <= now_ms)
        .order_by(dispatches.c.deadline_ms)
        .limit(limit)
    )
    return [DeliveryId(value) for value in (await connection.execute(statement)).scalars()]


async def published(connection: AsyncConnection) -> Sequence[tuple[Route, DeliveryId, int]]:
    """Return every dispatch that is published: its route, its id and which attempt that is."""
    rows = await connection.execute(
        select(dispatches.c.recipient, dispatches.c.lane, dispatches.c.delivery_id, dispatches.c.attempts).where(
            dispatches.c.state == PUBLISHED
        )
    )
    return [(_route(row.recipient, row.lane), DeliveryId(row.delivery_id), row.attempts) for row in rows]


async def still_published(connection: AsyncConnection, deliveries: Sequence[DeliveryId]) -> dict[DeliveryId, int]:
    """Return which of some dispatches are published, and at which attempt."""
    found: dict[DeliveryId, int] = {}
    for start in range(0, len(deliveries), _ASKED_AT_ONCE):
        rows = await connection.execute(
            select(dispatches.c.delivery_id, dispatches.c.attempts).where(
                dispatches.c.delivery_id.in_(deliveries[start : start + _ASKED_AT_ONCE]),
                dispatches.c.state == PUBLISHED,
            )
        )
        found.update((DeliveryId(row.delivery_id), row.attempts) for row in rows)
    return found


async def is_any_unanswered(connection: AsyncConnection, *, now_ms: int) -> bool:
    """Say whether something is published that should have been reported on by now."""
    unanswered = exists().where(dispatches.c.state == PUBLISHED, dispatches.c.due_ms <= now_ms)
    return bool(await connection.scalar(select(unanswered)))


_ASKED_AT_ONCE: Final = 500
_LETTING_GO: Final = (Kind.ACCEPTED.value, Kind.CONSENT_GIVEN.value)


def _due_on(route: Route, *, now_ms: int) -> Sequence[ColumnElement[bool]]:
    earlier = dispatches.alias("earlier")
    return (
        dispatches.c.recipient == route.recipient,
        dispatches.c.lane == route.lane.value,
        dispatches.c.state == PENDING,
        dispatches.c.due_ms <= now_ms,
        dispatches.c.deadline_ms > now_ms,
        ~exists().where(
            earlier.c.thread == dispatches.c.thread,
            earlier.c.recipient == dispatches.c.recipient,
            earlier.c.log_index < dispatches.c.log_index,
            earlier.c.state.in_(OPEN),
        ),
    )


def _route(recipient: str, lane: str) -> Route:
    return Route(ParticipantId(recipient), Lane(lane))

"""The relay: from dispatches in the database to parcels on the bus.

It looks at the routes (a recipient and a lane) that may have something due, urgent ones first; takes what is due there,
what is due longest first; makes one record of each; publishes; and marks what it published. Between the two a crash
leaves a dispatch pending, and it goes out again: partners deduplicate on the delivery id.

A partner that is down is held back here and nowhere else: once it has deferred a few deliveries and taken none its
breaker opens, and one dispatch at a time tries it. And no route has more than a window of parcels between bus and
outcome, so that what waits for it waits in the database and delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Row

from bus.contract import BusUnavailableError, Publisher
from bus.events import write_parcel
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import (
    EXPIRED,
    PENDING,
    Published,
    PublishedWriter,
    Route,
    Settled,
    due,
    next_due_ms,
    pending_routes,
)
from gateway.store.engine import Store
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import Parcel
from schemas.tracing import UNTRACED, Tracing, fresh_traceparent

log = structlog.get_logger(__name__)

TICK = 0.25
"""Seconds between two looks for what has become due without anybody saying so."""
SWEEP = 5.0
"""Seconds between two looks at every route: a commit that stands although it seemed to fail told nobody of its own."""


@dataclass(slots=True)
class Breaker:
    """Holds back a partner that defers everything. Times are milliseconds since the Unix epoch.

    Deliveries are counted, not deferrals: one that the partner can't take says nothing of the others.
    """

    deferred: set[DeliveryId] = field(default_factory=set)
    open_until_ms: int = 0

    THRESHOLD = 3

    @property
    def tripped(self) -> bool:
        """Whether enough deliveries were deferred, and none came through since."""
        return len(self.deferred) >= self.THRESHOLD

    def record(self, settled: Settled) -> None:
        """Count a deferral, and open until its retry is due once there are enough; anything else closes."""
        if settled.state == PENDING and settled.due_ms is not None:
            self.deferred.add(settled.delivery_id)
            if self.tripped:
                self.open_until_ms = settled.due_ms
        else:
            self.deferred.clear()
            self.open_until_ms = 0


class Relay:
    """Publishes what is due. One is active for a database."""

    def __init__(
        self,
        *,
        store: Store,
        committer: Committer,
        bus: Publisher,
        origin: str,
        data_schema_base: str,
        clock: Clock,
        window: int = 128,
        sweep: float = SWEEP,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._store = store
        self._committer = committer
        self._bus = bus
        self._origin = origin
        self._data_schema_base = data_schema_base
        self._clock = clock
        self._window = window
        self._sweep = sweep
        self._tracing = tracing
        self._stopping = False
        self._marks = PublishedWriter()
        self._look_at: dict[Route, int] = {}
        self._in_flight: defaultdict[Route, set[DeliveryId]] = defaultdict(set)
        self._breakers: defaultdict[ParticipantId, Breaker] = defaultdict(Breaker)
        self._wake = asyncio.Event()
        self.bus_available = True

    def routed(self, routes: Iterable[Route]) -> None:
        """Say that dispatches on these routes were stored: they are due."""
        for route in routes:
            self._look(route, at_ms=0)

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees the route's window, moves the breaker, and may free its thread."""
        self._in_flight[outcome.route].discard(outcome.delivery_id)
        if outcome.changed and outcome.state != EXPIRED:  # a deadline says nothing of the partner
            self._breakers[outcome.route.recipient].record(outcome)
        for lane in Lane:
            self._look(Route(outcome.route.recipient, lane), at_ms=0)

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what is being published is marked. Idempotent."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until ``stop``."""
        time, swept = asyncio.get_running_loop().time, float("-inf")
        while not self._stopping:
            self._wake.clear()
            try:
                if time() - swept >= self._sweep:
                    await self._look_everywhere()
                    swept = time()
                if await self._publish_due():
                    continue
            except LogUnavailableError as error:
                log.warning("relay_waits_for_the_log")
                await asyncio.sleep(error.retry_after)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._wake.wait()

    async def _look_everywhere(self) -> None:
        async with self._store.reading() as connection:
            for route in await pending_routes(connection):
                self._look(route, at_ms=0)

    def _look(self, route: Route, *, at_ms: int) -> None:
        """Have a route looked at no later than ``at_ms``, in milliseconds since the Unix epoch."""
        self._look_at[route] = min(self._look_at.get(route, at_ms), at_ms)
        if at_ms == 0:
            self._wake.set()

    async def _publish_due(self) -> bool:
        """Publish what is due on every route that may send now, urgent ones first; say whether there was anything."""
        now_ms = int(self._clock().timestamp() * 1000)
        routes = sorted(
            (route for route, at_ms in self._look_at.items() if at_ms <= now_ms and self._room(route, now_ms) > 0),
            key=lambda route: (route.lane is not Lane.URGENT, route.recipient),
        )
        published = 0
        for route in routes:
            if self._stopping:
                break
            published += await self._publish_route(route, now_ms)
        return published > 0

    async def _publish_route(self, route: Route, now_ms: int) -> int:
        del self._look_at[route]  # before the query, so that what is stored during it is looked for again
        room = self._room(route, now_ms)
        async with self._store.reading() as connection:
            rows = await due(connection, route, now_ms=now_ms, limit=room)
            later_ms = None if len(rows) == room else await next_due_ms(connection, route, after_ms=now_ms)
        if len(rows) == room:
            self._look(route, at_ms=now_ms)
        elif later_ms is not None:
            self._look(route, at_ms=later_ms)
        # what was published and not marked yet is still pending there
        return await self._publish(route, [row for row in rows if row.delivery_id not in self._in_flight[route]])

    async def _publish(self, route: Route, rows: Sequence[Row[Any]]) -> int:
        marks: list[Published] = []
        for row in rows:
            parcel = self._parcel(row)
            self._in_flight[route].add(parcel.delivery_id)
            try:
                with self._tracing.span("relay", parent=parcel.traceparent, alert_id=parcel.alert_id) as traceparent:
                    traced = replace(parcel, traceparent=traceparent)
                    await self._bus.publish(write_parcel(traced, origin=self._origin))
            except BusUnavailableError:
                self._in_flight[route].discard(parcel.delivery_id)
                self._look(route, at_ms=int(self._clock().timestamp() * 1000))
                self.bus_available = False
                log.warning("bus_unavailable", waiting=len(rows) - len(marks))
                break
            self.bus_available = True
            marks.append(Published(parcel.delivery_id, parcel.attempt))
        await asyncio.gather(*(self._committer.submit(self._marks, mark) for mark in marks))
        return len(marks)

    def _room(self, route: Route, now_ms: int) -> int:
        """Return how many parcels may go on their way: none while the breaker is open, one while it is being tried."""
        breaker = self._breakers[route.recipient]
        if breaker.open_until_ms > now_ms:
            return 0
        window = 1 if breaker.tripped else self._window
        return max(0, window - len(self._in_flight[route]))

    def _parcel(self, row: Row[Any]) -> Parcel:
        return Parcel(
            delivery_id=DeliveryId(row.delivery_id),
            alert_id=AlertId(row.alert_id),
            thread=AlertId(row.thread),
            recipient=ParticipantId(row.recipient),
            sender=ParticipantId(row.sender),
            alert_type=AlertType(row.type),
            lane=Lane(row.lane),
            under=ClauseRef(AgreementId(row.agreement), row.version, row.clause),
            attempt=row.attempts + 1,
            sent_at=datetime.fromtimestamp(row.received_ms / 1000, tz=UTC),
            deadline=datetime.fromtimestamp(row.deadline_ms / 1000, tz=UTC),
            exercise=row.status != "Actual",
            content_type="application/jose",
            data_schema=f"{self._data_schema_base}/{row.type}",
            traceparent=row.traceparent or fresh_traceparent(AlertId(row.alert_id), DeliveryId(row.delivery_id)),
            body=row.submission,
        )

"""The relay: from dispatches in the database to parcels on the bus.

It looks at the routes (a recipient and a lane) that may have something due, urgent ones first; takes what is due there,
what is due longest first; makes one record of each; and publishes. A little later it marks what it published and has no
outcome yet, many at once: most deliveries are over before. Until then a crash leaves a dispatch pending, and it goes
out again: partners deduplicate on the delivery id.

A partner that is down is held back here and nowhere else: once it has deferred a few deliveries and taken none its
breaker opens, and one dispatch at a time tries it, whatever its lane. And no route has more than a window of parcels
between bus and outcome, so that what waits for it waits in the database and delays nobody else.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.contract import BusUnavailableError, Publisher, Record
from bus.events import write_parcel
from gateway.breaker import Breaker
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import (
    EXPIRED,
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
MARK_AFTER = 0.05
"""Seconds that a publication may wait for its mark: its outcome may come first, and others share the transaction."""
UNANSWERED_AFTER = 60.0
"""Seconds after which a parcel without an outcome is worth an operator's look."""


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    """A parcel between bus and outcome: which attempt, and since when, in milliseconds since the Unix epoch."""

    attempt: int
    since_ms: int


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
        self._to_look_at: set[Route] = set()
        self._retries: list[tuple[int, ParticipantId, Lane]] = []
        self._on_their_way: defaultdict[Route, dict[DeliveryId, _OnItsWay]] = defaultdict(dict)
        self._unmarked: dict[DeliveryId, Published] = {}
        self._breakers: defaultdict[ParticipantId, Breaker] = defaultdict(Breaker)
        self._wake = asyncio.Event()
        self._published = asyncio.Event()
        self.bus_available = True

    def routed(self, routes: Iterable[Route]) -> None:
        """Say that dispatches on these routes were stored: they are due."""
        self._to_look_at.update(routes)
        self._wake.set()

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees the route's window, moves the breaker, and may free its thread."""
        on_their_way = self._on_their_way[outcome.route]
        sent = on_their_way.get(outcome.delivery_id)
        if sent is not None and outcome.answers(sent.attempt):
            del on_their_way[outcome.delivery_id]
            self._unmarked.pop(outcome.delivery_id, None)
        if outcome.changed and outcome.state != EXPIRED:  # a deadline says nothing of the partner
            self._breakers[outcome.route.recipient].record(outcome)
        if outcome.due_ms is not None:
            self._look_later(outcome.route, at_ms=outcome.due_ms)
        if outcome.frees is not None:
            self._to_look_at.add(Route(outcome.route.recipient, outcome.frees))
        self._wake.set()  # also for a route that waited for room

    def unanswered(self) -> Counter[ParticipantId]:
        """Return how many parcels of each recipient have been on the bus for long and nobody reported on."""
        before_ms = self._now_ms() - int(UNANSWERED_AFTER * 1000)
        return Counter(
            route.recipient
            for route, on_their_way in self._on_their_way.items()
            for sent in on_their_way.values()
            if sent.since_ms < before_ms
        )

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what was published is marked. Idempotent."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until ``stop``."""
        async with asyncio.TaskGroup() as tasks:
            marking = tasks.create_task(self._keep_marking())
            await self._keep_publishing()
            marking.cancel()
        with suppress(LogUnavailableError):  # what has no mark goes out again
            await self._mark()

    async def _keep_publishing(self) -> None:
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

    async def _keep_marking(self) -> None:
        while True:
            await self._published.wait()
            await asyncio.sleep(MARK_AFTER)
            try:
                await self._mark()
            except LogUnavailableError as error:
                log.warning("relay_waits_for_the_log")
                await asyncio.sleep(error.retry_after)

    async def _mark(self) -> None:
        """Mark what was published and has no outcome yet."""
        marks = tuple(self._unmarked.values())
        if marks:
            await self._committer.submit(self._marks, marks)
        for mark in marks:
            if self._unmarked.get(mark.delivery_id) is mark:
                del self._unmarked[mark.delivery_id]
        if not self._unmarked:
            self._published.clear()

    async def _look_everywhere(self) -> None:
        async with self._store.reading() as connection:
            self._to_look_at.update(await pending_routes(connection))

    def _look_later(self, route: Route, *, at_ms: int) -> None:
        heapq.heappush(self._retries, (at_ms, route.recipient, route.lane))

    async def _publish_due(self) -> bool:
        """Publish what is due on every route that may send now, urgent ones first; say whether there was anything."""
        now_ms = self._now_ms()
        while self._retries and self._retries[0][0] <= now_ms:
            _, recipient, retried = heapq.heappop(self._retries)
            self._to_look_at.add(Route(recipient, retried))
        published = 0
        for lane in (Lane.URGENT, Lane.ROUTINE):
            if self._stopping:
                break
            routes = [each for each in self._to_look_at if each.lane is lane and self._room(each, now_ms) > 0]
            published += await self._publish_all(await self._due_on(routes, now_ms), now_ms)
        return published > 0

    async def _due_on(self, routes: Sequence[Route], now_ms: int) -> list[tuple[Route, Row[Any]]]:
        if not routes:
            return []
        async with self._store.reading() as connection:
            return [(route, row) for route in routes for row in await self._due(connection, route, now_ms)]

    async def _due(self, connection: AsyncConnection, route: Route, now_ms: int) -> list[Row[Any]]:
        self._to_look_at.discard(route)  # before the query, so that what is stored during it is looked for again
        # What is on its way now may be answered for during the query, whose rows would not show it.
        on_their_way = frozenset(self._on_their_way[route])
        limit = self._room(route, now_ms) + sum(delivery in self._unmarked for delivery in on_their_way)
        rows = await due(connection, route, now_ms=now_ms, limit=limit)
        if len(rows) == limit:
            self._to_look_at.add(route)
        elif not rows and (later_ms := await next_due_ms(connection, route, after_ms=now_ms)) is not None:
            self._look_later(route, at_ms=later_ms)
        return [row for row in rows if row.delivery_id not in on_their_way][: self._room(route, now_ms)]

    async def _publish_all(self, rows: Sequence[tuple[Route, Row[Any]]], now_ms: int) -> int:
        """Publish the routes side by side; return how many parcels the bus took."""
        parcels: defaultdict[Route, list[Parcel]] = defaultdict(list)
        for route, row in rows:
            parcels[route].append(self._parcel(row))
        taken = sum(await asyncio.gather(*(self._publish(route, each, now_ms) for route, each in parcels.items())))
        if rows:
            self.bus_available = taken == len(rows)
            if not self.bus_available:
                log.warning("bus_unavailable", waiting=len(rows) - taken)
        return taken

    async def _publish(self, route: Route, parcels: Sequence[Parcel], now_ms: int) -> int:
        """Publish a route's parcels in their order; return how many the bus took."""
        on_their_way = self._on_their_way[route]
        on_their_way.update((parcel.delivery_id, _OnItsWay(parcel.attempt, now_ms)) for parcel in parcels)
        with ExitStack() as spans:
            taken = await self._taken([self._record(parcel, spans) for parcel in parcels])
        for parcel, is_taken in zip(parcels, taken, strict=True):
            if not is_taken:
                on_their_way.pop(parcel.delivery_id, None)
                self._to_look_at.add(route)
            elif parcel.delivery_id in on_their_way:  # its outcome may have been faster
                self._unmarked[parcel.delivery_id] = Published(parcel.delivery_id, parcel.attempt)
                self._published.set()
        return sum(taken)

    def _record(self, parcel: Parcel, spans: ExitStack) -> Record:
        span = self._tracing.span("relay", parent=parcel.traceparent, alert_id=parcel.alert_id)
        return write_parcel(replace(parcel, traceparent=spans.enter_context(span)), origin=self._origin)

    async def _taken(self, records: Sequence[Record]) -> list[bool]:
        """Publish records together and say of each whether the bus took it.

        Where it did not take them together they go one by one: one that it never takes holds back no other.
        """
        try:
            await self._bus.publish_all(records)
        except BusUnavailableError:
            if len(records) == 1:
                return [False]
            alone = await asyncio.gather(*(self._taken([record]) for record in records))
            return [taken for each in alone for taken in each]
        return [True] * len(records)

    def _room(self, route: Route, now_ms: int) -> int:
        """Return how many parcels may go on their way: none while the breaker is open, one while it is being tried."""
        breaker = self._breakers[route.recipient]
        if breaker.open_until_ms > now_ms:
            return 0
        if breaker.tripped:
            return 0 if any(self._on_their_way[Route(route.recipient, lane)] for lane in Lane) else 1
        return max(0, self._window - len(self._on_their_way[route]))

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

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

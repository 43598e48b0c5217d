"""The relay: from dispatches in the database to parcels on the bus.

Each lane is looked after by itself: its task looks at the routes (a recipient and a lane) that may have something due,
takes what is due there, what is due longest first, and has each route's parcels published by a task of their own. So a
topic that the bus is slow with, or does not take, delays its own route and no other, and urgent parcels wait for no
routine one. A little later the relay marks what it published and has no outcome yet, many at once: most deliveries are
over before. Until then a crash leaves a dispatch pending, and it goes out again: partners deduplicate on the delivery
id.

How much may be on its way is in ``gateway.relaying.traffic``, what the bus does not take in ``gateway.relaying.rests``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.contract import Publisher
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.relaying.agenda import Agenda
from gateway.relaying.copies import Copies
from gateway.relaying.publishing import Claim, Outgoing, ParcelPublisher
from gateway.relaying.rests import Rests
from gateway.relaying.sweeping import SWEEP, Sweeper
from gateway.relaying.traffic import Traffic
from gateway.relaying.withholding import Withholder
from gateway.sealing.contents import Contents
from gateway.store.committer import Committer
from gateway.store.dispatches import OPEN, PublishedWriter, Route, Settled
from gateway.store.due import due
from gateway.store.engine import Store
from gateway.store.logged import as_logged
from gateway.store.withholding import Lapsed, way_of
from gateway.trust.registry import CurrentRegistry
from schemas.decisions import Lane
from schemas.ids import DeliveryId, ParticipantId
from schemas.parcels import Parcel
from schemas.tracing import UNTRACED, Tracing

log = structlog.get_logger(__name__)

TICK = 0.25
"""Seconds between two looks for what has become due without anybody saying so."""
MARK_AFTER = 0.05
"""Seconds that a publication may wait for its mark: its outcome may come first, and others share the transaction."""
PATIENCE = 140.0
"""Seconds until a parcel without an outcome is held to be lost: a partner at its slowest needs most of them."""
UNANSWERED_AFTER = 60.0
"""Seconds after which a parcel without an outcome is worth an operator's look."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is not to be published of a route, and how many of them are pending in the database all the same."""

    deliveries: frozenset[DeliveryId]
    pending: int
    resting: bool


class Relay:
    """Publishes what is due. One is active for a database."""

    def __init__(
        self,
        *,
        store: Store,
        committer: Committer,
        bus: Publisher,
        contents: Contents,
        copies: Copies,
        origin: str,
        data_schema_base: str,
        clock: Clock,
        registry: CurrentRegistry,
        window: int = 128,
        patience: float = PATIENCE,
        sweep: float = SWEEP,
        tracing: Tracing = UNTRACED,
        on_withheld: Callable[[Settled], None] = lambda _settled: None,
    ) -> None:
        """Publish under the agreements of ``registry``.

        ``patience`` is how many seconds an adapter has for its report before a parcel is published again, and what
        lapses is told ``on_withheld``.
        """
        self._store = store
        self._committer = committer
        self._publisher = ParcelPublisher(
            bus,
            contents=contents,
            copies=copies,
            clock=clock,
            origin=origin,
            data_schema_base=data_schema_base,
            tracing=tracing,
        )
        self._clock = clock
        self._sweep = sweep
        self._stopping = False
        self._marks = PublishedWriter()
        self._registry = registry
        self._on_withheld = on_withheld
        self._withholder = Withholder(
            registry=registry, store=store, committer=committer, clock=clock, on_withheld=self._withheld
        )
        self._traffic = Traffic(window=window, patience=patience)
        self._sweeper = Sweeper(self._traffic, store=store, committer=committer, clock=clock)
        self._rests = Rests()
        self._to_look_at: set[Route] = set()
        self._looked_at: frozenset[Route] = frozenset()
        self._full_ms: dict[Route, int] = {}
        self._agenda = Agenda()
        self._wakes = {lane: asyncio.Event() for lane in Lane}
        self._published = asyncio.Event()

    @property
    def bus_available(self) -> bool:
        """Whether the bus took everything when it was last asked to."""
        return not self._rests

    def routed(self, routes: Iterable[Route]) -> None:
        """Say that dispatches on these routes were stored: they are due."""
        for route in routes:
            self._flag(route)

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees the route's window, moves the breaker, and may free its thread."""
        self._traffic.settled(outcome)
        if outcome.state not in OPEN:
            self._rests.ended(outcome.route, outcome.delivery_id)
        if outcome.due_ms is not None:
            self._agenda.add(outcome.route, at_ms=outcome.due_ms)
        if outcome.frees is not None:
            self._flag(Route(outcome.route.recipient, outcome.frees))
        self._wake()  # also for a route that waited for room

    def unanswered(self) -> Counter[ParticipantId]:
        """Return how many parcels of each recipient have been on the bus for long and nobody reported on."""
        return self._traffic.unanswered(self._now_ms() - int(UNANSWERED_AFTER * 1000))

    def free_since_ms(self, route: Route) -> int | None:
        """Return since when there is room for what waits on a route, 0 where there always was; None where is none."""
        return None if self._traffic.room(route, self._now_ms()) == 0 else self._full_ms.get(route, 0)

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what was published is marked. Idempotent."""
        self._stopping = True
        self._publisher.stop()
        self._wake()

    async def start(self) -> None:
        """Take over what earlier terms left on the bus; to be called before ``run`` and the first outcome."""
        await self._sweeper.adopt()

    async def run(self) -> None:
        """Publish until ``stop``."""
        async with asyncio.TaskGroup() as tasks:
            keeping = (self._keep_marking(), self._keep_sweeping(), self._withholder.run())
            beside = [tasks.create_task(each) for each in keeping]
            async with asyncio.TaskGroup() as publishing:

                def begin(claim: Claim) -> None:
                    publishing.create_task(self._publish(claim))

                for lane in Lane:
                    publishing.create_task(self._keep_looking(lane, begin))
            for task in beside:
                task.cancel()
        with suppress(LogUnavailableError):  # what has no mark goes out again
            await self._mark()

    async def _keep_looking(self, lane: Lane, begin: Callable[[Claim], None]) -> None:
        wake = self._wakes[lane]
        while not self._stopping:
            wake.clear()
            try:
                if await self._look(lane, begin):
                    continue
            except LogUnavailableError as error:
                log.warning("relay_waits_for_the_log")
                await asyncio.sleep(error.retry_after)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await wake.wait()

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await self._look_everywhere()
            except LogUnavailableError:
                log.warning("relay_waits_for_the_log")
            await asyncio.sleep(self._sweep)

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
        marks = self._traffic.marks()
        if marks:
            await self._committer.submit(self._marks, marks)
            self._traffic.marked(marks)
        if not self._traffic.marks():
            self._published.clear()

    async def _look_everywhere(self) -> None:
        found = await self._sweeper.sweep()
        self.routed(found.routes)
        for route, at_ms in found.later.items():
            self._agenda.add(route, at_ms=at_ms)
        self._wake()

    async def _look(self, lane: Lane, begin: Callable[[Claim], None]) -> bool:
        """Begin to publish what is due on every route of a lane that may send now; say whether there was anything."""
        now_ms = self._now_ms()
        self.routed(self._agenda.take(now_ms))
        routes = [route for route in self._to_look_at if route.lane is lane and self._may_send(route, now_ms)]
        if not routes:
            return False
        # Before the first query, whose snapshot all the others share: what is stored after it is looked for again, and
        # what is answered for after it, which the rows don't show, is known to be on its way.
        self._to_look_at.difference_update(routes)
        self._looked_at |= frozenset(routes)
        known = {route: self._known(route, now_ms) for route in routes}
        began, lapsed = False, list[Lapsed]()
        try:
            async with self._store.reading() as connection:
                for route in routes:
                    claim = await self._claim(connection, route, known[route], now_ms, lapsed)
                    if claim is not None:
                        begin(claim)
                        began = True
        except LogUnavailableError:
            self._to_look_at.update(routes)
            raise
        finally:
            self._looked_at -= frozenset(routes)
        await self._withholder.withhold(lapsed)
        return began

    def _known(self, route: Route, now_ms: int) -> _Known:
        resting = self._rests.parcels(route, now_ms)
        pending = self._traffic.unmarked_on(route) + len(resting)
        return _Known(self._traffic.known(route) | resting, pending=pending, resting=bool(resting))

    async def _claim(
        self, connection: AsyncConnection, route: Route, known: _Known, now_ms: int, lapsed: list[Lapsed]
    ) -> Claim | None:
        """Return what is due on a route, as much as there is room for; its places are taken.

        What is due and may go out no more is added to ``lapsed``.
        """
        limit = self._traffic.room(route, now_ms) + known.pending
        rows = await due(connection, route, now_ms=now_ms, limit=limit)
        if not rows:
            self._rests.emptied(route)
        fresh = [row for row in rows if row.delivery_id not in known.deliveries]
        logged = await as_logged(connection, fresh)
        # no await from here on: what passes is let out by the very registry that its parcel bears
        waiting, ending = self._withholder.passing(fresh)
        lapsed.extend(ending)
        chosen = waiting[: self._traffic.room(route, now_ms)]
        if len(rows) == limit or len(chosen) < len(fresh) or known.resting:
            self._to_look_at.add(route)
        if not chosen:
            return None
        claim = Claim(route, [self._outgoing(row, logged) for row in chosen])
        self._traffic.claim(route, claim.parcels, now_ms)
        return claim

    def _outgoing(self, row: Row[Any], logged: Container[DeliveryId]) -> Outgoing:
        registry, is_logged = self._registry, row.delivery_id in logged
        until = registry.snapshot.until(way_of(row).under)
        return self._publisher.outgoing(row, until=until, as_of=registry.version, is_logged=is_logged)

    def _withheld(self, settled: Settled) -> None:
        self.settled(settled)
        self._on_withheld(settled)

    async def _publish(self, claim: Claim) -> None:
        """Publish a route's parcels, and take note of which of them the bus took."""
        route = claim.route
        outcomes = list(zip(claim.parcels, await self._publisher.publish(claim.outgoing), strict=True))
        taken = [parcel for parcel, is_taken in outcomes if is_taken]
        refused = [parcel for parcel, is_taken in outcomes if not is_taken]
        now_ms = self._now_ms()
        self._traffic.published(route, taken=taken, refused=refused, now_ms=now_ms)
        self._rests.met(route, taken=_deliveries(taken), refused=_deliveries(refused), now_ms=now_ms)
        if taken:
            self._published.set()
        if refused:
            log.warning("bus_unavailable", participant=route.recipient, lane=route.lane, waiting=len(refused))
            self._to_look_at.add(route)
        if route in self._to_look_at:
            self._wakes[route.lane].set()

    def _may_send(self, route: Route, now_ms: int) -> bool:
        """Whether a route may be looked at: it is not being published, the bus takes it, and there is room."""
        if self._traffic.is_publishing(route) or self._rests.rests(route, now_ms):
            return False
        if self._traffic.room(route, now_ms) == 0:
            self._full_ms[route] = now_ms
            return False
        return not (
            route.lane is Lane.ROUTINE
            and self._traffic.is_tried(route.recipient)
            and self._may_have(Route(route.recipient, Lane.URGENT), now_ms)
        )

    def _may_have(self, route: Route, now_ms: int) -> bool:
        """Whether a route may have something that goes out at once."""
        return (route in self._to_look_at or route in self._looked_at) and not self._rests.rests(route, now_ms)

    def _flag(self, route: Route) -> None:
        self._to_look_at.add(route)
        self._wakes[route.lane].set()

    def _wake(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _deliveries(parcels: Iterable[Parcel]) -> list[DeliveryId]:
    return [parcel.delivery_id for parcel in parcels]

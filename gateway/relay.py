"""The relay: from dispatches in the database to parcels on the bus.

It takes what is due, lane by lane, urgent first, in log order; makes one record of each; publishes; and marks what it
published. Between the two a crash leaves a dispatch pending, and it goes out again: partners deduplicate on the
delivery id. A partner that is down is held back here and nowhere else: after a few deferrals in a row its breaker
opens, and one dispatch at a time tries it; and no partner has more than a window of parcels between bus and outcome, so
that what waits for it waits in the database.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row

from bus.contract import BusUnavailableError, Publisher
from bus.events import write_parcel
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import EXPIRED, PENDING, Published, PublishedWriter, Settled, due
from gateway.store.engine import Store
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import Parcel

log = structlog.get_logger(__name__)

TICK = 0.25
"""Seconds between two looks for what has become due without anybody saying so."""


@dataclass(slots=True)
class Breaker:
    """Holds back a partner that defers everything. Times are milliseconds since the Unix epoch."""

    failures: int = 0
    open_until_ms: int = 0

    THRESHOLD = 3

    def record(self, settled: Settled) -> None:
        """Count a deferral, and open until its retry is due once there are enough; anything else closes."""
        if settled.state == PENDING and settled.due_ms is not None:
            self.failures += 1
            if self.failures >= self.THRESHOLD:
                self.open_until_ms = settled.due_ms
        else:
            self.failures, self.open_until_ms = 0, 0


@dataclass(slots=True)
class _Partner:
    breaker: Breaker = field(default_factory=Breaker)
    in_flight: set[DeliveryId] = field(default_factory=set)


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
        batch: int = 128,
        window: int = 256,
    ) -> None:
        self._store = store
        self._committer = committer
        self._bus = bus
        self._origin = origin
        self._data_schema_base = data_schema_base
        self._clock = clock
        self._batch = batch
        self._window = window
        self._marks = PublishedWriter()
        self._partners: dict[ParticipantId, _Partner] = {}
        self._wake = asyncio.Event()
        self.bus_available = True

    def wake(self) -> None:
        """Say that something may be due."""
        self._wake.set()

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees the partner's window, moves its breaker, and may free its thread."""
        partner = self._partner(outcome.recipient)
        partner.in_flight.discard(outcome.delivery_id)
        if outcome.changed and outcome.state != EXPIRED:  # a deadline says nothing of the partner
            partner.breaker.record(outcome)
        self.wake()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._wake.clear()
            try:
                if await self._publish_due():
                    continue
            except LogUnavailableError as error:
                log.warning("relay_waits_for_the_log")
                await asyncio.sleep(error.retry_after)
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _publish_due(self) -> bool:
        """Publish one batch of each lane; say whether there was anything."""
        published = 0
        for lane in (Lane.URGENT, Lane.ROUTINE):
            now_ms = int(self._clock().timestamp() * 1000)
            async with self._store.reading() as connection:
                rows = await due(
                    connection, lane=lane, now_ms=now_ms, limit=self._batch, except_for=self._held_back(now_ms)
                )
            published += await self._publish(self._admitted(rows))
        return published > 0

    def _held_back(self, now_ms: int) -> set[ParticipantId]:
        return {
            participant
            for participant, partner in self._partners.items()
            if partner.breaker.open_until_ms > now_ms or len(partner.in_flight) >= self._room(partner)
        }

    def _room(self, partner: _Partner) -> int:
        """Return how many parcels may be on their way to a partner: one alone where its breaker is being tried."""
        return 1 if partner.breaker.failures >= Breaker.THRESHOLD else self._window

    def _admitted(self, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        taken: Counter[ParticipantId] = Counter()
        admitted = []
        for row in rows:
            recipient = ParticipantId(row.recipient)
            partner = self._partner(recipient)
            if row.delivery_id in partner.in_flight:
                continue  # published, and its outcome is on its way
            if len(partner.in_flight) + taken[recipient] < self._room(partner):
                taken[recipient] += 1
                admitted.append(row)
        return admitted

    async def _publish(self, rows: Sequence[Row[Any]]) -> int:
        marks: list[Published] = []
        for row in rows:
            parcel = self._parcel(row)
            partner = self._partner(parcel.recipient)
            partner.in_flight.add(parcel.delivery_id)
            try:
                await self._bus.publish(write_parcel(parcel, origin=self._origin))
            except BusUnavailableError:
                partner.in_flight.discard(parcel.delivery_id)
                self.bus_available = False
                log.warning("bus_unavailable", waiting=len(rows) - len(marks))
                break
            marks.append(Published(parcel.delivery_id, parcel.attempt))
        else:
            self.bus_available = True
        await asyncio.gather(*(self._committer.submit(self._marks, mark) for mark in marks))
        return len(marks)

    def _partner(self, participant: ParticipantId) -> _Partner:
        return self._partners.setdefault(participant, _Partner())

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
            traceparent=traceparent(AlertId(row.alert_id), DeliveryId(row.delivery_id)),
            body=row.submission,
        )


def traceparent(alert_id: AlertId, delivery_id: DeliveryId) -> str:
    """Return the trace context of a delivery (W3C Trace Context section 3.2).

    The trace is the alert and the parent the delivery, so every part of the system names the same ones without having
    been told.
    """
    return f"00-{UUID(alert_id).hex}-{UUID(delivery_id).hex[16:]}-01"

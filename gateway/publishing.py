"""From rows to parcels on the bus: those of one route together, or one by one where the bus does not take them so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from bus.contract import BusUnavailableError, Publisher, Record
from bus.events import write_parcel
from gateway.store.dispatches import Route
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import Parcel
from schemas.tracing import Tracing, fresh_traceparent


@dataclass(frozen=True, slots=True)
class Claim:
    """Parcels of one route that go out together, in their order."""

    route: Route
    parcels: Sequence[Parcel]


class ParcelPublisher:
    """Publishes parcels of the exchange ``origin``; ``stop`` keeps it from trying one by one."""

    def __init__(self, bus: Publisher, *, origin: str, data_schema_base: str, tracing: Tracing) -> None:
        self._bus = bus
        self._origin = origin
        self._data_schema_base = data_schema_base
        self._tracing = tracing
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new. Idempotent."""
        self._stopping = True

    async def publish(self, parcels: Sequence[Parcel]) -> Sequence[bool]:
        """Publish parcels, and say of each whether the bus took it."""
        with ExitStack() as spans:
            return await self._taken([self._record(parcel, spans) for parcel in parcels])

    def parcel(self, row: Row[Any], *, until: datetime) -> Parcel:
        """Return the parcel of a dispatch, as ``gateway.store.due`` reads it, for its next attempt.

        Nobody may hand it over from ``until`` on, when its agreement is no longer valid.
        """
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
            deadline=min(datetime.fromtimestamp(row.deadline_ms / 1000, tz=UTC), until),
            exercise=row.status != "Actual",
            content_type="application/jose",
            data_schema=f"{self._data_schema_base}/{row.type}",
            traceparent=row.traceparent or fresh_traceparent(AlertId(row.alert_id), DeliveryId(row.delivery_id)),
            body=row.submission,
        )

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
            if len(records) == 1 or self._stopping:
                return [False] * len(records)
            alone = await asyncio.gather(*(self._taken([record]) for record in records))
            return [taken for each in alone for taken in each]
        return [True] * len(records)

"""Parcels for tests: the same number makes the same parcel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId, uuid7
from schemas.parcels import Parcel

NOON: Final = datetime(2026, 1, 17, 12, 0, 0, 250_000, tzinfo=UTC)
ORIGIN: Final = "exchange.example"
NYSP: Final = ParticipantId("us-ny.state-police")
BODY: Final = b"the body of a parcel, which no error and no log line may repeat"


def identifier(kind: int, number: int) -> str:
    """Return the identifier of one thing of a kind."""
    return uuid7(at=NOON, randomness=(kind << 32 | number).to_bytes(10, "big"))


def parcel(number: int = 1, *, thread: int | None = None, lane: Lane = Lane.URGENT, body: bytes = BODY) -> Parcel:
    """Return a parcel to the New York State Police, due at 18:00; without a thread given it has one of its own."""
    return Parcel(
        delivery_id=DeliveryId(identifier(1, number)),
        alert_id=AlertId(identifier(2, number)),
        thread=AlertId(identifier(2, number) if thread is None else identifier(3, thread)),
        recipient=NYSP,
        sender=ParticipantId("ca-qc.sq"),
        alert_type=AlertType("law-enforcement/stolen-vehicle/v1"),
        lane=lane,
        under=ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 2, "4.1"),
        attempt=1,
        sent_at=NOON,
        deadline=NOON.replace(hour=18),
        exercise=False,
        content_type="application/jose",
        data_schema="https://exchange.example/v1/schemas/law-enforcement/stolen-vehicle/v1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        body=body,
    )

"""What crosses the bus: a parcel for one recipient, and the outcome that comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from schemas.decisions import ClauseRef, Lane
from schemas.ids import AlertId, AlertType, DeliveryId, ParticipantId


@dataclass(frozen=True, slots=True)
class Parcel:
    """One recipient's copy of one alert, with all that its adapter may know.

    ``thread`` is the id of the first alert of its chain: parcels of one thread and recipient are handed over in
    order. ``sent_at`` and ``deadline`` are UTC; after ``deadline`` nothing is handed over any more. ``exercise``
    is true where the alert's status is not ``Actual``. ``body`` is the submission as received, or the recipient's copy
    where something is withheld from it, and ``content_type`` says which (``schemas.withholding.copies.CopyForm``).
    ``manifest`` is what an SD-JWT's copy lacks, as the exchange signed it (a compact JWS); "" for every other copy.
    """

    delivery_id: DeliveryId
    alert_id: AlertId
    thread: AlertId
    recipient: ParticipantId
    sender: ParticipantId
    alert_type: AlertType
    lane: Lane
    under: ClauseRef
    attempt: int
    sent_at: datetime
    deadline: datetime
    exercise: bool
    content_type: str
    data_schema: str
    traceparent: str
    body: bytes
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner took the parcel: it said so itself."""

    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """No answer, or one that asks to come again. ``retry_after`` is in seconds where the partner named it."""

    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner, or the adapter on its behalf, will never take this parcel."""

    detail: str


Outcome: TypeAlias = Delivered | Deferred | Refused
"""What the transport said. ``detail`` is a short fixed phrase such as ``http 503``: never content, never a body."""


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """An outcome on its way back to the exchange; ``at`` is when the transport had its answer, UTC.

    ``traceparent`` is the trace context of the attempt, or "": whichever process records the outcome goes on with it.
    """

    delivery_id: DeliveryId
    alert_id: AlertId
    recipient: ParticipantId
    attempt: int
    at: datetime
    outcome: Outcome
    traceparent: str = ""

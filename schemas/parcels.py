"""What crosses the bus: a parcel for one recipient, the outcome that comes back, and what recalls parcels on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, JurisdictionCode, ParticipantId, home_of


@dataclass(frozen=True, slots=True)
class Parcel:
    """One recipient's copy of one alert, with all that its adapter may know.

    ``thread`` is the id of the first alert of its chain: parcels of one thread and recipient are handed over in
    order. ``sent_at`` and ``deadline`` are UTC; after ``deadline`` nothing is handed over any more. ``exercise``
    is true where the alert's status is not ``Actual``. ``body`` is the submission as received, or the recipient's copy
    where something is withheld from it, and ``content_type`` says which (``schemas.withholding.copies.CopyForm``).
    ``manifest`` is what an SD-JWT's copy lacks, as the exchange signed it (a compact JWS); "" for every other copy.
    ``as_of`` is how far the exchange's registry had come when the relay found that the parcel may go: a ``Recall`` of
    the same or a later state of the registry concerns it.
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
    as_of: int = 0


@dataclass(frozen=True, slots=True)
class Recall:
    """Says that nothing passes any more that was let out under an agreement up to a state of the registry.

    Without a ``version`` that goes for every version, with a ``party`` for what goes from or to that jurisdiction
    alone. ``at`` is when the relay found so, in UTC; it is for people. What counts is ``as_of``, for the log orders the
    registry's states, and no two clocks need agree: a parcel that was let out later was let out knowing of the lapse.
    """

    agreement: AgreementId
    version: int | None
    party: JurisdictionCode | None
    as_of: int
    at: datetime

    def covers(self, parcel: Parcel) -> bool:
        """Return whether a parcel must not be handed over any more."""
        return (
            self.agreement == parcel.under.agreement
            and self.version in (None, parcel.under.version)
            and self.party in (None, home_of(parcel.sender), home_of(parcel.recipient))
            and parcel.as_of <= self.as_of
        )


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner took the parcel: it said so itself.

    ``digest`` is the hexadecimal SHA-256 of the bytes that it took, in its own format; "" from whoever did not say.
    """

    detail: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """No answer, or one that asks to come again. ``retry_after`` is in seconds where the partner named it."""

    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner, or the adapter on its behalf, will never take this parcel."""

    detail: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """The parcel was not handed over, for the exchange recalled what was let out under its agreement."""

    detail: str


Outcome: TypeAlias = Delivered | Deferred | Refused | Recalled
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

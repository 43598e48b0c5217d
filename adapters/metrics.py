"""What an operator counts of the adapters, in Prometheus' terms: partners, lanes and outcomes alone are labels."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from schemas.ids import ParticipantId
from schemas.parcels import OutcomeReport, Parcel

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class AdapterMetrics:
    """Parcels handed over, how long partners took, and records that are dead; an ``adapters.worker.Observer``.

    Dead records are counted from 0 for each of ``participants``, so that the first one is an increase.
    """

    def __init__(self, registry: CollectorRegistry, *, participants: Iterable[ParticipantId]) -> None:
        self._handled = Counter(
            "lacolle_parcels_handled",
            "Parcels handed over, by partner, lane and what came of it",
            ["participant", "lane", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "lacolle_handover_seconds",
            "Seconds that handing one parcel over took",
            ["participant", "lane"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._dead = Counter(
            "lacolle_records_dead",
            "Records that went to a partner's dead topic",
            ["participant"],
            registry=registry,
        )
        for participant in participants:
            self._dead.labels(participant=participant)

    def handled(self, parcel: Parcel, report: OutcomeReport, seconds: float) -> None:
        """Count one parcel."""
        participant, lane = parcel.recipient, parcel.lane
        outcome = type(report.outcome).__name__.lower()
        self._handled.labels(participant=participant, lane=lane, outcome=outcome).inc()
        self._seconds.labels(participant=participant, lane=lane).observe(seconds)

    def died(self, participant: ParticipantId) -> None:
        """Count one record that could not be read, or on which the worker itself broke."""
        self._dead.labels(participant=participant).inc()

"""Is the process alive, and can it do its work? And the counters that an operator watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.errors import GatewayError
from gateway.store.dispatches import Settled
from schemas.ids import ParticipantId


@dataclass(frozen=True, slots=True)
class Health:
    """What readiness depends on: each named part says whether it works now."""

    parts: tuple[tuple[str, Callable[[], bool]], ...]

    def report(self) -> dict[str, bool]:
        """Return each part and whether it works."""
        return {name: works() for name, works in self.parts}


class Metrics:
    """The exchange's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._refused = Counter(
            "lacolle_refused",
            "Submissions refused, by problem and by whether the sender was identified",
            ["problem", "sender"],
            registry=self.registry,
        )
        self._settled = Counter(
            "lacolle_deliveries",
            "Deliveries by recipient and the state they came to",
            ["recipient", "state"],
            registry=self.registry,
        )
        self._items = Histogram(
            "lacolle_batch_items",
            "Items in one transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self._commit = Histogram(
            "lacolle_commit_seconds",
            "Seconds from the start of a transaction to its commit",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=self.registry,
        )
        self._log_size = Gauge("lacolle_log_size", "Entries in the last checkpoint", registry=self.registry)

    def refused(self, error: GatewayError, participant: ParticipantId | None) -> None:
        """Count a refusal. Strangers are one number: nothing that they send becomes a label."""
        self._refused.labels(problem=error.name, sender="stranger" if participant is None else "identified").inc()

    def settled(self, outcome: Settled) -> None:
        """Count how a delivery, or one attempt at it, came out."""
        if outcome.changed:
            self._settled.labels(recipient=outcome.route.recipient, state=outcome.state).inc()

    def committed(self, items: int, seconds: float) -> None:
        """Count a transaction."""
        self._items.observe(items)
        self._commit.observe(seconds)

    def follow_unanswered(self, unanswered: Callable[[], Mapping[ParticipantId, int]]) -> None:
        """Read which parcels nobody reported on whenever the metrics are read."""
        self.registry.register(_Unanswered(unanswered))

    def follow_log_size(self, size: Callable[[], int]) -> None:
        """Read the log's size whenever the metrics are read."""
        self._log_size.set_function(size)


class _Unanswered(Collector):
    """A gauge whose recipients come and go."""

    def __init__(self, unanswered: Callable[[], Mapping[ParticipantId, int]]) -> None:
        self._unanswered = unanswered

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauge."""
        gauge = GaugeMetricFamily(
            "lacolle_unanswered",
            "Parcels that have been on the bus for over a minute without a report from the recipient's adapter",
            labels=["recipient"],
        )
        for recipient, parcels in self._unanswered().items():
            gauge.add_metric([recipient], parcels)
        yield gauge

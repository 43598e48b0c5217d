"""What an operator counts, in Prometheus' terms. Each role of each process has a registry of its own.

No alert, key or text of an agency's becomes a label: partners, lanes, states and the problems' names alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.differences import Found
from gateway.errors import GatewayError
from gateway.store.dispatches import DELIVERED, EXPIRED, PENDING, REFUSED, WITHHELD, Route, Settled
from gateway.store.erasing import NOTHING_DUE, Erasures
from gateway.store.placing import Acceptance
from gateway.store.retention import RetentionBasis
from gateway.watching.health import Condition, Report
from schemas.decisions import Lane
from schemas.ids import ParticipantId, instant_ms_of
from schemas.parcels import OutcomeReport

_COME_TO = (PENDING, DELIVERED, REFUSED, EXPIRED, WITHHELD)
"""The states that deliveries are counted by."""
_LATENCIES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600)


class LedgerMetrics:
    """Transactions and the log, in every role that writes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._items = Histogram(
            "lacolle_batch_items",
            "Items in one transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )
        self._commit = Histogram(
            "lacolle_commit_seconds",
            "Seconds from the start of a transaction to its commit",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=registry,
        )
        self._log_size = Gauge("lacolle_log_size", "Entries in the last checkpoint", registry=registry)

    def committed(self, items: int, seconds: float) -> None:
        """Count a transaction."""
        self._items.observe(items)
        self._commit.observe(seconds)

    def follow_log_size(self, size: Callable[[], int]) -> None:
        """Read the log's size whenever the metrics are read."""
        self._log_size.set_function(size)


class IntakeMetrics:
    """What was accepted, refused and decided."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._accepted = Counter("lacolle_accepted", "Alerts accepted, repetitions not counted", registry=registry)
        self._refused = Counter(
            "lacolle_refused",
            "Submissions refused, by problem and by whether the sender was identified",
            ["problem", "sender"],
            registry=registry,
        )
        decisions = Counter(
            "lacolle_decisions", "Decisions on accepted alerts, one for each candidate", ["decision"], registry=registry
        )
        self._permitted, self._denied = decisions.labels("permit"), decisions.labels("deny")

    def stored(self, items: Sequence[Acceptance]) -> None:
        """Count alerts that one transaction stored."""
        permits = sum(len(item.permits) for item in items)
        self._accepted.inc(len(items))
        self._permitted.inc(permits)
        self._denied.inc(sum(len(item.decisions) for item in items) - permits)

    def refused(self, error: GatewayError, participant: ParticipantId | None) -> None:
        """Count a refusal. Strangers are one number: nothing that they send becomes a label."""
        self._refused.labels(problem=error.name, sender="stranger" if participant is None else "identified").inc()


class ReconciliationMetrics:
    """What partners compared, and how it came out."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._compared = Counter(
            "lacolle_reconciliations",
            "Statements of partners that were compared, by whether both sides' groups were alike",
            ["participant", "agreed"],
            registry=registry,
        )
        self._differences = Counter(
            "lacolle_reconciliation_differences",
            "Deliveries that were named as missing at the partner, extra there, or altered",
            ["participant", "difference"],
            registry=registry,
        )

    def compared(self, participant: ParticipantId, *, agreed: bool) -> None:
        """Count a comparison."""
        self._compared.labels(participant=participant, agreed="true" if agreed else "false").inc()

    def differed(self, participant: ParticipantId, found: Iterable[Found]) -> None:
        """Count what was named."""
        for each in found:
            self._differences.labels(participant=participant, difference=each.difference.value).inc()


class RelayMetrics:
    """What became of dispatches, and what waits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._seen: set[Route] = set()
        self._settled = Counter(
            "lacolle_deliveries",
            "Deliveries by recipient, lane and the state they came to; a deferral counts as pending",
            ["recipient", "lane", "state"],
            registry=registry,
        )
        self._latency = Histogram(
            "lacolle_delivery_seconds",
            "Seconds from accepting an alert to the recipient's taking it",
            ["recipient", "lane"],
            buckets=_LATENCIES,
            registry=registry,
        )
        self._unacknowledged = Counter(
            "lacolle_acknowledgements_overdue",
            "Deliveries whose recipient had not acknowledged them when its agreement says so",
            ["recipient"],
            registry=registry,
        )
        self._unreconciled = Gauge(
            "lacolle_reconciliation_overdue",
            "1 where a participant that is expected to has not compared its books for longer than it should",
            ["participant"],
            registry=registry,
        )
        self._pending = Gauge(
            "lacolle_dispatches_pending", "Dispatches that wait to be published", ["lane"], registry=registry
        )
        self._oldest = Gauge(
            "lacolle_dispatches_oldest_seconds",
            "Seconds for which the dispatch that waits longest could have been published, 0 where none could",
            ["lane"],
            registry=registry,
        )
        self._cosigned = Gauge(
            "lacolle_cosignature_age_seconds",
            "Seconds since a witness cosigned last, by its own clock",
            ["witness"],
            registry=registry,
        )
        self._policy_met = Gauge(
            "lacolle_witness_policy_met",
            "1 where enough witnesses have cosigned lately, or no policy asks for any",
            registry=registry,
        )
        self._policy_met.set(1)
        self.erasures = ErasureMetrics(registry)
        self._active = Gauge("lacolle_relay_active", "1 where this process is the one that relays", registry=registry)

    def settled(self, outcome: Settled, report: OutcomeReport | None = None) -> None:
        """Count how a delivery, or one attempt at it, came out; ``report`` is None where its deadline ended it."""
        if not outcome.changed:
            return
        recipient, lane = outcome.route.recipient, outcome.route.lane
        if outcome.route not in self._seen:
            self._seen.add(outcome.route)
            for state in _COME_TO:  # from zero, so that the first of a state is an increase
                self._settled.labels(recipient=recipient, lane=lane, state=state)
        self._settled.labels(recipient=recipient, lane=lane, state=outcome.state).inc()
        if report is not None and outcome.state == DELIVERED:
            seconds = report.at.timestamp() - instant_ms_of(report.alert_id) / 1000
            self._latency.labels(recipient=recipient, lane=lane).observe(max(0.0, seconds))

    def unacknowledged(self, recipient: ParticipantId) -> None:
        """Count an acknowledgement that is overdue."""
        self._unacknowledged.labels(recipient=recipient).inc()

    def unreconciled(self, participant: ParticipantId, *, overdue: bool) -> None:
        """Say whether a participant is overdue to compare its books."""
        self._unreconciled.labels(participant=participant).set(overdue)

    def waiting(self, pending: Mapping[Lane, tuple[int, float]]) -> None:
        """Say of each lane how many dispatches wait, and for how many seconds one of them could have been published."""
        for lane in Lane:
            count, seconds = pending.get(lane, (0, 0.0))
            self._pending.labels(lane=lane).set(count)
            self._oldest.labels(lane=lane).set(max(0.0, seconds))

    def witnessed(self, ages: Mapping[str, float], met: bool) -> None:  # noqa: FBT001 - a Prometheus gauge's value
        """Say how many seconds ago each witness cosigned, and whether the policy is met."""
        for witness, age in ages.items():
            self._cosigned.labels(witness=witness).set(age)
        self._policy_met.set(met)

    def follow_unanswered(self, unanswered: Callable[[], Mapping[ParticipantId, int]]) -> None:
        """Read which parcels nobody reported on whenever the metrics are read."""
        self._registry.register(_Unanswered(unanswered))

    def active(self, *, now: bool) -> None:
        """Say whether this process relays now; one that does not lags behind nothing."""
        self._active.set(now)
        if not now:
            self.waiting({})
            self.erasures.found(NOTHING_DUE)
            self.erasures.keys(missing=0)


class ErasureMetrics:
    """What content was erased, what should have been, and the keys that this needs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._erased = Counter(
            "lacolle_contents_erased",
            "Alerts whose content was erased at the end of its term",
            ["basis"],
            registry=registry,
        )
        self._due = Gauge("lacolle_contents_due", "Alerts whose content is due to be erased", registry=registry)
        self._overdue = Gauge(
            "lacolle_contents_overdue", "Alerts whose content was to be erased over an hour ago", registry=registry
        )
        self._held = Gauge("lacolle_contents_held", "Alerts whose content is under a legal hold", registry=registry)
        self._missing = Gauge(
            "lacolle_content_keys_missing",
            "Keys that content depends on and that are not in their folder; -1 where that can't be used",
            registry=registry,
        )

    def erased(self, basis: RetentionBasis, count: int) -> None:
        """Count erasures."""
        self._erased.labels(basis=basis.value).inc(count)

    def found(self, counts: Erasures) -> None:
        """Say what is due, overdue and held."""
        self._due.set(counts.due)
        self._overdue.set(counts.overdue)
        self._held.set(counts.held)

    def keys(self, *, missing: int) -> None:
        """Say how many keys are missing."""
        self._missing.set(missing)

    def keys_unavailable(self) -> None:
        """Say that the folder of the keys can't be used."""
        self._missing.set(-1)


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


class ReadinessCollector(Collector):
    """How each part of a process was found when readiness was asked last: 1 beside the state that it is in."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric with a sample for each part and state."""
        family = GaugeMetricFamily(
            "lacolle_part_state", "1 beside the state that readiness finds the part in", labels=["part", "state"]
        )
        for part, finding in self._report.parts:
            for state in Condition:
                family.add_metric([part, state.value], finding.condition is state)
        yield family


def new_registry() -> CollectorRegistry:
    """Return the metrics' registry of one process, with its own memory and processor time in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry

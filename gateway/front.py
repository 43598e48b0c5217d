"""The gateway role: the HTTP application and everything behind its routes, over one ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry

from audit.note import LogSigner
from gateway.accept import Intake
from gateway.acknowledge import Acknowledgements
from gateway.app import Application
from gateway.checks import HasLatest, database_check, log_check, signer_check
from gateway.clock import Clock
from gateway.enrol import Enrolment
from gateway.health import Check, Condition, Health
from gateway.hints import Listener
from gateway.http.services import Services
from gateway.ledger import Ledger
from gateway.metrics import IntakeMetrics, LedgerMetrics
from gateway.ratelimit import Rate, RateLimiter
from gateway.receipts import ReceiptSigner
from gateway.registry import CurrentRegistry
from gateway.settings import Settings
from gateway.store.acceptance import Acceptance, AcceptanceWriter
from gateway.store.committer import Batch
from gateway.tokens import TokenIssuer
from gateway.verification import Verifier
from schemas.ids import AlertId, KeyId
from schemas.signing.keys import SigningKey
from schemas.tracing import Tracing

log = structlog.get_logger(__name__)

SIGNATURE_THREADS = 2


@dataclass(frozen=True, slots=True)
class ExchangeKeys:
    """The exchange's own keys: ``receipt`` signs receipts and tokens, ``transport`` what is handed to partners."""

    receipt: SigningKey
    transport: SigningKey
    log: LogSigner


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a front needs of others: hints go to ``hints``, ``bus`` says whether the bus is reachable.

    ``operator`` says that health in full and metrics have a listener of their own.
    """

    checkpoints: HasLatest
    hints: Listener
    bus: Check
    clock: Clock
    randomness: Callable[[int], bytes]
    tracing: Tracing | None
    operator: bool


class Front:
    """The application, its health and its metrics. ``close`` ends its threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        registry: CurrentRegistry,
        keys: ExchangeKeys,
        metrics: CollectorRegistry,
        around: Surroundings,
    ) -> None:
        self._executor = ThreadPoolExecutor(max_workers=SIGNATURE_THREADS, thread_name_prefix="signatures")
        self.metrics = metrics
        self.health = Health(
            (
                ("database", database_check(ledger), Condition.FAILING),
                ("signer", signer_check(keys.receipt, self._executor), Condition.FAILING),
                ("log", log_check(ledger, around.checkpoints, around.clock), Condition.FAILING),
                ("bus", around.bus, Condition.DEGRADED),
            )
        )
        follow_ledger(ledger, metrics, around.checkpoints, on_head_moved=around.hints.head_moved)
        intake = _intake(
            settings,
            ledger=ledger,
            registry=registry,
            keys=keys,
            executor=self._executor,
            counts=IntakeMetrics(metrics),
            around=around,
        )
        services = Services(
            intake=intake,
            acknowledgements=Acknowledgements(registry=registry, committer=ledger.committer, clock=around.clock),
            enrolment=Enrolment(registry=registry, committer=ledger.committer, clock=around.clock),
            tokens=TokenIssuer(
                issuer=settings.base_url,
                key=keys.receipt,
                registry=registry,
                committer=ledger.committer,
                clock=around.clock,
                randomness=around.randomness,
            ),
            registry=registry,
            store=ledger.store,
            checkpoints=around.checkpoints,
            health=self.health,
            metrics=None if around.operator else metrics,
            public_keys=(keys.receipt.public, keys.transport.public),
            body_limit=settings.limits.body_bytes,
            clock=around.clock,
            tracing=around.tracing,
        )
        self.app = Application(services, problem_base=settings.problem_base)

    def close(self) -> None:
        """End the threads that sign and verify."""
        self._executor.shutdown(wait=False)


def follow_ledger(
    ledger: Ledger, registry: CollectorRegistry, checkpoints: HasLatest, *, on_head_moved: Callable[[], None]
) -> None:
    """Count the ledger's transactions, and say of each that the head has moved."""
    metrics = LedgerMetrics(registry)
    metrics.follow_log_size(lambda: 0 if checkpoints.latest is None else checkpoints.latest.size)

    def committed(items: int, seconds: float) -> None:
        metrics.committed(items, seconds)
        on_head_moved()

    ledger.committer.observe = committed


def _intake(
    settings: Settings,
    *,
    ledger: Ledger,
    registry: CurrentRegistry,
    keys: ExchangeKeys,
    executor: Executor,
    counts: IntakeMetrics,
    around: Surroundings,
) -> Intake:
    def trusted(kid: KeyId, batch: Batch) -> bool:
        return registry.within(batch).trusted_key(kid, batch.now) is not None

    def stored(items: Sequence[tuple[AlertId, Acceptance]]) -> None:
        counts.stored([acceptance for _, acceptance in items])
        log.info("alerts_accepted", alert_id=[alert_id for alert_id, _ in items])

    return Intake(
        registry=registry,
        store=ledger.store,
        committer=ledger.committer,
        acceptances=AcceptanceWriter(
            ReceiptSigner(keys.receipt, origin=settings.origin),
            executor=executor,
            trusted=trusted,
            on_routed=around.hints.routed,
            on_stored=stored,
        ),
        verifier=Verifier(executor),
        limiter=RateLimiter(Rate(settings.limits.rate_per_second, settings.limits.burst)),
        clock=around.clock,
        give_up_after=timedelta(seconds=settings.delivery.give_up_after),
        on_refused=counts.refused,
    )

"""The gateway role: the HTTP application and everything behind its routes, over one ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry

from audit.note import LogSigner
from gateway.app import Application
from gateway.books.reconciling import Reconciliations, StatementSigner
from gateway.clock import Clock
from gateway.http.bodies import BodyBudget
from gateway.http.services import Services
from gateway.inquiry.auditing import Auditing
from gateway.inquiry.evidencing import Evidences, ExchangeSigner
from gateway.inquiry.exporting import Exports, ManifestSigner
from gateway.intake.accept import Intake
from gateway.intake.acknowledge import Acknowledgements
from gateway.intake.batches import BatchIntake
from gateway.intake.consenting import Consents
from gateway.intake.enrol import Enrolment, OwnKids
from gateway.intake.holding import Holds
from gateway.intake.identification import Identification
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.intake.tokens import TokenIssuer
from gateway.intake.treaties import Treaties
from gateway.log.ledger import Ledger
from gateway.receipts import ReceiptSigner
from gateway.relaying.copies import Copies
from gateway.relaying.hints import Listener
from gateway.roles.founding import Founded
from gateway.sealing.contents import Contents
from gateway.settings.exchange import Settings
from gateway.signatures.beside import SignatureProcess
from gateway.simulation.simulating import Simulations
from gateway.store.acceptance import AcceptanceWriter
from gateway.store.committer import Batch
from gateway.store.placing import Acceptance, Keeping
from gateway.trust.authorities import Authorities
from gateway.trust.registry import CurrentRegistry
from gateway.watching.checks import HasLatest, content_check, database_check, log_check, signer_check
from gateway.watching.health import Check, Condition, Health
from gateway.watching.metrics import IntakeMetrics, LedgerMetrics, ReconciliationMetrics
from schemas.ids import AlertId, KeyId
from schemas.signing.keys import SigningKey
from schemas.tracing import Tracing
from schemas.withholding.pseudonyms import Pseudonyms

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExchangeKeys:
    """The exchange's own keys: ``receipt`` signs receipts and tokens, ``transport`` what is handed to partners.

    Of ``pseudonyms`` the private part alone is used, as the secret under which pseudonyms are made.
    """

    receipt: SigningKey
    transport: SigningKey
    log: LogSigner
    pseudonyms: SigningKey

    @property
    def copies(self) -> Copies:
        """What makes recipients' copies."""
        return Copies(key=self.transport, pseudonyms=Pseudonyms(self.pseudonyms.secret()))

    @property
    def kids(self) -> OwnKids:
        """Their names, which no participant's key may have."""
        return OwnKids(
            frozenset({self.receipt.kid, self.transport.kid, self.log.kid, self.pseudonyms.kid}), self.log.origin
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a front needs of others: hints go to ``hints``, ``bus`` says whether the bus is reachable.

    ``contents`` is the door to stored content, ``parts`` are what readiness names beside the front's own. ``operator``
    says that health in full and metrics have a listener of their own.
    """

    contents: Contents
    checkpoints: HasLatest
    hints: Listener
    bus: Check
    clock: Clock
    randomness: Callable[[int], bytes]
    tracing: Tracing | None
    operator: bool
    parts: Sequence[tuple[str, Check]] = ()


class Front:
    """The application, its health and its metrics, and the process that signs and verifies for it.

    ``start`` before the first request, and ``run`` beside all of them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        founded: Founded,
        keys: ExchangeKeys,
        metrics: CollectorRegistry,
        around: Surroundings,
    ) -> None:
        registry, rate = founded.registry, Rate(settings.limits.rate_per_second, settings.limits.burst)
        self._signatures = SignatureProcess(keys.receipt)
        authorities = Authorities(registry, self._signatures)
        identification = Identification(
            registry=registry, signatures=self._signatures, clock=around.clock, look=founded.follower.look
        )
        self.metrics = metrics
        self.health = Health(
            (
                ("database", database_check(ledger), Condition.FAILING),
                ("signer", signer_check(keys.receipt.public, self._signatures), Condition.FAILING),
                ("log", log_check(ledger, around.checkpoints, around.clock), Condition.FAILING),
                ("bus", around.bus, Condition.DEGRADED),
                ("content", content_check(around.contents), Condition.DEGRADED),
                *((name, check, Condition.DEGRADED) for name, check in around.parts),
            )
        )
        follow_ledger(ledger, metrics, around.checkpoints, on_head_moved=around.hints.head_moved)
        counts = IntakeMetrics(metrics)
        intake = _intake(
            settings,
            ledger=ledger,
            registry=registry,
            identification=identification,
            signer=ReceiptSigner(keys.receipt.public, self._signatures, origin=settings.origin),
            limiter=RateLimiter(rate),
            counts=counts,
            around=around,
        )
        services = Services(
            intake=intake,
            batches=BatchIntake(owner_of=registry.owner, longest=settings.limits.body_bytes),
            bodies=BodyBudget(settings.limits.held_bytes),
            acknowledgements=Acknowledgements(
                identification=identification,
                committer=ledger.committer,
                contents=around.contents,
                limiter=RateLimiter(rate),
                clock=around.clock,
            ),
            consents=Consents(
                registry=registry,
                identification=identification,
                authorities=authorities,
                store=ledger.store,
                committer=ledger.committer,
                limiter=RateLimiter(rate),
                clock=around.clock,
                on_routed=around.hints.routed,
            ),
            holds=Holds(
                authorities=authorities,
                committer=ledger.committer,
                contents=around.contents,
                limiter=RateLimiter(rate),
                clock=around.clock,
            ),
            auditing=Auditing(
                store=ledger.store,
                contents=around.contents,
                committer=ledger.committer,
                checkpoints=around.checkpoints,
                limiter=RateLimiter(rate),
            ),
            exports=Exports(
                store=ledger.store,
                contents=around.contents,
                committer=ledger.committer,
                checkpoints=around.checkpoints,
                signer=ManifestSigner(keys.receipt.public, self._signatures, settings.origin),
                book=lambda: registry.book,
                limiter=RateLimiter(rate),
                clock=around.clock,
            ),
            evidences=Evidences(
                store=ledger.store,
                contents=around.contents,
                committer=ledger.committer,
                checkpoints=around.checkpoints,
                policy=settings.witnesses.witness_policy,
                registry=registry,
                copies=keys.copies,
                signer=ExchangeSigner(
                    keys.receipt.public, self._signatures, (keys.receipt.public, keys.transport.public)
                ),
                limiter=RateLimiter(rate),
                clock=around.clock,
            ),
            reconciliations=Reconciliations(
                identification=identification,
                store=ledger.store,
                committer=ledger.committer,
                checkpoints=around.checkpoints,
                signer=StatementSigner(keys.receipt.public, self._signatures),
                limiter=RateLimiter(rate),
                clock=around.clock,
                metrics=ReconciliationMetrics(metrics),
            ),
            enrolment=Enrolment(
                registry=registry,
                signatures=self._signatures,
                committer=ledger.committer,
                limiter=RateLimiter(rate),
                clock=around.clock,
                own=keys.kids,
            ),
            treaties=Treaties(
                registry=registry,
                authorities=authorities,
                store=ledger.store,
                committer=ledger.committer,
                limiter=RateLimiter(rate),
                clock=around.clock,
            ),
            simulations=Simulations(registry, ledger.store, around.contents),
            tokens=TokenIssuer(
                issuer=settings.base_url,
                key=keys.receipt,
                registry=registry,
                identification=identification,
                committer=ledger.committer,
                limiter=RateLimiter(rate),
                clock=around.clock,
                randomness=around.randomness,
            ),
            registry=registry,
            store=ledger.store,
            contents=around.contents,
            checkpoints=around.checkpoints,
            health=self.health,
            metrics=None if around.operator else metrics,
            trusted_proxies=settings.listen.trusted_proxies,
            public_keys=(keys.receipt.public, keys.transport.public),
            body_limit=settings.limits.body_bytes,
            batch_limit=settings.limits.batch_bytes,
            clock=around.clock,
            tracing=around.tracing,
            witness_policy=settings.witnesses.witness_policy,
        )
        self.app = Application(services, problem_base=settings.problem_base)

    async def start(self) -> None:
        """Start the process that signs and verifies."""
        await self._signatures.start()

    async def run(self) -> None:
        """Keep that process going until cancelled."""
        await self._signatures.run()

    async def close(self) -> None:
        """End it. Idempotent."""
        await self._signatures.close()


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
    identification: Identification,
    signer: ReceiptSigner,
    limiter: RateLimiter,
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
        identification=identification,
        store=ledger.store,
        committer=ledger.committer,
        acceptances=AcceptanceWriter(
            signer,
            keeping=Keeping(around.contents, settings.retention.days_default),
            trusted=trusted,
            on_routed=around.hints.routed,
            on_stored=stored,
        ),
        limiter=limiter,
        clock=around.clock,
        give_up_after=timedelta(seconds=settings.delivery.give_up_after),
        on_refused=counts.refused,
    )

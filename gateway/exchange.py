"""One exchange put together: store, log, registry, use cases, and the tasks that keep it going.

``open_exchange`` does everything that can fail before the first request is taken: the schema, the pins, every signature
in the registry, the last published checkpoint. ``Exchange.run`` then keeps five tasks alive; when one of them fails the
exchange stops, because an exchange without its log, relay or deadlines is not one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DatabaseError

from agreements.signed import UntrustedAgreementError, VerifiedAgreement, read_signed
from agreements.succession import ConflictingVersionsError
from audit.checkpoints import PublishedState
from audit.entry import Draft, Kind
from audit.errors import AuditError
from audit.log import read_head
from audit.note import LogSigner
from bus.contract import Bus
from gateway.accept import Intake
from gateway.acknowledge import Acknowledgements
from gateway.admission import Admission
from gateway.app import Application
from gateway.backoff import Backoff
from gateway.batches import BatchIntake
from gateway.checkpoints import CheckpointTask
from gateway.clock import Clock
from gateway.deadlines import DeadlineWatch
from gateway.enrol import Enrolment
from gateway.errors import StatementRefusedError, StoreError
from gateway.following import RegistryFollower, tampered
from gateway.health import Health, Metrics
from gateway.http.services import Services
from gateway.outcomes import OutcomeRecorder
from gateway.ratelimit import Rate, RateLimiter
from gateway.receipts import ReceiptSigner
from gateway.registry import CurrentRegistry
from gateway.relay import Relay
from gateway.settings import Settings
from gateway.signatures.beside import SignatureProcess
from gateway.store.acceptance import AcceptanceWriter
from gateway.store.committer import Batch, Committer
from gateway.store.dispatches import OutcomeWriter, ReopenWriter, Settled
from gateway.store.engine import Store
from gateway.store.entries import OpeningWriter
from gateway.store.registry import (
    AgreementWriter,
    JurisdictionWriter,
    StoredRegistry,
    jurisdiction_document,
    read_registry,
)
from gateway.store.schema import prepare
from gateway.tokens import TokenIssuer
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, KeyId
from schemas.parcels import OutcomeReport
from schemas.registry import Jurisdiction, Registry, StatementError, read_statement
from schemas.signing.keys import SigningKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExchangeKeys:
    """The exchange's own keys: ``receipt`` signs receipts and tokens, ``transport`` what is handed to partners."""

    receipt: SigningKey
    transport: SigningKey
    log: LogSigner


@dataclass(frozen=True, slots=True)
class Founding:
    """What an exchange is set up with: jurisdictions to pin, signed statements and agreements by their files."""

    jurisdictions: Sequence[Jurisdiction]
    statements: Mapping[str, bytes]
    agreements: Mapping[str, bytes]


class Exchange:
    """A running exchange: its application, and the tasks behind it."""

    def __init__(
        self,
        *,
        app: Application,
        registry: CurrentRegistry,
        store: Store,
        committer: Committer,
        writing: asyncio.Task[None],
        signatures: SignatureProcess,
        tasks: Sequence[Callable[[], object]],
    ) -> None:
        self.app = app
        self.registry = registry
        self._store = store
        self._committer = committer
        self._writing = writing
        self._signatures = signatures
        self._tasks = tasks

    async def run(self) -> None:
        """Keep the exchange going until cancelled. Raises what ended it otherwise."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(self._writing))
            for task in self._tasks:
                group.create_task(task())  # type: ignore[arg-type]  # each is a coroutine function without arguments

    async def close(self) -> None:
        """Write what waits, then close the database."""
        self._committer.close()
        with suppress(Exception):  # what ended the writing was raised where it happened
            await self._writing
        await self._signatures.close()
        await self._store.close()


async def _follow(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)


_NO_DATABASE: Final = Bilingual(
    fr="Le fichier de la base de données n'est pas celui d'une plateforme : rétablissez-le d'une sauvegarde.",
    en="The database file is not one of an exchange: restore it from a backup.",
)


async def open_exchange(
    settings: Settings,
    *,
    store: Store,
    bus: Bus,
    keys: ExchangeKeys,
    founding: Founding,
    published: PublishedState,
    clock: Clock,
    randomness: Callable[[int], bytes],
) -> Exchange:
    """Return an exchange that is ready to run.

    Raises ``StoreError`` where database and founding documents don't go together, or where the database is behind what
    was published.
    """
    metrics = Metrics()
    try:
        await prepare(store)
    except DatabaseError as error:
        await store.close()
        raise StoreError(_NO_DATABASE) from error
    except BaseException:
        await store.close()
        raise
    committer = Committer(store.writer, clock=clock, randomness=randomness, observe=metrics.committed)
    writing = asyncio.create_task(committer.run(), name="committer")
    try:
        await _open_log(store, committer, keys.log)
        registry, follower = await _found(store, committer, founding, clock)
        checkpoints = CheckpointTask(store=store, signer=keys.log, published=published, clock=clock)
        try:
            await checkpoints.start()
        except AuditError as error:
            raise StoreError(error.reason) from error
        await committer.submit(ReopenWriter(), None)
        signatures = SignatureProcess(keys.receipt)
        await signatures.start()
    except BaseException:
        committer.close()
        await asyncio.gather(writing, return_exceptions=True)
        await store.close()
        raise
    return _assemble(
        settings,
        store=store,
        bus=bus,
        keys=keys,
        registry=registry,
        follower=follower,
        checkpoints=checkpoints,
        committer=committer,
        writing=writing,
        signatures=signatures,
        metrics=metrics,
        clock=clock,
        randomness=randomness,
    )


def _assemble(
    settings: Settings,
    *,
    store: Store,
    bus: Bus,
    keys: ExchangeKeys,
    registry: CurrentRegistry,
    follower: RegistryFollower,
    checkpoints: CheckpointTask,
    committer: Committer,
    writing: asyncio.Task[None],
    signatures: SignatureProcess,
    metrics: Metrics,
    clock: Clock,
    randomness: Callable[[int], bytes],
) -> Exchange:
    relay = Relay(
        store=store,
        committer=committer,
        bus=bus,
        origin=settings.origin,
        data_schema_base=f"{settings.base_url}/v1/schemas",
        clock=clock,
    )

    def settled(_report: OutcomeReport, outcome: Settled) -> None:
        metrics.settled(outcome)
        relay.settled(outcome)

    def expired(outcome: Settled) -> None:
        metrics.settled(outcome)
        relay.settled(outcome)

    def committed(items: int, seconds: float) -> None:
        metrics.committed(items, seconds)
        checkpoints.head_moved()

    committer.observe = committed
    follower.on_growth = lambda _size: checkpoints.head_moved()
    metrics.follow_unanswered(relay.unanswered)
    metrics.follow_log_size(lambda: 0 if checkpoints.latest is None else checkpoints.latest.size)

    def trusted(kid: KeyId, batch: Batch) -> bool:
        return registry.within(batch).trusted_key(kid, batch.now) is not None

    services = Services(
        admission=Admission(registry=registry, clock=clock, on_refused=metrics.refused),
        intake=Intake(
            registry=registry,
            store=store,
            committer=committer,
            acceptances=AcceptanceWriter(
                ReceiptSigner(keys.receipt.public, signatures, origin=settings.origin),
                trusted=trusted,
                on_routed=relay.routed,
            ),
            signatures=signatures,
            limiter=RateLimiter(Rate(settings.limits.rate_per_second, settings.limits.burst)),
            clock=clock,
            give_up_after=timedelta(seconds=settings.delivery.give_up_after),
            on_refused=metrics.refused,
            look=follower.look,
        ),
        acknowledgements=Acknowledgements(registry=registry, committer=committer, clock=clock, look=follower.look),
        enrolment=Enrolment(registry=registry, committer=committer, clock=clock),
        tokens=TokenIssuer(
            issuer=settings.base_url,
            key=keys.receipt,
            registry=registry,
            committer=committer,
            clock=clock,
            randomness=randomness,
            look=follower.look,
        ),
        registry=registry,
        store=store,
        checkpoints=checkpoints,
        health=Health(
            parts=(
                ("database", lambda: committer.failure is None),
                ("log", lambda: checkpoints.latest is not None),
                ("signer", lambda: signatures.available),
                ("bus", lambda: relay.bus_available),
                ("adapters", lambda: not relay.unanswered()),
            )
        ),
        metrics=metrics.registry,
        public_keys=(keys.receipt.public, keys.transport.public),
        body_limit=settings.limits.body_bytes,
        batch_limit=settings.limits.batch_bytes,
        batches=BatchIntake(),
        clock=clock,
    )
    outcomes = OutcomeRecorder(
        bus=bus,
        committer=committer,
        writer=OutcomeWriter(Backoff(settings.delivery.retry_base, settings.delivery.retry_cap)),
        on_settled=settled,
    )
    deadlines = DeadlineWatch(store=store, committer=committer, clock=clock, on_expired=expired)
    return Exchange(
        app=Application(services, problem_base=settings.problem_base),
        registry=registry,
        store=store,
        committer=committer,
        writing=writing,
        signatures=signatures,
        tasks=(
            signatures.run,
            relay.run,
            outcomes.run,
            deadlines.run,
            checkpoints.run,
            *((follower.run,) if store.shared else ()),
        ),
    )


async def _open_log(store: Store, committer: Committer, signer: LogSigner) -> None:
    """Append the log's first entry, which names the log and its key."""
    async with store.reading() as connection:
        head = await read_head(connection)
    if head.size == 0:
        opened = Draft(
            kind=Kind.EXCHANGE_OPENED,
            actor=None,
            jurisdictions=(),
            alert_id=None,
            agreement=None,
            content={"origin": signer.origin, "log_key": signer.vkey},
        )
        await committer.submit(OpeningWriter(), opened)


async def _found(
    store: Store, committer: Committer, founding: Founding, clock: Clock
) -> tuple[CurrentRegistry, RegistryFollower]:
    """Return the registry: what the database holds, verified again, and what the files add to it.

    From here on the committer keeps it up to date.
    """
    async with store.reading() as connection:
        stored = await read_registry(connection)
    jurisdictions = await _pin(committer, stored, founding.jurisdictions)
    try:
        statements = [read_statement(compact, jurisdictions) for compact in stored.statements]
        registry = CurrentRegistry(
            Registry.of(jurisdictions, statements),
            [VerifiedAgreement(read_signed(signed, jurisdictions)) for signed in stored.agreements],
            version=stored.version,
        )
    except (StatementError, UntrustedAgreementError, ValueError) as error:
        raise StoreError(tampered(error)) from error
    committer.standing = follower = RegistryFollower(registry, store)
    await _enrol(committer, registry, stored, founding.statements, clock)
    await _agree(committer, registry, founding.agreements)
    return registry, follower


async def _pin(
    committer: Committer, stored: StoredRegistry, given: Sequence[Jurisdiction]
) -> dict[JurisdictionCode, Jurisdiction]:
    """Pin what is new, and refuse what differs from its pin: an authority's key is not the operator's to change."""
    named = {jurisdiction.code: jurisdiction for jurisdiction in given}
    for code, document in stored.jurisdictions.items():
        if code not in named or jurisdiction_document(named[code]) != document:
            raise StoreError(
                Bilingual(
                    fr=f"Le fichier des juridictions ne dit plus de {code} ce qui a été épinglé à la mise en place de "
                    "cette plateforme : rétablissez son entrée.",
                    en=f"The jurisdictions file no longer says of {code} what was pinned when this exchange was set "
                    "up: restore its entry.",
                )
            )
    writer = JurisdictionWriter()
    for code in sorted(named.keys() - stored.jurisdictions.keys()):
        await committer.submit(writer, named[code])
    return named


async def _enrol(
    committer: Committer, registry: CurrentRegistry, stored: StoredRegistry, given: Mapping[str, bytes], clock: Clock
) -> None:
    enrolment = Enrolment(registry=registry, committer=committer, clock=clock)
    new: list[tuple[datetime, str]] = []
    for name, compact in given.items():
        if compact not in stored.statements:
            try:
                new.append((read_statement(compact, registry.jurisdictions).issued_at, name))
            except StatementError as error:
                raise _refused_file(name, error.reason) from error
    for _, name in sorted(new):
        try:
            await enrolment.record(given[name])
        except StatementRefusedError as error:
            raise _refused_file(name, error.reason) from error


async def _agree(committer: Committer, registry: CurrentRegistry, given: Mapping[str, bytes]) -> None:
    """Let every agreement that all of its parties signed count; one that waits for a party is named and left."""
    known = {agreement.signed.payload for agreement in registry.agreements}
    writer = AgreementWriter()
    for name, general in given.items():
        try:
            signed = read_signed(general, registry.jurisdictions)
        except UntrustedAgreementError as error:
            raise _refused_file(name, error.reason) from error
        if signed.payload in known:
            continue
        if signed.missing:
            log.warning("agreement_awaits_signatures", agreement=signed.document.id, missing=list(signed.missing))
            continue
        verified = VerifiedAgreement(signed)
        try:
            registry.agree(verified)
        except ConflictingVersionsError as error:
            raise _refused_file(name, error.reason) from error
        await committer.submit(writer, verified)


def _refused_file(name: str, reason: Bilingual) -> StoreError:
    """Return what the operator is told of a signed document that does not count."""
    return StoreError(Bilingual(fr=f"{name} est refusé : {reason.fr}", en=f"{name} is refused: {reason.en}"))

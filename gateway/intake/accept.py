"""Accepting an alert: everything between the bytes that arrived and the answer that may go out.

    identify -> rate -> parse -> permit -> time -> thread -> decide -> commit

Each step is pure or in memory but two: an Update or Cancel reads its thread, and the commit writes. What is refused for
good once its sender is identified becomes an entry, whose actor is the key's participant. What may come again as it is
(over the rate, or the log can't be appended) is counted alone, and so is what a stranger sends: nobody unknown can make
the log grow, and nobody at all faster than its rate.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agreements.decide import decide
from agreements.replay import decisions_digest, inputs_digest
from audit.entry import Draft
from audit.kinds import Kind
from gateway.clock import Clock
from gateway.errors import AlertRefusedError, GatewayError, LogUnavailableError, MalformedSubmissionError
from gateway.intake.identification import Identification, Identified
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import UNKNOWN_REFERENCE, check_permission, check_times, own_references, read_alert
from gateway.intake.warned import warnings_of
from gateway.store.acceptance import AcceptanceWriter, Answer
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.store.entries import EntryWriter
from gateway.store.placing import Acceptance, Basis
from gateway.store.sources import NO_SOURCES, Sources, find_sources
from gateway.store.threads import Thread, find_thread
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import decided_anew
from schemas.alerts.header import Alert
from schemas.decisions import Decision
from schemas.ids import CertificateDigest, ParticipantId
from schemas.signing.jws import MalformedJwsError
from schemas.submission import Submission, read_submission


@dataclass(frozen=True, slots=True)
class Arrived:
    """A submission whose signer is known."""

    submission: Submission
    identified: Identified

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what arrived."""
        return hashlib.sha256(self.submission.data).digest()

    def alert_json(self) -> bytes:
        """Return the alert's JSON. Raises ``MalformedSubmissionError``."""
        try:
            return self.submission.alert_json()
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error


@dataclass(frozen=True, slots=True)
class Considered:
    """An alert that the exchange would take, its JSON's SHA-256, and what it decided for each candidate.

    It was decided at ``decided_at`` with what ``world`` is the digest of (``agreements.replay``).
    """

    arrived: Arrived
    payload_digest: bytes
    alert: Alert
    decisions: tuple[Decision, ...]
    decided_at: datetime
    world: str
    thread: Thread | None
    sources: Sources
    deadline: datetime
    warnings: tuple[str, ...]

    def basis(self, registry_version: int) -> Basis:
        """Return what the decisions can be made from again; the registry had come to this version."""
        return Basis(
            decided_at=self.decided_at,
            registry_version=registry_version,
            inputs_digest=inputs_digest(
                payload_digest=self.payload_digest,
                world=self.world,
                now=self.decided_at,
                reached={} if self.thread is None else self.thread.reached,
                sources=self.sources.binding,
            ),
            decisions_digest=decisions_digest(self.decisions),
        )


class Intake:
    """The use cases of ``POST /v1/alerts`` and ``/v1/alerts/preview``."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        identification: Identification,
        store: Store,
        committer: Committer,
        acceptances: AcceptanceWriter,
        limiter: RateLimiter,
        clock: Clock,
        give_up_after: timedelta,
        on_refused: Callable[[GatewayError, ParticipantId | None], None],
    ) -> None:
        self._registry = registry
        self._identification = identification
        self._store = store
        self._committer = committer
        self._acceptances = acceptances
        self._entries = EntryWriter()
        self._limiter = limiter
        self._clock = clock
        self._give_up_after = give_up_after
        self._on_refused = on_refused

    async def accept(
        self, data: bytes, *, certificate: CertificateDigest | None = None, traceparent: str = ""
    ) -> Answer:
        """Store an alert, and return the answer its sender gets once it is durable.

        ``data`` is the body as it arrived, ``certificate`` what its connection showed, ``traceparent`` the request's
        trace context or "". Raises ``GatewayError``: each of its classes is one refusal of the wire contract,
        and where the sender was identified the refusal is an entry before this returns, unless it is
        ``RateLimitedError`` or ``LogUnavailableError``.
        """
        with self._committer.preparing():
            arrived = await self._identify(data, certificate)
        return await decided_anew(lambda: self._accept(arrived, traceparent))

    async def _accept(self, arrived: Arrived, traceparent: str) -> Answer:
        version = self._registry.version
        try:
            with self._committer.preparing():
                arrived = self._confirmed(arrived)
                considered = await self._consider(arrived)
                acceptance = _acceptance(considered, traceparent, basis=considered.basis(version))
            return await self._committer.submit(self._acceptances, acceptance, decided_at=version)
        except AlertRefusedError as refusal:
            # a retry that comes after its alert expired, or its thread moved on, still gets its first answer
            earlier = await self._accepted_before(arrived)
            if earlier is not None:
                return earlier
            await self._record_refusal(arrived, refusal, decided_at=version)
            raise
        except LogUnavailableError as refusal:
            self._on_refused(refusal, arrived.identified.participant.participant)
            raise
        except GatewayError as refusal:
            await self._record_refusal(arrived, refusal, decided_at=version)
            raise

    async def preview(self, data: bytes, *, certificate: CertificateDigest | None = None) -> Considered:
        """Return what ``accept`` would decide now; nothing is stored but the entry that a preview was asked.

        Raises as ``accept`` does.
        """
        arrived = await self._identify(data, certificate)
        try:
            considered = await self._consider(arrived)
        except LogUnavailableError as refusal:
            self._on_refused(refusal, arrived.identified.participant.participant)
            raise
        except GatewayError as refusal:
            await self._record_refusal(arrived, refusal)
            raise
        await self._committer.submit(self._entries, _entry(Kind.PREVIEWED, arrived, {"type": considered.alert.type}))
        return considered

    async def _identify(self, data: bytes, certificate: CertificateDigest | None) -> Arrived:
        """Return whose a submission is, and take it from that participant's rate; once, however often it is decided."""
        sender: ParticipantId | None = None
        try:
            submission = _read(data)
            identified = await self._identification.signer_of(
                submission.jws, submission.profile, certificate=certificate
            )
            sender = identified.participant.participant
            self._limiter.take(sender, now=time.monotonic())
        except GatewayError as refusal:
            self._on_refused(refusal, sender)
            raise
        return Arrived(submission, identified)

    def _confirmed(self, arrived: Arrived) -> Arrived:
        identified = self._identification.confirm(arrived.identified)
        return arrived if identified is arrived.identified else replace(arrived, identified=identified)

    async def _consider(self, arrived: Arrived) -> Considered:
        alert_json = arrived.alert_json()
        alert = read_alert(alert_json)
        check_permission(arrived.identified.participant, alert)
        now = self._clock()
        deadline = check_times(alert, now) or now + self._give_up_after
        thread, sources = await self._known_of(alert)
        snapshot = self._registry.snapshot_at(now)
        reached = {} if thread is None else thread.reached
        decisions = decide(alert, snapshot, now, reached=reached, sources=sources.binding)
        return Considered(
            arrived=arrived,
            payload_digest=hashlib.sha256(alert_json).digest(),
            alert=alert,
            decisions=decisions,
            decided_at=now,
            world=snapshot.world(now),
            thread=thread,
            sources=sources,
            deadline=min(deadline, now + self._give_up_after),
            warnings=warnings_of(alert, thread, decisions),
        )

    async def _known_of(self, alert: Alert) -> tuple[Thread | None, Sources]:
        """Return the thread an alert belongs to, and what it passes on of others'.

        An alert that references nothing of its sender's that is known starts a thread.
        """
        if not alert.references:
            return None, NO_SOURCES
        own, marks = own_references(alert), self._acceptances.marks
        async with self._store.reading() as connection:
            thread = await find_thread(connection, marks, sender=alert.sender, identifiers=own) if own else None
            sources = await find_sources(connection, marks, alert)
        if thread is None and alert.msgType == "Cancel":
            raise AlertRefusedError((UNKNOWN_REFERENCE,))
        return thread, sources

    async def _accepted_before(self, arrived: Arrived) -> Answer | None:
        try:
            alert_json = arrived.alert_json()
            alert = read_alert(alert_json)
        except GatewayError:
            return None
        async with self._store.reading() as connection:
            digest = hashlib.sha256(alert_json).digest()
            earlier = await self._acceptances.first_answer(connection, alert, payload_digest=digest)
        return earlier if alert.sender == arrived.identified.participant.participant else None

    async def _record_refusal(self, arrived: Arrived, refusal: GatewayError, *, decided_at: int | None = None) -> None:
        entry = _entry(Kind.REFUSED, arrived, {"problem": refusal.name})
        await self._committer.submit(self._entries, entry, decided_at=decided_at)
        self._on_refused(refusal, arrived.identified.participant.participant)


def _acceptance(considered: Considered, traceparent: str, *, basis: Basis) -> Acceptance:
    arrived = considered.arrived
    return Acceptance(
        alert=considered.alert,
        home=arrived.identified.participant.jurisdiction,
        kid=arrived.identified.unverified.kid,
        submission=arrived.submission.data,
        submission_digest=arrived.digest,
        payload_digest=considered.payload_digest,
        references=own_references(considered.alert),
        thread=considered.thread,
        sources=considered.sources,
        decisions=considered.decisions,
        deadline_ms=int(considered.deadline.timestamp() * 1000),
        warnings=considered.warnings,
        traceparent=traceparent,
        basis=basis,
    )


def _read(data: bytes) -> Submission:
    try:
        return read_submission(data)
    except MalformedJwsError as error:
        raise MalformedSubmissionError(error.reason) from error


def _entry(kind: Kind, arrived: Arrived, content: dict[str, str]) -> Draft:
    participant = arrived.identified.participant
    return Draft(
        kind=kind,
        actor=participant.participant,
        jurisdictions=(participant.jurisdiction,),
        alert_id=None,
        agreement=None,
        content={
            "digest": f"sha-256:{arrived.digest.hex()}",
            "kid": arrived.identified.unverified.kid,
            **content,
        },
    )

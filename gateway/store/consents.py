"""Consent before release: who is asked, what was answered, and what becomes of the dispatch that waits for it.

    held ──every answer is "given"──> pending, with a `routed` entry, which is the first that its recipient may see
    held ──one answer is "refused"──> withheld
    held ──the time to answer is over──> withheld
    held ──a later alert of its thread is accepted──> withheld: what that one says is asked about anew

A question is open while its dispatch is held and it has no answer; questions and answers are rows that never change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, bindparam, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements import reasons
from audit.entry import Draft
from audit.kinds import Kind
from gateway.errors import ConsentClosedError, OvertakenError
from gateway.store.asking import home_of_asked
from gateway.store.committer import Batch
from gateway.store.decisions import routed_entry
from gateway.store.dispatches import HELD, PENDING, WITHHELD, Route, Settled, clause_of, route_of, rows_of
from gateway.store.tables import consent_answers, consent_requests, dispatches
from gateway.store.terms import read_terms
from gateway.store.withholding import end_withheld
from gateway.trust.registry import CurrentRegistry, UnknownVersionError
from schemas.consents import Answer, Consent
from schemas.decisions import Lane, Permit
from schemas.ids import AgreementId, AlertId, DeliveryId, KeyId, ParticipantId, home_of
from schemas.timestamps import utc_text_of_ms


@dataclass(frozen=True, slots=True)
class SignedConsent:
    """An answer whose signature was verified, and the JWS it came in."""

    consent: Consent
    kid: KeyId
    compact: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """Where an answer stands in the log; ``replayed`` where the same one stood there before."""

    log_index: int
    replayed: bool


class ConsentWriter:
    """Stores answers, and lets go or ends what waited for them."""

    def __init__(self, registry: CurrentRegistry, *, on_routed: Callable[[Iterable[Route]], None]) -> None:
        self._registry = registry
        self._on_routed = on_routed

    async def write(
        self, batch: Batch, items: Sequence[SignedConsent]
    ) -> Sequence[Answered | ConsentClosedError | OvertakenError]:
        """Return the place of each answer, or that nobody is asked any more.

        Nobody is once the agreement has lapsed, though the watch that ends what waits has yet to come by. Where this
        very batch changed the registry, the answers are to be taken after it.
        """
        if self._registry.stage(batch).version != self._registry.version:
            return [OvertakenError() for _ in items]
        return [await self._write_one(batch, item) for item in items]

    async def _write_one(self, batch: Batch, item: SignedConsent) -> Answered | ConsentClosedError:
        consent, connection = item.consent, batch.connection
        known = (
            await connection.execute(select(consent_answers).where(consent_answers.c.consent_id == consent.consent_id))
        ).one_or_none()
        if known is not None:
            same = known.decision == consent.decision.value
            return Answered(known.log_index, replayed=True) if same else ConsentClosedError()
        question = (
            await connection.execute(
                select(consent_requests).where(consent_requests.c.consent_id == consent.consent_id)
            )
        ).one()
        row = (await rows_of(connection, {DeliveryId(question.delivery_id)}))[question.delivery_id]
        if row["state"] != HELD or question.deadline_ms <= batch.now_ms or self._is_lapsed(row, batch):
            return ConsentClosedError()
        index = batch.log.append(_answer_entry(row, item))
        answer = {
            "consent_id": consent.consent_id,
            "decision": consent.decision.value,
            "compact": item.compact,
            "log_index": index,
        }
        await connection.execute(insert(consent_answers), [answer])
        match consent.decision:
            case Answer.REFUSED:
                await end_withheld(batch, [(row, reasons.consent_refused(clause_of(row), consent.by))])
            case Answer.GIVEN:
                if not await _unanswered(connection, row["delivery_id"]):
                    await self._release(batch, row)
        return Answered(index, replayed=False)

    def _is_lapsed(self, row: Mapping[str, Any], batch: Batch) -> bool:
        sender, recipient = ParticipantId(row["sender"]), ParticipantId(row["recipient"])
        try:
            return self._registry.lapse(clause_of(row), sender, recipient, batch.now) is not None
        except UnknownVersionError:
            return True  # whoever does not know an agreement lets nothing go under it

    async def _release(self, batch: Batch, row: Mapping[str, Any]) -> None:
        """Let a dispatch go: everyone has consented."""
        recipient, terms, under = ParticipantId(row["recipient"]), read_terms(row["terms"]), clause_of(row)
        reason = reasons.consented(under, terms.consent_by)
        permit = Permit(recipient, home_of(recipient), under, Lane(row["lane"]), reason, terms)
        sender = ParticipantId(row["sender"])
        entry = routed_entry(
            permit,
            delivery_id=DeliveryId(row["delivery_id"]),
            alert_id=AlertId(row["alert_id"]),
            sender=sender,
            home=home_of(sender),
        )
        owed = terms.acknowledge_within
        released = {
            "of": row["delivery_id"],
            "since": batch.now_ms,
            "by": batch.log.append(entry),
            "until": None if owed is None else batch.now_ms + owed * 1000,
        }
        await batch.connection.execute(_RELEASE, [released])
        batch.after_commit.append(lambda: self._on_routed([route_of(row)]))


class LapseWriter:
    """Ends what waited for consent for longer than it may."""

    async def write(self, batch: Batch, items: Sequence[DeliveryId]) -> Sequence[Settled | None]:
        """Return what became of each dispatch; None where it is not held any more, or its time has yet to come."""
        rows = await rows_of(batch.connection, set(items))
        return [await self._lapse(batch, rows[item]) if item in rows else None for item in items]

    async def _lapse(self, batch: Batch, row: dict[str, Any]) -> Settled | None:
        if row["state"] != HELD:
            return None
        silent = await _unanswered(batch.connection, row["delivery_id"])
        late = [each for each in silent if each.deadline_ms <= batch.now_ms]
        if not late:
            return None
        names, deadline = tuple(each.asked for each in late), utc_text_of_ms(late[0].deadline_ms)
        batch.log.append(_lapse_entry(row, names, deadline))
        await end_withheld(batch, [(row, reasons.consent_lapsed(clause_of(row), names, deadline))])
        row["state"] = WITHHELD
        return Settled(DeliveryId(row["delivery_id"]), route_of(row), WITHHELD, changed=True)


async def lapsed(connection: AsyncConnection, *, now_ms: int, limit: int) -> Sequence[DeliveryId]:
    """Return held dispatches that have an open question whose time is over."""
    found = await connection.scalars(
        select(dispatches.c.delivery_id)
        .where(
            dispatches.c.state == HELD,
            exists().where(
                consent_requests.c.delivery_id == dispatches.c.delivery_id,
                consent_requests.c.deadline_ms <= now_ms,
                ~exists().where(consent_answers.c.consent_id == consent_requests.c.consent_id),
            ),
        )
        .limit(limit)
    )
    return [DeliveryId(each) for each in found]


async def overtake(batch: Batch, threads: Mapping[AlertId, AlertId]) -> None:
    """End what is held of some threads; ``threads`` names the later alert of each."""
    held = await batch.connection.scalars(_HELD_OF, {"wanted": sorted(threads)})
    rows = await rows_of(batch.connection, {DeliveryId(each) for each in held})
    ending = sorted(rows.values(), key=lambda row: str(row["delivery_id"]))
    await end_withheld(batch, [(row, reasons.overtaken(threads[AlertId(row["thread"])])) for row in ending])


async def _unanswered(connection: AsyncConnection, delivery_id: str) -> Sequence[Row[Any]]:
    """Return the questions about a dispatch that have no answer."""
    rows = await connection.execute(
        select(consent_requests)
        .where(
            consent_requests.c.delivery_id == delivery_id,
            ~exists().where(consent_answers.c.consent_id == consent_requests.c.consent_id),
        )
        .order_by(consent_requests.c.asked)
    )
    return rows.all()


def _answer_entry(row: Mapping[str, Any], item: SignedConsent) -> Draft:
    consent = item.consent
    given = consent.decision is Answer.GIVEN
    return Draft(
        kind=Kind.CONSENT_GIVEN if given else Kind.CONSENT_REFUSED,
        actor=ParticipantId(consent.by) if "." in consent.by else None,
        jurisdictions=(home_of(ParticipantId(row["sender"])), home_of_asked(consent.by)),
        alert_id=AlertId(row["alert_id"]),
        agreement=AgreementId(row["agreement"]),
        content={
            "consent_id": consent.consent_id,
            "delivery_id": row["delivery_id"],
            "recipient": row["recipient"],
            "clause": str(clause_of(row)),
            "by": consent.by,
            "kid": item.kid,
            "at": consent.at,
            "digest": f"sha-256:{item.digest.hex()}",
        },
    )


def _lapse_entry(row: Mapping[str, Any], names: Collection[str], deadline: str) -> Draft:
    return Draft(
        kind=Kind.CONSENT_LAPSED,
        actor=None,
        jurisdictions=(home_of(ParticipantId(row["sender"])), *(home_of_asked(name) for name in names)),
        alert_id=AlertId(row["alert_id"]),
        agreement=AgreementId(row["agreement"]),
        content={
            "delivery_id": row["delivery_id"],
            "recipient": row["recipient"],
            "clause": str(clause_of(row)),
            "by": list(names),
            "deadline": deadline,
        },
    )


_RELEASE: Final = (
    update(dispatches)
    .where(dispatches.c.delivery_id == bindparam("of"), dispatches.c.state == HELD)
    .values(state=PENDING, due_ms=bindparam("since"), released=bindparam("by"), owed_ms=bindparam("until"))
)
_HELD_OF: Final = select(dispatches.c.delivery_id).where(
    dispatches.c.state == HELD, dispatches.c.thread.in_(bindparam("wanted", expanding=True))
)

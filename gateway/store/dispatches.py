"""Dispatches: one recipient's copy of one alert, from committed to settled.

    pending ──published──> published ──Delivered──> delivered
       ^                       │  └────Refused────> refused
       └───────Deferred────────┘
    published ──nobody reports──> pending
    pending, published ──deadline passed──> expired
    pending ──its agreement lapsed──> withheld
    pending, published ──Recalled──> withheld, or pending where nothing has lapsed (``gateway.store.recalled``)
    held ──everyone who was asked consents──> pending
    held ──consent refused or late, its agreement lapsed, a later alert of its thread──> withheld

A dispatch is *held* until it is released; of one that never was, its recipient must not learn
(``gateway.store.consents``). It is *open* while it is pending or published. ``attempts`` counts the attempts that were
begun; one that nobody reports on is made again under its number, for it may never have been one. ``due_ms`` is when a
dispatch is to be published: where it is published already, when it is to be again unless somebody reports on it. Within
one thread and recipient only the earliest open dispatch is ever due, so a later one waits for its outcome. An outcome
may come twice, late, or before the relay has marked the publication: each case is one branch of ``_change``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, assert_never

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from gateway.backoff import Backoff
from gateway.store.committer import Batch
from gateway.store.tables import alerts, dispatches
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, DeliveryId, ParticipantId, home_of
from schemas.parcels import Deferred, Delivered, OutcomeReport, Recalled, Refused
from schemas.timestamps import utc_text_of_ms

HELD: Final = "held"
PENDING: Final = "pending"
PUBLISHED: Final = "published"
DELIVERED: Final = "delivered"
REFUSED: Final = "refused"
EXPIRED: Final = "expired"
WITHHELD: Final = "withheld"
OPEN: Final = (PENDING, PUBLISHED)

REOPENED_AT_ONCE: Final = 500
"""Dispatches that one transaction reopens at most because nobody reported on them."""


@dataclass(frozen=True, slots=True)
class Route:
    """One lane to one recipient."""

    recipient: ParticipantId
    lane: Lane


@dataclass(frozen=True, slots=True)
class Published:
    """A dispatch that the relay has put on the bus, and which attempt that was.

    ``due_ms`` is when it is published again if nobody reports on it.
    """

    delivery_id: DeliveryId
    attempt: int
    due_ms: int


class Reopening(Enum):
    """Which of what is published is to be published again: what is due, or, for a bus that forgot, all."""

    DUE = "due"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Reopened:
    """A dispatch that was published and is pending again."""

    delivery_id: DeliveryId
    route: Route


@dataclass(frozen=True, slots=True)
class Settled:
    """What an outcome or a deadline did.

    ``state`` is the dispatch's now, and ``due_ms`` when it is due again if it is pending. ``attempt`` is the one that
    was reported on; None of a deadline. ``frees`` is the lane in which the next of its thread waited for its end.
    """

    delivery_id: DeliveryId
    route: Route
    state: str
    changed: bool
    attempt: int | None = None
    due_ms: int | None = None
    frees: Lane | None = None

    def answers(self, attempt: int) -> bool:
        """Whether no report on this attempt is owing any more: this is it or a later one, or the dispatch has ended.

        A report that comes twice, of an attempt before, answers for no other.
        """
        return self.state not in OPEN or self.attempt is None or self.attempt >= attempt


class PublishedWriter:
    """Marks dispatches as published, unless their outcome was faster; an item is any number of marks."""

    async def write(self, batch: Batch, items: Sequence[Sequence[Published]]) -> Sequence[None]:
        """Write the marks; no entry is made of them."""
        marks = [mark for item in items for mark in item]
        if not marks:
            return [None] * len(items)
        await batch.connection.execute(
            update(dispatches)
            .where(
                dispatches.c.delivery_id == bindparam("of"),
                dispatches.c.state == PENDING,
                dispatches.c.attempts == bindparam("before"),
            )
            .values(state=PUBLISHED, attempts=bindparam("now_at"), due_ms=bindparam("again_ms")),
            [
                {"of": mark.delivery_id, "before": mark.attempt - 1, "now_at": mark.attempt, "again_ms": mark.due_ms}
                for mark in marks
            ],
        )
        return [None] * len(items)


class OutcomeWriter:
    """Turns outcome reports into states and evidence."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff

    async def write(self, batch: Batch, items: Sequence[OutcomeReport]) -> Sequence[Settled | None]:
        """Write the outcomes; None for a delivery, or an attempt at one, that this exchange never made."""
        rows = await rows_of(batch.connection, {item.delivery_id for item in items})
        results: list[Settled | None] = []
        changes: list[dict[str, Any]] = []
        for item in items:
            row = rows.get(item.delivery_id)
            if row is None or row["recipient"] != item.recipient or item.attempt > row["attempts"] + 1:
                results.append(None)  # beyond the attempt that is published and has no mark yet there is none
                continue
            change = self._change(batch, row, item)
            if change is not None:
                row.update(change)
                changes.append({"of": item.delivery_id, **{f"new_{name}": value for name, value in change.items()}})
                _append_evidence(batch, row, item)
            results.append(
                Settled(
                    delivery_id=item.delivery_id,
                    route=route_of(row),
                    state=row["state"],
                    changed=change is not None,
                    attempt=item.attempt,
                    due_ms=row["due_ms"] if row["state"] == PENDING else None,
                )
            )
        if changes:
            await batch.connection.execute(_SETTLE_OUTCOME, changes)
        return await with_freed(batch.connection, rows, results)

    def _change(self, batch: Batch, row: dict[str, Any], report: OutcomeReport) -> dict[str, Any] | None:
        """Return the row's new values, or None where the report changes nothing."""
        attempts = max(row["attempts"], report.attempt)
        settled = {"attempts": attempts, "due_ms": row["due_ms"], "settled_ms": batch.now_ms, "handed": None}
        match report.outcome:
            case Delivered(detail=detail, digest=digest) if row["state"] in (*OPEN, EXPIRED, WITHHELD):
                # an expired or withheld delivery that the partner took after all is delivered: the evidence says both
                return {**settled, "state": DELIVERED, "detail": detail, "handed": bytes.fromhex(digest) or None}
            case Refused(detail=detail) if row["state"] in OPEN:
                return {**settled, "state": REFUSED, "detail": detail}
            case Deferred(detail=detail, retry_after=retry_after) if (
                row["state"] in OPEN and report.attempt >= row["attempts"] and report.attempt > 0
            ):
                if row["state"] == PENDING and report.attempt == row["attempts"]:
                    return None  # the same report again: its retry stands already
                fraction = int.from_bytes(batch.randomness(4), "big") / 2**32
                delay = self._backoff.delay(attempt=attempts, fraction=fraction, retry_after=retry_after)
                return {
                    "attempts": attempts,
                    "due_ms": batch.now_ms + int(delay * 1000),
                    "settled_ms": None,
                    "state": PENDING,
                    "detail": detail,
                    "handed": None,
                }
            case Delivered() | Refused() | Deferred() | Recalled():
                return None  # settled already, or a report of an earlier attempt
            case unreachable:
                assert_never(unreachable)


class ExpiryWriter:
    """Ends dispatches whose deadline has passed: negative evidence instead of silence."""

    async def write(self, batch: Batch, items: Sequence[DeliveryId]) -> Sequence[Settled | None]:
        """Return what became of each dispatch; None where it was settled before, or its deadline is yet to come."""
        rows = await rows_of(batch.connection, set(items))
        results: list[Settled | None] = []
        changes: list[dict[str, Any]] = []
        for delivery_id in items:
            row = rows.get(delivery_id)
            if row is None or row["state"] not in OPEN or row["deadline_ms"] > batch.now_ms:
                results.append(None)
                continue
            row["state"] = EXPIRED
            results.append(Settled(delivery_id, route_of(row), EXPIRED, changed=True))
            deadline = utc_text_of_ms(row["deadline_ms"])
            batch.log.append(evidence_of(Kind.EXPIRED, row, {"deadline": deadline, "detail": row["detail"] or ""}))
            changes.append(
                {
                    "of": delivery_id,
                    "new_state": EXPIRED,
                    "new_attempts": row["attempts"],
                    "new_due_ms": row["due_ms"],
                    "new_settled_ms": batch.now_ms,
                    "new_detail": row["detail"],
                }
            )
        if changes:
            await batch.connection.execute(SETTLE, changes)
        return await with_freed(batch.connection, rows, results)


class ReopenWriter:
    """Makes what was published pending again, for the same attempt: its record may be lost."""

    async def write(self, batch: Batch, items: Sequence[Reopening]) -> Sequence[Sequence[Reopened]]:
        """Return for each call what it reopened: of what is due as much as one transaction should change."""
        return [await self._reopen(batch, item) for item in items]

    async def _reopen(self, batch: Batch, which: Reopening) -> Sequence[Reopened]:
        statement = update(dispatches).where(dispatches.c.state == PUBLISHED)
        match which:
            case Reopening.DUE:
                due = select(dispatches.c.delivery_id).where(
                    dispatches.c.state == PUBLISHED, dispatches.c.due_ms <= batch.now_ms
                )
                statement = statement.where(dispatches.c.delivery_id.in_(due.limit(REOPENED_AT_ONCE)))
            case Reopening.ALL:
                pass
            case unreachable:
                assert_never(unreachable)
        rows = await batch.connection.execute(
            statement.values(state=PENDING, due_ms=batch.now_ms, attempts=dispatches.c.attempts - 1).returning(
                dispatches.c.delivery_id, dispatches.c.recipient, dispatches.c.lane
            )
        )
        return [
            Reopened(DeliveryId(row.delivery_id), Route(ParticipantId(row.recipient), Lane(row.lane))) for row in rows
        ]


SETTLE = (
    update(dispatches)
    .where(dispatches.c.delivery_id == bindparam("of"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        due_ms=bindparam("new_due_ms"),
        settled_ms=bindparam("new_settled_ms"),
        detail=bindparam("new_detail"),
    )
)


_SETTLE_OUTCOME: Final = SETTLE.values(handed=bindparam("new_handed"))


async def rows_of(connection: AsyncConnection, deliveries: set[DeliveryId]) -> dict[str, dict[str, Any]]:
    """Return dispatches by their ids, each with its alert's sender."""
    statement = (
        select(dispatches, alerts.c.sender)
        .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
        .where(dispatches.c.delivery_id.in_(sorted(deliveries)))
    )
    return {row.delivery_id: dict(row._mapping) for row in await connection.execute(statement)}  # noqa: SLF001 - Row's public name for its columns


async def with_freed(
    connection: AsyncConnection, rows: Mapping[str, dict[str, Any]], results: Sequence[Settled | None]
) -> list[Settled | None]:
    """Return the results with the lane in which the next dispatch of each one's thread waits for the relay."""
    ended = {rows[each.delivery_id]["thread"] for each in results if each and each.changed and each.state not in OPEN}
    if not ended:
        return list(results)
    waiting = await connection.execute(_WAITING.where(dispatches.c.thread.in_(sorted(ended))))
    # the earliest comes last, and stays
    lanes = {(row.thread, row.recipient): Lane(row.lane) for row in waiting}

    def freeing(each: Settled | None) -> Settled | None:
        if each is None or each.state in OPEN:
            return each
        return replace(each, frees=lanes.get((rows[each.delivery_id]["thread"], each.route.recipient)))

    return [freeing(each) for each in results]


_WAITING = (
    select(dispatches.c.thread, dispatches.c.recipient, dispatches.c.lane)
    .where(dispatches.c.state == PENDING)
    .order_by(dispatches.c.log_index.desc())
)


def route_of(row: Mapping[str, Any]) -> Route:
    """Return the route of a dispatch."""
    return Route(ParticipantId(row["recipient"]), Lane(row["lane"]))


def clause_of(row: Mapping[str, Any]) -> ClauseRef:
    """Return the clause under which a dispatch goes."""
    return ClauseRef(AgreementId(row["agreement"]), row["version"], row["clause"])


def _append_evidence(batch: Batch, row: dict[str, Any], report: OutcomeReport) -> None:
    evidence = {"detail": row["detail"] or ""}
    match report.outcome:
        case Delivered():
            handed = {} if row["handed"] is None else {"digest": f"sha-256:{row['handed'].hex()}"}
            batch.log.append(evidence_of(Kind.DELIVERED, row, {**evidence, **handed}))
        case Refused():
            batch.log.append(evidence_of(Kind.UNDELIVERABLE, row, evidence))
        case Deferred() | Recalled():
            pass  # an attempt is a row of the exchange; the evidence is how the delivery ends
        case unreachable:
            assert_never(unreachable)


def evidence_of(kind: Kind, row: Mapping[str, Any], content: dict[str, Any]) -> Draft:
    """Return the entry of how a delivery came out."""
    sender, recipient = ParticipantId(row["sender"]), ParticipantId(row["recipient"])
    return Draft(
        kind=kind,
        actor=recipient,
        jurisdictions=(home_of(sender), home_of(recipient)),
        alert_id=AlertId(row["alert_id"]),
        agreement=AgreementId(row["agreement"]),
        content={
            "delivery_id": row["delivery_id"],
            "recipient": recipient,
            "attempt": row["attempts"],
            **content,
        },
    )

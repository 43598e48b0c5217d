"""Ending what has not gone out and may not any more, with the clause and the reason as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from gateway.store.committer import Batch
from gateway.store.decisions import denial_content
from gateway.store.dispatches import HELD, PENDING, SETTLE, WITHHELD, Settled, clause_of, route_of, rows_of, with_freed
from gateway.store.tables import alerts, dispatches
from schemas.decisions import ClauseRef, Deny, Reason
from schemas.ids import AgreementId, AlertId, DeliveryId, ParticipantId, home_of


@dataclass(frozen=True, slots=True)
class Way:
    """From whom to whom something waits, and under which clause it may go."""

    under: ClauseRef
    sender: ParticipantId
    recipient: ParticipantId


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A dispatch whose clause lets nothing pass any more, and why."""

    delivery_id: DeliveryId
    reason: Reason


def way_of(row: Row[Any]) -> Way:
    """Return the way of a dispatch, as ``gateway.store.due`` and this module read it."""
    under = ClauseRef(AgreementId(row.agreement), row.version, row.clause)
    return Way(under, ParticipantId(row.sender), ParticipantId(row.recipient))


async def waiting_ways(connection: AsyncConnection) -> Sequence[Way]:
    """Return every way on which something is pending or held."""
    rows: Sequence[Row[Any]] = (await connection.execute(_WAYS)).all()
    return [way_of(row) for row in rows]


_WAITING: Final = (PENDING, HELD)
_WAYS: Final[Select[Any]] = (
    select(
        dispatches.c.agreement,
        dispatches.c.version,
        dispatches.c.clause,
        dispatches.c.recipient,
        alerts.c.sender,
    )
    .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
    .where(dispatches.c.state.in_(_WAITING))
    .distinct()
)


async def waiting_on(connection: AsyncConnection, way: Way, *, limit: int) -> Sequence[DeliveryId]:
    """Return dispatches that are pending or held on a way, the earliest first."""
    found = await connection.scalars(
        select(dispatches.c.delivery_id)
        .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
        .where(
            dispatches.c.recipient == way.recipient,
            dispatches.c.state.in_(_WAITING),
            dispatches.c.agreement == way.under.agreement,
            dispatches.c.version == way.under.version,
            dispatches.c.clause == way.under.clause,
            alerts.c.sender == way.sender,
        )
        .order_by(dispatches.c.log_index)
        .limit(limit)
    )
    return [DeliveryId(each) for each in found]


class WithholdingWriter:
    """Ends dispatches that have not gone out; what is on the bus already is its adapter's to report on."""

    async def write(self, batch: Batch, items: Sequence[Lapsed]) -> Sequence[Settled | None]:
        """Return what became of each dispatch; None where it is neither pending nor held any more."""
        rows = await rows_of(batch.connection, {item.delivery_id for item in items})
        results: list[Settled | None] = []
        ending: list[tuple[dict[str, Any], Reason]] = []
        for item in items:
            row = rows.get(item.delivery_id)
            if row is None or row["state"] not in _WAITING:
                results.append(None)
                continue
            ending.append((row, item.reason))
            row["state"] = WITHHELD
            results.append(Settled(item.delivery_id, route_of(row), WITHHELD, changed=True))
        await end_withheld(batch, ending)
        return await with_freed(batch.connection, rows, results)


async def end_withheld(batch: Batch, ending: Sequence[tuple[Mapping[str, Any], Reason]]) -> None:
    """End dispatches, as ``rows_of`` reads them, for a reason each: an entry and the new state."""
    for row, reason in ending:
        batch.log.append(_entry(row, reason))
    if ending:
        await batch.connection.execute(
            SETTLE,
            [
                {
                    "of": row["delivery_id"],
                    "new_state": WITHHELD,
                    "new_attempts": row["attempts"],
                    "new_due_ms": row["due_ms"],
                    "new_settled_ms": batch.now_ms,
                    "new_detail": reason.code,
                }
                for row, reason in ending
            ],
        )


def _entry(row: Mapping[str, Any], reason: Reason) -> Draft:
    sender, recipient = ParticipantId(row["sender"]), ParticipantId(row["recipient"])
    under = clause_of(row)
    denial = Deny(recipient, home_of(recipient), reason, ((under, reason),))
    knowing = () if row["released"] is None else (home_of(recipient),)
    return Draft(
        kind=Kind.WITHHELD,
        actor=sender,
        jurisdictions=(home_of(sender), *knowing),
        alert_id=AlertId(row["alert_id"]),
        agreement=under.agreement,
        content={
            "delivery_id": row["delivery_id"],
            "attempt": row["attempts"],
            "withheld": [denial_content(denial)],
        },
    )

"""What was accepted in the past, and what counted then: rows read back as they stood at an index of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from audit.tables import log_entries
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentErasedError
from gateway.store.content_keys import OPENING, opened, with_keys
from gateway.store.placing import Basis
from gateway.store.tables import alerts, authority_statements
from schemas.ids import AlertId, ParticipantId


@dataclass(frozen=True, slots=True)
class PastDecision:
    """An accepted alert as it is stored, with what the log says was decided on it.

    ``submission`` is None where the content was erased, ``basis`` where the log does not say what it was decided from.
    ``permits`` and ``denials`` are the contents of its entries, by recipient.
    """

    alert_id: AlertId
    log_index: int
    sender: ParticipantId
    submission: bytes | None
    basis: Basis | None
    permits: Mapping[ParticipantId, Mapping[str, Any]]
    denials: Mapping[ParticipantId, Mapping[str, Any]]


async def read_past_decision(connection: AsyncConnection, contents: Contents, alert_id: AlertId) -> PastDecision | None:
    """Return what is stored of the decision on an alert; None for an alert that is not there.

    Raises ``ContentUnreadableError`` where the content is there and can't be read.
    """
    chosen = with_keys(select(*OPENING, alerts.c.log_index, alerts.c.sender)).where(alerts.c.alert_id == alert_id)
    row = (await connection.execute(chosen)).one_or_none()
    if row is None:
        return None
    entries = await connection.execute(
        select(log_entries.c.log_index, log_entries.c.kind, log_entries.c.content)
        .where(log_entries.c.alert_id == alert_id, log_entries.c.log_index >= row.log_index)
        .order_by(log_entries.c.log_index)
    )
    accepted: Mapping[str, Any] = {}
    permits: dict[ParticipantId, Mapping[str, Any]] = {}
    denials: dict[ParticipantId, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries):
        if entry.log_index != row.log_index + place:  # an acceptance's entries stand together; what follows is later
            break
        content = orjson.loads(entry.content)["content"]
        match entry.kind:
            case Kind.ACCEPTED:
                accepted = content
            case Kind.ROUTED | Kind.CONSENT_REQUESTED:
                permits[ParticipantId(content["recipient"])] = content
            case Kind.WITHHELD:
                denials = {ParticipantId(each["recipient"]): each for each in content["withheld"]}
            case _:
                break
    return PastDecision(
        alert_id=alert_id,
        log_index=row.log_index,
        sender=ParticipantId(row.sender),
        submission=_kept(contents, row),
        basis=Basis.read(accepted),
        permits=permits,
        denials=denials,
    )


def _kept(contents: Contents, row: Row[Any]) -> bytes | None:
    try:
        return opened(contents, row)
    except ContentErasedError:
        return None


async def read_past_statements(connection: AsyncConnection, *, until: int) -> tuple[bytes, ...]:
    """Return the authority statements that stand below an index of the log, as signed, in its order."""
    said = await connection.execute(
        select(authority_statements.c.compact)
        .where(authority_statements.c.log_index < until)
        .order_by(authority_statements.c.log_index)
    )
    return tuple(said.scalars())

"""Questions of consent as those see them who are asked, and the senders of the alerts that wait for the answers.

Whoever is asked sees what it is asked about, and not what the alert says: that is for its recipients. Who may see a
question is part of the query, so one that is not there and one that is another's are the same: no row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.sealing.contents import Contents
from gateway.store.content_keys import key_of, with_keys
from gateway.store.dispatches import HELD
from gateway.store.handling import read_handling
from gateway.store.names import identifier_of
from gateway.store.reader import Reader
from gateway.store.tables import alerts, citations, consent_answers, consent_requests, content_keys, dispatches
from schemas.ids import AlertId, ConsentId
from schemas.timestamps import utc_text_of_ms

MOST: Final = 200
"""Questions that one answer lists at most."""


async def questions_about(connection: AsyncConnection, alert_id: AlertId) -> Mapping[str, list[dict[str, Any]]]:
    """Return the questions about an alert's dispatches, by their delivery ids, with the signed answers."""
    rows = await connection.execute(
        # by its dispatches, which have an index of their alerts: every alert that its sender reads back is asked about
        _STATE.where(dispatches.c.alert_id == alert_id).order_by(consent_requests.c.asked)
    )
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row.delivery_id].append(_question(row))
    return found


async def read_questions(
    connection: AsyncConnection, contents: Contents, reader: Reader, *, open_at_ms: int | None
) -> Sequence[dict[str, Any]]:
    """Return what a reader was asked, the latest first.

    ``open_at_ms`` narrows it to what could be answered at that instant, in ms since the Unix epoch, whatever ends first
    coming first.
    """
    wanted = _WHOLE.where(_asked(reader)).order_by(consent_requests.c.log_index.desc(), consent_requests.c.consent_id)
    if open_at_ms is not None:
        unanswered = consent_answers.c.consent_id.is_(None)
        wanted = (
            wanted.where(unanswered, dispatches.c.state == HELD, consent_requests.c.deadline_ms > open_at_ms)
            .order_by(None)
            .order_by(consent_requests.c.deadline_ms, consent_requests.c.consent_id)
        )
    rows = await connection.execute(wanted.limit(MOST))
    return [await _whole(connection, contents, row) for row in rows.all()]


async def read_question(
    connection: AsyncConnection, contents: Contents, reader: Reader, consent_id: str
) -> dict[str, Any] | None:
    """Return one question, where a reader is asked it or sent the alert that it is about; None else."""
    visible = or_(_asked(reader), alerts.c.sender == reader.participant)
    row = (await connection.execute(_WHOLE.where(consent_requests.c.consent_id == consent_id, visible))).one_or_none()
    return None if row is None else await _whole(connection, contents, row)


async def find_question(connection: AsyncConnection, consent_id: ConsentId) -> Mapping[str, str] | None:
    """Return what an answer to a question must say, member by member; None for a question that was never asked."""
    row = (
        await connection.execute(
            select(consent_requests, dispatches.c.recipient, alerts.c.submission_digest)
            .join(dispatches, dispatches.c.delivery_id == consent_requests.c.delivery_id)
            .join(alerts, alerts.c.alert_id == consent_requests.c.alert_id)
            .where(consent_requests.c.consent_id == consent_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return {
        "alert_id": row.alert_id,
        "digest": _digest(row.submission_digest),
        "recipient": row.recipient,
        "by": row.asked,
    }


def _asked(reader: Reader) -> ColumnElement[bool]:
    asked = [reader.participant, *([reader.jurisdiction] if reader.auditor else [])]
    return consent_requests.c.asked.in_(asked)


async def _whole(connection: AsyncConnection, contents: Contents, row: Row[Any]) -> dict[str, Any]:
    own = await connection.execute(
        with_keys(select(alerts.c.alert_id, alerts.c.identifier, content_keys.c.wrapped_by, content_keys.c.wrapped))
        .join(citations, citations.c.name == alerts.c.name)
        .where(citations.c.alert_id == row.alert_id, citations.c.sender == row.asked)
        .order_by(alerts.c.log_index)
    )
    return {
        **_question(row),
        "alert_id": row.alert_id,
        "digest": _digest(row.submission_digest),
        "sender": row.sender,
        "identifier": identifier_of(contents, row),
        "content": contents.state(key_of(row)).value,
        "type": row.type,
        "status": row.status,
        "msgType": row.msg_type,
        "received": utc_text_of_ms(row.received_ms),
        "handling": read_handling(row.handling),
        "passes_on": [identifier_of(contents, each) for each in own],
        "recipient": row.recipient,
        "agreement": f"{row.agreement}/{row.version}",
        "clause": row.clause,
    }


def _question(row: Row[Any]) -> dict[str, Any]:
    signed = None if row.compact is None else row.compact.decode("ascii")
    return {
        "consent_id": row.consent_id,
        "asked": row.asked,
        "deadline": utc_text_of_ms(row.deadline_ms),
        "state": _state(row),
        "signed": signed,
    }


def _state(row: Row[Any]) -> str:
    """Return what was answered; else ``open`` while the dispatch waits, and ``closed`` where it waits no more."""
    if row.decision is not None:
        return str(row.decision)
    return "open" if row.state == HELD else "closed"


def _digest(digest: bytes) -> str:
    return f"sha-256:{digest.hex()}"


_STATE: Final[Select[Any]] = (
    select(consent_requests, consent_answers.c.decision, consent_answers.c.compact, dispatches.c.state)
    .join(dispatches, dispatches.c.delivery_id == consent_requests.c.delivery_id)
    .outerjoin(consent_answers, consent_answers.c.consent_id == consent_requests.c.consent_id)
)
_WHOLE: Final[Select[Any]] = with_keys(
    _STATE.join(alerts, alerts.c.alert_id == consent_requests.c.alert_id)
).add_columns(
    content_keys.c.wrapped_by,
    content_keys.c.wrapped,
    alerts.c.sender,
    alerts.c.identifier,
    alerts.c.type,
    alerts.c.status,
    alerts.c.msg_type,
    alerts.c.received_ms,
    alerts.c.submission_digest,
    alerts.c.handling,
    dispatches.c.recipient,
    dispatches.c.agreement,
    dispatches.c.version,
    dispatches.c.clause,
)

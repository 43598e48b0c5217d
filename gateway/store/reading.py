"""Reading an alert back: what its sender, its recipients and their auditors may see of it.

Who may see an alert is part of the query, so an alert that is not there and one that is another's cost the same and
are the same: no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Row, exists, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from audit.queries import LoggedEntry
from audit.tables import log_entries
from gateway.sealing.contents import Contents, ContentState, is_sealed
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.store.acknowledgements import place_of
from gateway.store.content_keys import OPENING, key_of, opened, with_keys
from gateway.store.decisions import in_words
from gateway.store.disclosed import read_own
from gateway.store.dispatches import HELD, OPEN
from gateway.store.names import identifier_of, name_mark
from gateway.store.questions import questions_about
from gateway.store.reader import Reader
from gateway.store.tables import acknowledgements, alerts, content_keys, dispatches
from gateway.store.terms import terms_document, terms_of_content
from schemas.ids import AlertId, JurisdictionCode, ParticipantId, home_of
from schemas.timestamps import utc_text_of_ms


async def read_alert(
    connection: AsyncConnection, contents: Contents, reader: Reader, *, alert_id: AlertId
) -> dict[str, Any] | None:
    """Return what the reader may see of one alert, by the exchange's own id; None where that is nothing."""
    return await _read(connection, contents, reader, alerts.c.alert_id == alert_id)


async def read_alert_by_name(
    connection: AsyncConnection, contents: Contents, reader: Reader, *, sender: ParticipantId, identifier: str
) -> dict[str, Any] | None:
    """Return what the reader may see of one alert, by its sender and identifier; None where that is nothing."""
    return await _read(connection, contents, reader, alerts.c.name == name_mark(contents.marks, sender, identifier))


async def find_alert(connection: AsyncConnection, reader: Reader, which: ColumnElement[bool]) -> Row[Any] | None:
    """Return the row of an alert that a reader may see anything of, with its keys; None where there is none."""
    found: Row[Any] | None = (await connection.execute(with_keys(_ALERT).where(which, visible(reader)))).one_or_none()
    return found


async def submission_of(connection: AsyncConnection, contents: Contents, alert_id: AlertId) -> bytes | None:
    """Return what was submitted, byte for byte; None where it was erased, or can't be read."""
    row = (await connection.execute(with_keys(select(*OPENING)).where(alerts.c.alert_id == alert_id))).one()
    try:
        return opened(contents, row)
    except (ContentErasedError, ContentUnreadableError):
        return None


async def _read(
    connection: AsyncConnection, contents: Contents, reader: Reader, which: ColumnElement[bool]
) -> dict[str, Any] | None:
    alert = await find_alert(connection, reader, which)
    if alert is None:
        return None
    sees_all = speaks_for(reader, alert.sender)
    entries = await _decision_entries(connection, alert)
    deliveries = await _deliveries(connection, contents, alert, entries, reader, sees_all=sees_all)
    content = _content(contents, alert, entries, reader.jurisdiction, sees_all=sees_all)
    return {
        "alert_id": alert.alert_id,
        "thread": alert.thread,
        "sender": alert.sender,
        "identifier": identifier_of(contents, alert),
        "type": alert.type,
        "status": alert.status,
        "msgType": alert.msg_type,
        "received": utc_text_of_ms(alert.received_ms),
        "log_index": alert.log_index,
        "digest": f"sha-256:{alert.submission_digest.hex()}",
        "state": "erased" if content["state"] == ContentState.ERASED else _state(deliveries),
        "content": content,
        "decisions": _decisions(entries, reader, sees_all=sees_all),
        "deliveries": deliveries,
        "log_entry": _log_entry(contents, alert, entries) if sees_all else None,
    }


def visible(reader: Reader) -> ColumnElement[bool]:
    """Return what holds of the alerts that a reader may see anything of."""
    mine = dispatches.c.recipient == reader.participant
    home = f"{reader.jurisdiction.lower()}."
    audited: ColumnElement[bool] = false()
    if reader.auditor:
        mine = or_(mine, dispatches.c.recipient.startswith(home, autoescape=True))
        audited = alerts.c.sender.startswith(home, autoescape=True)
    reached = exists().where(dispatches.c.alert_id == alerts.c.alert_id, dispatches.c.released.is_not(None), mine)
    return or_(alerts.c.sender == reader.participant, audited, reached)


def _content(
    contents: Contents, alert: Row[Any], entries: Sequence[Row[Any]], home: JurisdictionCode, *, sees_all: bool
) -> dict[str, Any]:
    """Return what is left of an alert's content.

    Until when it stays, and that it is held, its sender's side alone is told: the shortest of all terms says something
    of agreements with others. Of what was erased the entry is named that the reader's jurisdiction can read, if any.
    """
    erasures = [orjson.loads(entry.content) for entry in entries if entry.kind == Kind.ERASED]
    if erasures:
        erased = next((each for each in erasures if home in each["jurisdictions"]), None)
        told = (erased or erasures[0])["content"]
        ended = {name: told[name] for name in ("basis", "unreadable_by")}
        place = {} if erased is None else {"log_index": erased["index"]}
        return {"state": ContentState.ERASED.value, "erased": erasures[0]["time"], **place, **ended}
    state = contents.state(key_of(alert))
    if not sees_all:
        return {"state": state.value}
    if alert.held_by is not None and state is ContentState.STORED:
        return {"state": ContentState.HELD.value}
    until = {} if alert.due_ms is None else {"until": utc_text_of_ms(alert.due_ms)}
    return {"state": state.value, **until}


def speaks_for(reader: Reader, participant: str) -> bool:
    """Say whether a reader sees what a participant sees: it is that one, or audits for its jurisdiction."""
    if participant == reader.participant:
        return True
    return reader.auditor and home_of(ParticipantId(participant)) == reader.jurisdiction


def _state(deliveries: list[dict[str, Any]]) -> str:
    """Return ``in-progress`` while a delivery is open or held, ``settled`` else."""
    return "in-progress" if any(delivery["state"] in (HELD, *OPEN) for delivery in deliveries) else "settled"


async def _deliveries(
    connection: AsyncConnection,
    contents: Contents,
    alert: Row[Any],
    entries: Sequence[Row[Any]],
    reader: Reader,
    *,
    sees_all: bool,
) -> list[dict[str, Any]]:
    withheld = _withheld(entries)
    questions = await questions_about(connection, alert.alert_id) if sees_all else {}
    rows = await connection.execute(
        select(dispatches).where(dispatches.c.alert_id == alert.alert_id).order_by(dispatches.c.recipient)
    )
    said = await connection.execute(
        select(acknowledgements)
        .where(acknowledgements.c.alert_id == alert.alert_id)
        .order_by(acknowledgements.c.log_index)
    )
    words: dict[str, list[dict[str, Any]]] = {}
    for word in said:
        signed = signed_word(contents, alert, word)
        words.setdefault(word.delivery_id, []).append(
            {"status": word.status, "at": word.at, "log_index": word.log_index, "signed": signed}
        )
    return [
        {
            "delivery_id": row.delivery_id,
            "participant": row.recipient,
            "lane": row.lane,
            "agreement": f"{row.agreement}/{row.version}",
            "clause": row.clause,
            "state": row.state,
            "attempts": row.attempts,
            "detail": row.detail,
            "settled": None if row.settled_ms is None else utc_text_of_ms(row.settled_ms),
            "deadline": utc_text_of_ms(row.deadline_ms),
            "acknowledgements": words.get(row.delivery_id, []),
            **({"consents": questions[row.delivery_id]} if row.delivery_id in questions else {}),
            **withheld.get(row.delivery_id, {}),
        }
        for row in rows
        if sees_all or (row.released is not None and speaks_for(reader, row.recipient))
    ]


def signed_word(contents: Contents, alert: Row[Any], word: Row[Any]) -> str | None:
    """Return a word as the compact JWS it was given in; None where it was erased with the alert's content."""
    stored: bytes = word.compact
    if is_sealed(stored):
        place = place_of(word.delivery_id, word.status)
        try:
            stored = contents.open(AlertId(alert.alert_id), stored, key_of(alert), place=place)
        except (ContentErasedError, ContentUnreadableError):
            return None
    return stored.decode("ascii") or None


def _withheld(entries: Sequence[Row[Any]]) -> dict[str, dict[str, Any]]:
    """Return why each dispatch was withheld that was routed before, by its delivery id."""
    contents = [orjson.loads(entry.content)["content"] for entry in entries if entry.kind == Kind.WITHHELD]
    return {
        content["delivery_id"]: {"reason": in_words(content["withheld"][0]["reason"])}
        for content in contents
        if "delivery_id" in content
    }


async def _decision_entries(connection: AsyncConnection, alert: Row[Any]) -> list[Row[Any]]:
    kinds = [str(kind) for kind in (Kind.ACCEPTED, Kind.CONSENT_REQUESTED, Kind.ROUTED, Kind.WITHHELD, Kind.ERASED)]
    rows = await connection.execute(
        select(log_entries)
        .where(log_entries.c.alert_id == alert.alert_id, log_entries.c.kind.in_(kinds))
        .order_by(log_entries.c.log_index)
    )
    return list(rows)


def _decisions(entries: list[Row[Any]], reader: Reader, *, sees_all: bool) -> list[dict[str, Any]]:
    """Return each recipient's decision; of one that awaited consent and got it, what came of it."""
    permits: dict[str, dict[str, Any]] = {}
    decisions: list[dict[str, Any]] = []
    for entry in entries:
        content = orjson.loads(entry.content)["content"]
        asking = entry.kind == Kind.CONSENT_REQUESTED and sees_all
        if asking or (entry.kind == Kind.ROUTED and (sees_all or speaks_for(reader, content["recipient"]))):
            permits[content["recipient"]] = {
                "participant": content["recipient"],
                "decision": "permit",
                "under": content["clause"],
                "lane": content["lane"],
                **(terms_document(terms_of_content(content["terms"])) if "terms" in content else {}),
                "reason": in_words(content["reason"]),
            }
        elif entry.kind == Kind.WITHHELD and sees_all and "delivery_id" not in content:
            decisions.extend(
                {
                    "participant": denial["recipient"],
                    "decision": "deny",
                    "reason": in_words(denial["reason"]),
                    "considered": [
                        {"clause": considered["clause"], "reason": in_words(considered["reason"])}
                        for considered in denial["considered"]
                    ],
                }
                for denial in content["withheld"]
            )
    return sorted((*permits.values(), *decisions), key=lambda decision: str(decision["participant"]))


def _log_entry(contents: Contents, alert: Row[Any], entries: list[Row[Any]]) -> dict[str, Any]:
    """Return the ``accepted`` entry with its salt, so that its reader can compute the public commitment.

    With it comes what it withholds, as far as that is still to be had.
    """
    row = next(entry for entry in entries if entry.kind == Kind.ACCEPTED)
    accepted = LoggedEntry(row.log_index, row.salt, row.content, row.commitment, row.disclosures)
    read = read_own(contents, accepted, key_of(alert))
    return {
        "index": accepted.index,
        "salt": accepted.salt.hex(),
        "commitment": accepted.commitment.hex(),
        "entry": read.whole,
        "withheld": read.state.value,
        "disclosures": read.disclosures,
    }


_ALERT: Final = select(
    *(column for column in alerts.columns if column is not alerts.c.submission),
    content_keys.c.wrapped_by,
    content_keys.c.wrapped,
    content_keys.c.due_ms,
    content_keys.c.held_by,
)

"""What authorities state of an alert's content: legal holds, their releases, orders to erase.

    stored ──held──> held: its key is wrapped by the hold's own, before the key of its day can be destroyed
    held ──the last hold released──> stored: due at once where its time is over, by the key of tomorrow at the earliest
    stored ──ordered──> erased; copies that have not gone out end as withheld

A hold has a key of its own, which goes when it is released: no copy of a content key that it wrapped is read any more.
One on a thread stands over what is accepted later too (``gateway.store.standing``), and ends for all of it at once.
The authority of every jurisdiction that is a party to the alert may hold it, that of the sender's may have it erased.
An alert that is not there and one that is another's are the same. The same statement again gets its first place, but
for a hold that was released since: whoever sends it would take the content for held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, assert_never

from sqlalchemy import Row, Select, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements import reasons
from audit.entry import Draft
from audit.kinds import Kind
from gateway.errors import (
    AlertRefusedError,
    ContentGoneError,
    ContentHeldError,
    GatewayError,
    NotFoundError,
)
from gateway.sealing.contents import Contents, utc_day
from gateway.sealing.errors import ContentErasedError
from gateway.sealing.folder import day_key, hold_key
from gateway.store.committer import Batch
from gateway.store.dispatches import HELD, PENDING, rows_of
from gateway.store.erasing import erasable, erase
from gateway.store.retention import DAY_MS, RetentionBasis
from gateway.store.standing import STANDS, alerts_of, bring_under, homes_of, rewrap, rewrap_or_leave, standing_over
from gateway.store.tables import alerts, content_keys, content_statements, dispatches
from gateway.store.withholding import end_withheld
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.holds import ContentStatement, ErasureOrder, HoldRelease, LegalHold
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.signing.canonical import PlainValue
from schemas.timestamps import utc_text_of_ms


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement that an authority signed; ``digest`` is the SHA-256 of its payload, by which it is known."""

    statement: ContentStatement
    kid: KeyId
    compact: bytes
    digest: bytes

    @property
    def alert_id(self) -> AlertId:
        """The alert that it is about, or the one that began the thread that it is about."""
        return self.statement.named

    @property
    def jurisdiction(self) -> JurisdictionCode:
        """Whose authority speaks."""
        return JurisdictionCode(self.statement.jurisdiction)


@dataclass(frozen=True, slots=True)
class Stated:
    """Where a statement stands in the log; ``replayed`` where it stood there before."""

    log_index: int
    replayed: bool


class StatementWriter:
    """Stores what authorities state of content, and does it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def write(self, batch: Batch, items: Sequence[SignedStatement]) -> Sequence[Stated | GatewayError]:
        """Return the place of each statement, or why it is not taken."""
        return [await self._write_one(batch, item) for item in items]

    async def _write_one(self, batch: Batch, item: SignedStatement) -> Stated | GatewayError:
        known = await _known(batch.connection, item)
        if known is not None:
            return AlertRefusedError((_RELEASED,)) if known.released else Stated(known.log_index, replayed=True)
        alert = await _party(batch.connection, item)
        if alert is None:
            return NotFoundError()
        match item.statement:
            case LegalHold(digest=digest):
                return await self._hold(batch, item, alert, about=digest)
            case HoldRelease(hold=hold):
                return await self._release(batch, item, alert, ended=bytes.fromhex(hold.removeprefix("sha-256:")))
            case ErasureOrder(digest=digest):
                return await self._erase(batch, item, alert, about=digest)
            case unreachable:
                assert_never(unreachable)

    async def _hold(self, batch: Batch, item: SignedStatement, alert: Row[Any], *, about: str) -> Stated | GatewayError:
        thread = item.statement.thread
        if thread is not None and alert.thread != thread:
            return AlertRefusedError((_BEGINS_NO_THREAD,))
        if about != _digest(alert):
            return AlertRefusedError((_OTHER_CONTENT,))
        content = {**_content(item), "hold": _hex(item.digest), "digest": _digest(alert)}
        if thread is not None:
            return await self._hold_thread(batch, item, alert, AlertId(thread), content)
        row = await erasable(batch.connection, item.alert_id)
        if row is None:
            return ContentGoneError()
        if row.held_by is None:
            by = hold_key(item.digest)
            try:
                await rewrap(batch, self._contents, row, by=by, held_by=item.digest, due_ms=row.due_ms)
            except ContentErasedError:
                return ContentGoneError()  # a restored database, whose erasure is about to be logged anew
        return await _record(batch, item, _entry(Kind.HELD, item, alert, content))

    async def _hold_thread(
        self, batch: Batch, item: SignedStatement, alert: Row[Any], thread: AlertId, content: dict[str, PlainValue]
    ) -> Stated | GatewayError:
        theirs = [
            each
            for each in await alerts_of(batch.connection, thread)
            if item.jurisdiction in await homes_of(batch.connection, each)
        ]
        if not [each for each in theirs if await erasable(batch.connection, each) is not None]:
            return ContentGoneError()
        stated = await _record(batch, item, _entry(Kind.HELD, item, alert, content))
        await bring_under(batch, self._contents, {thread: theirs})
        return stated

    async def _release(
        self, batch: Batch, item: SignedStatement, alert: Row[Any], *, ended: bytes
    ) -> Stated | GatewayError:
        if not await _stands(batch.connection, item, ended):
            return NotFoundError()
        due: dict[str, PlainValue] = {}
        held = await batch.connection.scalars(
            select(content_keys.c.alert_id).where(content_keys.c.held_by == ended).order_by(content_keys.c.alert_id)
        )
        for alert_id in held.all():
            due_ms = await self._end(batch, AlertId(alert_id), ended)
            if due_ms is not None and item.statement.thread is None:
                due = {"due": utc_text_of_ms(due_ms)}
        content = {**_content(item), "hold": _hex(ended), "digest": _digest(alert), **due}
        return await _record(batch, item, _entry(Kind.RELEASED, item, alert, content), ends=ended)

    async def _end(self, batch: Batch, alert_id: AlertId, ended: bytes) -> int | None:
        """Leave an alert's content to another hold that stands over it, or to its time, which is returned."""
        row = await erasable(batch.connection, alert_id)
        if row is None:
            return None
        others = sorted(hold for hold in await standing_over(batch.connection, alert_id) if hold != ended)
        due_ms: int = row.due_ms if others else max(row.due_ms, batch.now_ms)
        until = datetime.fromtimestamp(max(due_ms, batch.now_ms + DAY_MS) / 1000, tz=UTC)
        name = hold_key(others[0]) if others else day_key(utc_day(until))
        held_by = others[0] if others else None
        await rewrap_or_leave(batch, self._contents, row, by=name, held_by=held_by, due_ms=due_ms)
        return None if others else due_ms

    async def _erase(
        self, batch: Batch, item: SignedStatement, alert: Row[Any], *, about: str
    ) -> Stated | GatewayError:
        if home_of(ParticipantId(alert.sender)) != item.jurisdiction:
            return NotFoundError()
        if about != _digest(alert):
            return AlertRefusedError((_OTHER_CONTENT,))
        row = await erasable(batch.connection, item.alert_id)
        if row is None:
            return ContentGoneError()
        if await standing_over(batch.connection, item.alert_id):
            return ContentHeldError()
        await _end_what_waits(batch, item)
        ordered: dict[str, PlainValue] = {
            "basis": RetentionBasis.ORDER.value,
            "order": _hex(item.digest),
            "jurisdiction": item.jurisdiction,
            "kid": item.kid,
        }
        (index,) = await erase(batch, [row], ordered)
        await _store(batch, item, index)
        return Stated(index, replayed=False)


async def _known(connection: AsyncConnection, item: SignedStatement) -> Row[Any] | None:
    """Return where a statement stands in the log, and whether it is a hold that was released since."""
    found: Row[Any] | None = (
        await connection.execute(
            select(
                content_statements.c.log_index,
                exists().where(_ENDING.c.ends == content_statements.c.digest).label("released"),
            ).where(content_statements.c.digest == item.digest)
        )
    ).one_or_none()
    return found


async def _party(connection: AsyncConnection, item: SignedStatement) -> Row[Any] | None:
    """Return the alert of a statement where its jurisdiction is a party to it: the sender's, or one it reached."""
    home = f"{item.jurisdiction.lower()}."
    reached = exists().where(
        dispatches.c.alert_id == alerts.c.alert_id,
        dispatches.c.released.is_not(None),
        dispatches.c.recipient.startswith(home, autoescape=True),
    )
    named = alerts.c.alert_id == item.alert_id
    found = await connection.execute(_ALERT.where(named, alerts.c.sender.startswith(home, autoescape=True) | reached))
    row: Row[Any] | None = found.one_or_none()
    return row


async def _stands(connection: AsyncConnection, item: SignedStatement, hold: bytes) -> bool:
    """Say whether a hold is this authority's, on what this statement names, and nobody released it."""
    thread = content_statements.c.thread
    found = await connection.scalar(
        select(content_statements.c.log_index).where(
            content_statements.c.digest == hold,
            content_statements.c.jurisdiction == item.jurisdiction,
            content_statements.c.alert_id == item.alert_id,
            thread.is_(None) if item.statement.thread is None else thread == item.statement.thread,
            STANDS,
        )
    )
    return found is not None


async def _end_what_waits(batch: Batch, item: SignedStatement) -> None:
    """End the copies that have not gone out; what is on the bus already is its adapter's to report on."""
    waiting = await batch.connection.scalars(
        select(dispatches.c.delivery_id).where(
            dispatches.c.alert_id == item.alert_id, dispatches.c.state.in_((HELD, PENDING))
        )
    )
    rows = await rows_of(batch.connection, {DeliveryId(each) for each in waiting})
    reason = reasons.erasure_ordered(item.jurisdiction)
    ending = sorted(rows.values(), key=lambda row: str(row["delivery_id"]))
    await end_withheld(batch, [(row, reason) for row in ending])


async def _record(batch: Batch, item: SignedStatement, entry: Draft, *, ends: bytes | None = None) -> Stated:
    index = batch.log.append(entry)
    await _store(batch, item, index, ends=ends)
    return Stated(index, replayed=False)


async def _store(batch: Batch, item: SignedStatement, index: int, *, ends: bytes | None = None) -> None:
    row = {
        "digest": item.digest,
        "statement": item.statement.statement,
        "alert_id": item.alert_id,
        "jurisdiction": item.jurisdiction,
        "ends": ends,
        "compact": item.compact,
        "log_index": index,
        "thread": item.statement.thread,
    }
    await batch.connection.execute(insert(content_statements), [row])


def _entry(kind: Kind, item: SignedStatement, alert: Row[Any], content: dict[str, PlainValue]) -> Draft:
    return Draft(
        kind=kind,
        actor=None,
        jurisdictions=(home_of(ParticipantId(alert.sender)), item.jurisdiction),
        alert_id=item.alert_id,
        agreement=None,
        content=content,
    )


def _content(item: SignedStatement) -> dict[str, PlainValue]:
    statement = item.statement
    reference = statement.reference if isinstance(statement, LegalHold) else None
    said: dict[str, PlainValue] = {"jurisdiction": item.jurisdiction, "kid": item.kid, "at": statement.at}
    optional = {"reference": reference, "thread": statement.thread}
    return said | {name: value for name, value in optional.items() if value is not None}


def _digest(alert: Row[Any]) -> str:
    return _hex(alert.submission_digest)


def _hex(digest: bytes) -> str:
    return f"sha-256:{digest.hex()}"


_ALERT: Final[Select[Any]] = select(alerts.c.alert_id, alerts.c.sender, alerts.c.submission_digest, alerts.c.thread)
_ENDING: Final = content_statements.alias("ending")
_RELEASED: Final = Fault(
    pointer="/at",
    code="hold-released",
    message=Bilingual(
        fr="cette mise sous garde a été levée et ne garde plus rien : signez-en une nouvelle",
        en="this hold was released and holds nothing any more: sign a new one",
    ),
)
_BEGINS_NO_THREAD: Final = Fault(
    pointer="/thread",
    code="begins-no-thread",
    message=Bilingual(
        fr="cette alerte fait suite à une autre : nommez celle qui a ouvert le fil",
        en="this alert follows another: name the one that began the thread",
    ),
)
_OTHER_CONTENT: Final = Fault(
    pointer="/digest",
    code="not-this-content",
    message=Bilingual(
        fr="l'empreinte n'est pas celle de la soumission conservée sous cet identifiant",
        en="the digest is not that of the submission that is stored under this id",
    ),
)

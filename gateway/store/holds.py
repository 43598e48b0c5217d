"""What authorities state of an alert's content: legal holds, their releases, orders to erase.

    stored ──held──> held: its key is wrapped by the hold's own, before the key of its day can be destroyed
    held ──the last hold released──> stored: due at once where its time is over, by the key of tomorrow at the earliest
    stored ──ordered──> erased; copies that have not gone out end as withheld

A hold has a key of its own, which goes when it is released: no copy of a content key that it wrapped is read any more.
The authority of every jurisdiction that is a party to the alert may hold it, that of the sender's may have it erased.
An alert that is not there and one that is another's are the same. The same statement again gets its first place, but
for a hold that was released since: whoever sends it would take the content for held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import structlog
from sqlalchemy import Row, Select, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements import reasons
from audit.entry import Draft, Kind
from gateway.errors import (
    AlertRefusedError,
    ContentGoneError,
    ContentHeldError,
    GatewayError,
    LogUnavailableError,
    NotFoundError,
)
from gateway.sealing.contents import Contents, WrappedKey, utc_day
from gateway.sealing.errors import ContentErasedError, SealingError
from gateway.sealing.folder import KeyName, day_key, hold_key
from gateway.store.committer import Batch
from gateway.store.dispatches import HELD, PENDING, rows_of
from gateway.store.erasing import erasable, erase
from gateway.store.retention import DAY_MS, RetentionBasis
from gateway.store.tables import alerts, content_keys, content_statements, dispatches
from gateway.store.withholding import end_withheld
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.holds import ContentStatement, ErasureOrder, HoldRelease, LegalHold
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.signing.canonical import PlainValue
from schemas.timestamps import utc_text_of_ms

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement that an authority signed; ``digest`` is the SHA-256 of its payload, by which it is known."""

    statement: ContentStatement
    kid: KeyId
    compact: bytes
    digest: bytes

    @property
    def alert_id(self) -> AlertId:
        """The alert that it is about."""
        return AlertId(self.statement.alert_id)

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
        if about != _digest(alert):
            return AlertRefusedError((_OTHER_CONTENT,))
        row = await erasable(batch.connection, item.alert_id)
        if row is None:
            return ContentGoneError()
        if row.held_by is None:
            try:
                await self._rewrap(batch, row, by=hold_key(item.digest), held_by=item.digest, due_ms=row.due_ms)
            except ContentErasedError:
                return ContentGoneError()  # a restored database, whose erasure is about to be logged anew
        content = {**_content(item), "hold": _hex(item.digest), "digest": _digest(alert)}
        return await _record(batch, item, _entry(Kind.HELD, item, alert, content))

    async def _release(
        self, batch: Batch, item: SignedStatement, alert: Row[Any], *, ended: bytes
    ) -> Stated | GatewayError:
        standing = await _standing(batch.connection, item.alert_id)
        if standing.get(ended) != item.jurisdiction:
            return NotFoundError()
        row = await erasable(batch.connection, item.alert_id)
        due: dict[str, PlainValue] = {}
        if row is not None and row.held_by == ended:
            others = sorted(hold for hold in standing if hold != ended)
            due_ms = row.due_ms if others else max(row.due_ms, batch.now_ms)
            until = datetime.fromtimestamp(max(due_ms, batch.now_ms + DAY_MS) / 1000, tz=UTC)
            name = hold_key(others[0]) if others else day_key(utc_day(until))
            await self._rewrap(batch, row, by=name, held_by=others[0] if others else None, due_ms=due_ms)
            due = {} if others else {"due": utc_text_of_ms(due_ms)}
        content = {**_content(item), "hold": _hex(ended), "digest": _digest(alert), **due}
        return await _record(batch, item, _entry(Kind.RELEASED, item, alert, content), ends=ended)

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
        if await _standing(batch.connection, item.alert_id):
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

    async def _rewrap(self, batch: Batch, row: Row[Any], *, by: KeyName, held_by: bytes | None, due_ms: int) -> None:
        key = WrappedKey(KeyName(row.wrapped_by), row.wrapped)
        try:
            renewed = self._contents.rewrap(
                AlertId(row.alert_id), key, by=by, today=utc_day(batch.now), randomness=batch.randomness
            )
        except ContentErasedError:
            raise
        except SealingError as error:
            log.critical("content_can_not_be_rewrapped", error=type(error).__name__, key=key.by)
            raise LogUnavailableError from error
        await batch.connection.execute(
            update(content_keys)
            .where(content_keys.c.alert_id == row.alert_id)
            .values(wrapped_by=renewed.by, wrapped=renewed.wrapped, held_by=held_by, due_ms=due_ms)
        )


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


async def _standing(connection: AsyncConnection, alert_id: AlertId) -> dict[bytes, JurisdictionCode]:
    """Return the holds of an alert that nobody released, with whose they are."""
    rows = await connection.execute(
        select(content_statements.c.digest, content_statements.c.jurisdiction).where(
            content_statements.c.alert_id == alert_id,
            content_statements.c.statement == "legal-hold",
            ~exists().where(_ENDING.c.ends == content_statements.c.digest),
        )
    )
    return {row.digest: JurisdictionCode(row.jurisdiction) for row in rows}


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
    return said if reference is None else {**said, "reference": reference}


def _digest(alert: Row[Any]) -> str:
    return _hex(alert.submission_digest)


def _hex(digest: bytes) -> str:
    return f"sha-256:{digest.hex()}"


_ALERT: Final[Select[Any]] = select(alerts.c.alert_id, alerts.c.sender, alerts.c.submission_digest)
_ENDING: Final = content_statements.alias("ending")
_RELEASED: Final = Fault(
    pointer="/at",
    code="hold-released",
    message=Bilingual(
        fr="cette mise sous garde a été levée et ne garde plus rien : signez-en une nouvelle",
        en="this hold was released and holds nothing any more: sign a new one",
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

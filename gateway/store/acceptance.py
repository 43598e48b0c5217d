"""Storing accepted alerts: entries, alert, dispatches and the signed answer, in one transaction.

An alert is known by its sender and identifier, for good: the database's constraint says so, not a cache. The same
payload again gets the first answer, byte for byte; another payload under the same name is refused.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, select

from audit.bulk import insert_rows
from audit.entry import Draft, Kind
from gateway.errors import GatewayError, IdentifierReusedError, UntrustedSignatureError
from gateway.receipts import Promise, ReceiptSigner
from gateway.store.committer import Batch
from gateway.store.decisions import denial_content, reason_content
from gateway.store.dispatches import PENDING, Route
from gateway.store.tables import alerts, dispatches
from schemas.alerts.header import Alert
from schemas.decisions import Decision, Deny, Permit
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, KeyId, uuid7


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All that is known of an alert before it is stored.

    ``thread`` is the first alert of its chain, or None where it is itself the first. ``deadline_ms`` is when its
    dispatches end, in milliseconds since the Unix epoch. ``traceparent`` is its request's trace context, or "".
    """

    alert: Alert
    home: JurisdictionCode
    kid: KeyId
    submission: bytes
    submission_digest: bytes
    payload_digest: bytes
    thread: AlertId | None
    decisions: tuple[Decision, ...]
    deadline_ms: int
    warnings: tuple[str, ...] = ()
    traceparent: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """What the alert is known by, for good: its sender and identifier."""
        return self.alert.sender, self.alert.identifier

    @property
    def permits(self) -> list[Permit]:
        """Who receives it."""
        return [decision for decision in self.decisions if isinstance(decision, Permit)]

    @property
    def denials(self) -> list[Deny]:
        """Who does not."""
        return [decision for decision in self.decisions if isinstance(decision, Deny)]


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON that the sender gets, as bytes; ``replayed`` where it is the answer of an earlier submission."""

    alert_id: AlertId
    body: bytes
    replayed: bool


class AcceptanceWriter:
    """Writes acceptances; its items are ``Acceptance``, its results ``Answer`` or the reason why not."""

    def __init__(
        self,
        signer: ReceiptSigner,
        *,
        trusted: Callable[[KeyId, Batch], bool],
        on_routed: Callable[[Iterable[Route]], None],
        on_stored: Callable[[Sequence[tuple[AlertId, Acceptance]]], None] = lambda _stored: None,
    ) -> None:
        self._signer = signer
        self._trusted = trusted
        self._on_routed = on_routed
        self._on_stored = on_stored

    async def write(self, batch: Batch, items: Sequence[Acceptance]) -> Sequence[Answer | GatewayError]:
        """Store what is new and answer what is not; two equal submissions in one batch are stored once.

        A key that was revoked since its signature was verified is trusted no more: the log never shows an alert that
        was accepted after the revocation of its key.
        """
        known = await self._known(batch, items)
        trusted = {kid: self._trusted(kid, batch) for kid in {item.kid for item in items}}
        placed: dict[tuple[str, str], _Placed] = {}
        for item in items:
            if item.name not in known and item.name not in placed and trusted[item.kid]:
                placed[item.name] = _place(batch, item)
        bodies = await self._store(batch, placed) if placed else {}
        results: list[Answer | GatewayError] = []
        for item in items:
            if not trusted[item.kid]:
                results.append(UntrustedSignatureError())
            elif item.name in known:
                results.append(known[item.name].answer_to(item))
            else:
                first = placed[item.name]
                answer = Answer(alert_id=first.alert_id, body=bodies[item.name], replayed=first.item is not item)
                results.append(_Known(first.item.payload_digest, answer).answer_to(item))
        return results

    async def _store(self, batch: Batch, placed: Mapping[tuple[str, str], _Placed]) -> Mapping[tuple[str, str], bytes]:
        """Insert the rows and return the signed answers, which are signed while rows that need none go in."""
        now_ms = batch.now_ms
        signing = asyncio.create_task(self._answers(batch, list(placed.values())))
        try:
            await asyncio.sleep(0)  # the receipts go out to be signed
            routed = [row for each in placed.values() for row in _dispatch_rows(each, now_ms=now_ms)]
            if routed:
                await insert_rows(batch.connection, dispatches, routed)
                routes = {Route(permit.recipient, permit.lane) for each in placed.values() for _, permit in each.routes}
                batch.after_commit.append(lambda: self._on_routed(routes))
            await batch.log.insert()
            bodies = dict(zip(placed, await signing, strict=True))
        finally:
            signing.cancel()
        rows = [_alert_row(each, bodies[name], now_ms=now_ms) for name, each in placed.items()]
        await insert_rows(batch.connection, alerts, rows)
        batch.after_commit.append(lambda: self._on_stored([(each.alert_id, each.item) for each in placed.values()]))
        return bodies

    async def _answers(self, batch: Batch, placed: Sequence[_Placed]) -> list[bytes]:
        receipts = await self._signer.sign([each.promise for each in placed], received=batch.now)
        return [_answer(each, receipt) for each, receipt in zip(placed, receipts, strict=True)]

    async def _known(self, batch: Batch, items: Sequence[Acceptance]) -> dict[tuple[str, str], _Known]:
        # one look-up for each sender: SQLite finds pairs of values in a list by reading the whole table
        identifiers: defaultdict[str, list[str]] = defaultdict(list)
        for item in items:
            identifiers[item.alert.sender].append(item.alert.identifier)
        known = {}
        for sender, wanted in identifiers.items():
            for row in await batch.connection.execute(_KNOWN, {"by": sender, "wanted": wanted}):
                answer = Answer(alert_id=AlertId(row.alert_id), body=row.answer, replayed=True)
                known[sender, row.identifier] = _Known(row.payload_digest, answer)
        return known


_KNOWN: Final = select(alerts.c.identifier, alerts.c.payload_digest, alerts.c.alert_id, alerts.c.answer).where(
    alerts.c.sender == bindparam("by"), alerts.c.identifier.in_(bindparam("wanted", expanding=True))
)


@dataclass(frozen=True, slots=True)
class _Known:
    """An alert that has its answer already."""

    payload_digest: bytes
    answer: Answer

    def answer_to(self, item: Acceptance) -> Answer | IdentifierReusedError:
        return self.answer if item.payload_digest == self.payload_digest else IdentifierReusedError()


@dataclass(frozen=True, slots=True)
class _Placed:
    """An acceptance with the names that its transaction gave it; ``routes`` has each permit's delivery."""

    item: Acceptance
    alert_id: AlertId
    thread: AlertId
    log_index: int
    routes: tuple[tuple[DeliveryId, Permit], ...]

    @property
    def promise(self) -> Promise:
        """What its receipt says."""
        return Promise(
            alert_id=self.alert_id,
            sender=self.item.alert.sender,
            identifier=self.item.alert.identifier,
            submission_digest=self.item.submission_digest,
            log_index=self.log_index,
        )


def _answer(placed: _Placed, receipt: str) -> bytes:
    document: dict[str, Any] = {
        "alert_id": placed.alert_id,
        "log_index": placed.log_index,
        "receipt": receipt,
        "recipients": [
            {
                "participant": permit.recipient,
                "agreement": f"{permit.under.agreement}/{permit.under.version}",
                "clause": permit.under.clause,
                "lane": permit.lane,
            }
            for _, permit in placed.routes
        ],
    }
    if placed.item.warnings:
        document["warnings"] = list(placed.item.warnings)
    return orjson.dumps(document)


def _place(batch: Batch, item: Acceptance) -> _Placed:
    """Append an acceptance's entries, and return it with its place in the log."""
    alert_id = AlertId(uuid7(at=batch.now, randomness=batch.randomness(10)))
    thread = item.thread or alert_id
    permits, denials = item.permits, item.denials
    log_index = batch.log.append(_accepted_entry(item, alert_id, thread, permits))
    routes = tuple((DeliveryId(uuid7(at=batch.now, randomness=batch.randomness(10))), permit) for permit in permits)
    placed = _Placed(item, alert_id, thread, log_index, routes)
    for delivery_id, permit in routes:
        batch.log.append(_routed_entry(placed, delivery_id, permit))
    if denials:
        batch.log.append(_withheld_entry(placed, denials))
    return placed


def _accepted_entry(item: Acceptance, alert_id: AlertId, thread: AlertId, permits: Sequence[Permit]) -> Draft:
    alert = item.alert
    return Draft(
        kind=Kind.ACCEPTED,
        actor=alert.sender,
        jurisdictions=(item.home, *(permit.jurisdiction for permit in permits)),
        alert_id=alert_id,
        agreement=None,
        content={
            "digest": f"sha-256:{item.submission_digest.hex()}",
            "payload_digest": f"sha-256:{item.payload_digest.hex()}",
            "kid": item.kid,
            "identifier": alert.identifier,
            "type": alert.type,
            "status": alert.status,
            "msg_type": alert.msgType,
            "tlp": alert.handling.tlp,
            "thread": thread,
        },
    )


def _routed_entry(placed: _Placed, delivery_id: DeliveryId, permit: Permit) -> Draft:
    return Draft(
        kind=Kind.ROUTED,
        actor=placed.item.alert.sender,
        jurisdictions=(placed.item.home, permit.jurisdiction),
        alert_id=placed.alert_id,
        agreement=permit.under.agreement,
        content={
            "delivery_id": delivery_id,
            "recipient": permit.recipient,
            "clause": str(permit.under),
            "lane": permit.lane.value,
            "reason": reason_content(permit.reason),
        },
    )


def _withheld_entry(placed: _Placed, denials: Sequence[Deny]) -> Draft:
    return Draft(
        kind=Kind.WITHHELD,
        actor=placed.item.alert.sender,
        jurisdictions=(placed.item.home,),
        alert_id=placed.alert_id,
        agreement=None,
        content={"withheld": [denial_content(denial) for denial in denials]},
    )


def _alert_row(placed: _Placed, answer: bytes, *, now_ms: int) -> tuple[Any, ...]:
    """Return the row of ``alerts``, in the order of its columns."""
    item, alert = placed.item, placed.item.alert
    return (
        placed.alert_id,
        placed.log_index,
        placed.thread,
        alert.sender,
        alert.identifier,
        item.payload_digest,
        alert.type,
        alert.status,
        alert.msgType,
        now_ms,
        item.submission,
        answer,
    )


def _dispatch_rows(placed: _Placed, *, now_ms: int) -> Iterable[tuple[Any, ...]]:
    """Yield the rows of ``dispatches``, in the order of its columns."""
    for delivery_id, permit in placed.routes:
        yield (
            delivery_id,
            placed.alert_id,
            placed.log_index,
            placed.thread,
            permit.recipient,
            permit.lane.value,
            permit.under.agreement,
            permit.under.version,
            permit.under.clause,
            PENDING,
            0,
            now_ms,
            placed.item.deadline_ms,
            None,
            None,
            placed.item.traceparent or None,
        )

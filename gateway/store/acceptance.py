"""Storing accepted alerts: entries, alert, dispatches and the signed answer, in one transaction.

An alert is known by its sender and identifier, for good: the database's constraint says so, not a cache. The same
payload again gets the first answer, byte for byte, also when its content was erased; another payload under the same
name is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Row, Select, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.bulk import insert_rows
from gateway.errors import (
    GatewayError,
    IdentifierReusedError,
    LogUnavailableError,
    OvertakenError,
    UntrustedSignatureError,
)
from gateway.receipts import Promise, ReceiptSigner
from gateway.sealing.errors import SealingError
from gateway.sealing.marks import Marks
from gateway.store.committer import Batch
from gateway.store.consents import overtake
from gateway.store.content_keys import content_key_row
from gateway.store.dispatches import Route
from gateway.store.names import name_mark, payload_mark
from gateway.store.placing import (
    Acceptance,
    Keeping,
    Placed,
    alert_row,
    answer_body,
    citation_rows,
    consent_rows,
    dispatch_rows,
    place,
)
from gateway.store.sources import find_sources
from gateway.store.tables import alerts, citations, consent_requests, content_keys, dispatches
from gateway.store.threads import Thread, find_thread
from schemas.alerts.header import Alert, read_references
from schemas.ids import AlertId, KeyId

log = structlog.get_logger(__name__)


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
        keeping: Keeping,
        trusted: Callable[[KeyId, Batch], bool],
        on_routed: Callable[[Iterable[Route]], None],
        on_stored: Callable[[Sequence[tuple[AlertId, Acceptance]]], None] = lambda _stored: None,
    ) -> None:
        self._signer = signer
        self._keeping = keeping
        self._trusted = trusted
        self._on_routed = on_routed
        self._on_stored = on_stored

    @property
    def marks(self) -> Marks:
        """By which the alerts are known that this writes."""
        return self._keeping.contents.marks

    async def write(
        self, batch: Batch, items: Sequence[Acceptance]
    ) -> Sequence[Answer | GatewayError | OvertakenError]:
        """Store what is new and answer what is not; two equal submissions in one batch are stored once.

        A key that was revoked since its signature was verified is trusted no more: the log never shows an alert that
        was accepted after the revocation of its key. An alert whose thread has grown since it was decided is to be
        decided anew: a Cancel reaches also whom an Update reached a moment ago.
        """
        known = await self._known(batch, items)
        trusted = {kid: self._trusted(kid, batch) for kid in {item.kid for item in items}}
        placed: dict[tuple[str, str], Placed] = {}
        outrun: set[tuple[str, str]] = set()
        for item in items:
            if item.name in known or item.name in placed or not trusted[item.kid]:
                continue
            if await _is_outrun(batch, self.marks, item, placed):
                outrun.add(item.name)
            else:
                placed[item.name] = self._place(batch, item)
        gone_on = {
            thread: each.alert_id
            for each in placed.values()
            if each.item.thread is not None
            for thread in (each.thread, *each.item.sources.threads)
        }
        if gone_on:
            await overtake(batch, gone_on)
        bodies = await self._store(batch, placed) if placed else {}
        results: list[Answer | GatewayError | OvertakenError] = []
        for item in items:
            if not trusted[item.kid]:
                results.append(UntrustedSignatureError())
            elif item.name in known:
                results.append(self._answer_to(known[item.name], item.alert, item.payload_digest))
            elif item.name in outrun:
                results.append(OvertakenError())
            else:
                first = placed[item.name]
                same = first.item.payload_digest == item.payload_digest
                answer = Answer(alert_id=first.alert_id, body=bodies[item.name], replayed=first.item is not item)
                results.append(answer if same else IdentifierReusedError())
        return results

    async def _store(self, batch: Batch, placed: Mapping[tuple[str, str], Placed]) -> Mapping[tuple[str, str], bytes]:
        """Insert the rows and return the signed answers, which are signed while rows that need none go in."""
        now_ms = batch.now_ms
        signing = asyncio.create_task(self._answers(batch, list(placed.values())))
        try:
            await asyncio.sleep(0)  # the receipts go out to be signed
            routed = [row for each in placed.values() for row in dispatch_rows(each, now_ms=now_ms)]
            if routed:
                await insert_rows(batch.connection, dispatches, routed)
                routes = {Route(permit.recipient, permit.lane) for each in placed.values() for permit in each.released}
                batch.after_commit.append(lambda: self._on_routed(routes))
            for table, of in ((consent_requests, consent_rows), (citations, citation_rows)):
                beside = [row for each in placed.values() for row in of(each)]
                if beside:
                    await batch.connection.execute(insert(table), beside)
            await batch.log.insert()
            sealed = {name: each.content.seal(each.item.submission) for name, each in placed.items()}
            bodies = dict(zip(placed, await signing, strict=True))
        finally:
            signing.cancel()
        rows = [alert_row(each, bodies[name], sealed[name], self.marks, now_ms=now_ms) for name, each in placed.items()]
        await insert_rows(batch.connection, alerts, rows)
        keys = [content_key_row(each.alert_id, each.content.wrapped, each.retention) for each in placed.values()]
        await insert_rows(batch.connection, content_keys, keys)
        batch.after_commit.append(lambda: self._on_stored([(each.alert_id, each.item) for each in placed.values()]))
        return bodies

    def _place(self, batch: Batch, item: Acceptance) -> Placed:
        try:
            return place(batch, item, self._keeping)
        except SealingError as error:
            log.critical("content_can_not_be_sealed", error=type(error).__name__)
            raise LogUnavailableError from error

    async def _answers(self, batch: Batch, placed: Sequence[Placed]) -> list[bytes]:
        receipts = await self._signer.sign([each.promise for each in placed], received=batch.now)
        return [answer_body(each, receipt) for each, receipt in zip(placed, receipts, strict=True)]

    async def first_answer(self, connection: AsyncConnection, alert: Alert, *, payload_digest: bytes) -> Answer | None:
        """Return the answer of an alert that was accepted before with this very payload; None else."""
        mark = name_mark(self.marks, alert.sender, alert.identifier)
        row = (await connection.execute(_KNOWN, {"wanted": [mark]})).one_or_none()
        answer = None if row is None else self._answer_to(row, alert, payload_digest)
        return answer if isinstance(answer, Answer) else None

    async def _known(self, batch: Batch, items: Sequence[Acceptance]) -> dict[tuple[str, str], Row[Any]]:
        """Return the rows of alerts that there are already, by their names."""
        names = {name_mark(self.marks, *item.name): item.name for item in items}
        rows = await batch.connection.execute(_KNOWN, {"wanted": list(names)})
        return {names[row.name]: row for row in rows}

    def _answer_to(self, row: Row[Any], alert: Alert, payload_digest: bytes) -> Answer | IdentifierReusedError:
        """Return the first answer where it was this payload's; what its receipt says is in the row and the alert."""
        if row.payload_mark != payload_mark(self.marks, row.name, payload_digest):
            return IdentifierReusedError()
        promise = Promise(
            alert_id=AlertId(row.alert_id),
            sender=alert.sender,
            identifier=alert.identifier,
            submission_digest=row.submission_digest,
            log_index=row.log_index,
        )
        body = self._signer.whole(row.answer, promise, received_ms=row.received_ms)
        return Answer(alert_id=promise.alert_id, body=body, replayed=True)


_KNOWN: Final[Select[Any]] = select(
    alerts.c.name,
    alerts.c.payload_mark,
    alerts.c.alert_id,
    alerts.c.answer,
    alerts.c.submission_digest,
    alerts.c.log_index,
    alerts.c.received_ms,
).where(alerts.c.name.in_(bindparam("wanted", expanding=True)))


async def _is_outrun(batch: Batch, marks: Marks, item: Acceptance, placed: Mapping[tuple[str, str], Placed]) -> bool:
    """Say whether an alert's thread has reached others, or another way, than was known when it was decided.

    So is one whose sources are other ones now, or to be handled otherwise, and one that builds on what this very batch
    passes on or holds: its rows are not there yet to be asked.
    """
    if item.alert.references and _builds_on(item, placed):
        return True
    if item.sources != await find_sources(batch.connection, marks, item.alert):
        return True
    if not item.references:
        return False
    sender = item.alert.sender
    thread = await find_thread(batch.connection, marks, sender=sender, identifiers=item.references)
    named = {(sender, identifier) for identifier in item.references}
    for name, each in placed.items():
        if name in named and thread is None:
            thread = Thread(first=each.thread, reached={})
        if thread is not None and (name in named or each.thread == thread.first):
            thread.reached.update({permit.recipient: permit.under for permit in each.released})
    return thread != item.thread


def _builds_on(item: Acceptance, placed: Mapping[tuple[str, str], Placed]) -> bool:
    """Say whether an alert names another sender's of these, or is of a thread with one that passes on or waits."""
    named = {(each.sender, each.identifier) for each in read_references(item.alert.references)}
    return any(
        name in named
        if each.item.alert.sender != item.alert.sender
        else (name in named or each.thread in item.sources.threads) and bool(each.item.sources.cited or each.questions)
        for name, each in placed.items()
    )

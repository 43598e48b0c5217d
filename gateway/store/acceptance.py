"""Storing accepted alerts: entries, alert, dispatches and the signed answer, in one transaction.

An alert is known by its sender and identifier, for good: the database's constraint says so, not a cache. The same
payload again gets the first answer, byte for byte; another payload under the same name is refused.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import bindparam, insert, select

from audit.bulk import insert_rows
from gateway.errors import (
    GatewayError,
    IdentifierReusedError,
    LogUnavailableError,
    OvertakenError,
    UntrustedSignatureError,
)
from gateway.receipts import ReceiptSigner
from gateway.sealing.contents import Contents, Sealed, utc_day
from gateway.sealing.errors import SealingError
from gateway.store.committer import Batch
from gateway.store.consents import overtake
from gateway.store.content_keys import content_key_row
from gateway.store.dispatches import Route
from gateway.store.placing import (
    Acceptance,
    Placed,
    alert_row,
    answer_body,
    citation_rows,
    consent_rows,
    dispatch_rows,
    place,
)
from gateway.store.retention import Retention
from gateway.store.sources import find_sources
from gateway.store.standing import bring_under
from gateway.store.tables import alerts, citations, consent_requests, content_keys, dispatches
from gateway.store.threads import Thread, find_thread
from schemas.alerts.header import read_references
from schemas.ids import AlertId, KeyId

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON that the sender gets, as bytes; ``replayed`` where it is the answer of an earlier submission."""

    alert_id: AlertId
    body: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class Keeping:
    """How content is kept: sealed by ``contents``, and for ``default_days`` where no agreement says."""

    contents: Contents
    default_days: int


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
            if await _is_outrun(batch, item, placed):
                outrun.add(item.name)
            else:
                placed[item.name] = place(batch, item)
        gone_on = {
            thread: each.item.alert.identifier
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
                results.append(known[item.name].answer_to(item))
            elif item.name in outrun:
                results.append(OvertakenError())
            else:
                first = placed[item.name]
                answer = Answer(alert_id=first.alert_id, body=bodies[item.name], replayed=first.item is not item)
                results.append(_Known(first.item.payload_digest, answer).answer_to(item))
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
            sealed = self._sealed(batch, placed.values())
            bodies = dict(zip(placed, await signing, strict=True))
        finally:
            signing.cancel()
        rows = [
            alert_row(each, bodies[name], kept, now_ms=now_ms)
            for (name, each), (kept, _) in zip(placed.items(), sealed, strict=True)
        ]
        await insert_rows(batch.connection, alerts, rows)
        keys = [
            content_key_row(each.alert_id, kept, retention)
            for each, (kept, retention) in zip(placed.values(), sealed, strict=True)
        ]
        await insert_rows(batch.connection, content_keys, keys)
        following = defaultdict[AlertId, list[AlertId]](list)
        for each in placed.values():
            if each.item.thread is not None:
                following[each.thread].append(each.alert_id)
        if following:
            await bring_under(batch, self._keeping.contents, following)
        batch.after_commit.append(lambda: self._on_stored([(each.alert_id, each.item) for each in placed.values()]))
        return bodies

    def _sealed(self, batch: Batch, placed: Iterable[Placed]) -> list[tuple[Sealed, Retention]]:
        """Return the submissions as they are stored; the receipts are being signed meanwhile."""
        contents, default_days = self._keeping.contents, self._keeping.default_days
        today, sealed = utc_day(batch.now), list[tuple[Sealed, Retention]]()
        for each in placed:
            retention = each.item.retention(default_days=default_days, now_ms=batch.now_ms)
            until = datetime.fromtimestamp(retention.due_ms / 1000, tz=UTC).date()
            try:
                kept = contents.seal(
                    each.alert_id, each.item.submission, until=until, today=today, randomness=batch.randomness
                )
            except SealingError as error:
                log.critical("content_can_not_be_sealed", error=type(error).__name__)
                raise LogUnavailableError from error
            sealed.append((kept, retention))
        return sealed

    async def _answers(self, batch: Batch, placed: Sequence[Placed]) -> list[bytes]:
        receipts = await self._signer.sign([each.promise for each in placed], received=batch.now)
        return [answer_body(each, receipt) for each, receipt in zip(placed, receipts, strict=True)]

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


async def _is_outrun(batch: Batch, item: Acceptance, placed: Mapping[tuple[str, str], Placed]) -> bool:
    """Say whether an alert's thread has reached others, or another way, than was known when it was decided.

    So is one whose sources are other ones now, or to be handled otherwise, and one that builds on what this very batch
    passes on or holds: its rows are not there yet to be asked.
    """
    if item.alert.references and _builds_on(item, placed):
        return True
    if item.sources != await find_sources(batch.connection, item.alert):
        return True
    if not item.references:
        return False
    sender = item.alert.sender
    thread = await find_thread(batch.connection, sender=sender, identifiers=item.references)
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

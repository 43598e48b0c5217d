"""What an accepted alert becomes: its entries, its rows, and the answer its sender gets.

Made in the batch that stores it, for only there are the log's next indices known; nothing here reads or writes a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from audit.entry import Draft
from audit.kinds import Kind
from gateway.receipts import Promise, detached
from gateway.sealing.contents import IDENTIFIER, ContentKey, Contents, utc_day
from gateway.sealing.marks import Marks
from gateway.sealing.words import AlertKeeper, word_marks
from gateway.store.asking import Question, awaited, question_rows, questions_of, requested_entry
from gateway.store.committer import Batch
from gateway.store.decisions import routed_entry, withheld_content
from gateway.store.dispatches import HELD, PENDING
from gateway.store.handling import handling_text
from gateway.store.names import name_mark, payload_mark
from gateway.store.retention import Retention, retention_of
from gateway.store.sources import NO_SOURCES, Sources
from gateway.store.terms import terms_content, terms_text
from gateway.store.threads import Thread
from schemas.alerts.header import Alert
from schemas.decisions import NO_TERMS, Decision, Deny, Permit, denials_among, permits_among
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, KeyId, uuid7


@dataclass(frozen=True, slots=True)
class Basis:
    """What decisions were made from and what they came to, so that they can be made again (``agreements.replay``).

    ``decided_at`` is the instant, to the microsecond, ``registry_version`` how far the registry had come: every
    statement and agreement at a lower index of the log counted, and no other. The digests are in hexadecimal digits.
    """

    decided_at: datetime
    registry_version: int
    inputs_digest: str
    decisions_digest: str

    def content(self) -> dict[str, str | int]:
        """Return it as an entry holds it, the instant as RFC 3339 in UTC to the microsecond."""
        return {
            "decided_at": self.decided_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "registry_version": self.registry_version,
            "inputs_digest": f"sha-256:{self.inputs_digest}",
            "decisions_digest": f"sha-256:{self.decisions_digest}",
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Basis | None:
        """Return what an entry holds; None for one that holds none."""
        if "inputs_digest" not in content:
            return None
        return cls(
            decided_at=datetime.fromisoformat(content["decided_at"]),
            registry_version=content["registry_version"],
            inputs_digest=content["inputs_digest"].removeprefix("sha-256:"),
            decisions_digest=content["decisions_digest"].removeprefix("sha-256:"),
        )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All that is known of an alert before it is stored.

    ``references`` are the identifiers of the sender's own alerts that it is about, ``thread`` what was known of their
    chain when it was decided, None where it begins one, ``sources`` what it passes on of others'. ``deadline_ms`` is
    when its dispatches end, in milliseconds since the Unix epoch, ``traceparent`` the request's trace context, or "".
    ``basis`` is None where the permits were given, not decided.
    """

    alert: Alert
    home: JurisdictionCode
    kid: KeyId
    submission: bytes
    submission_digest: bytes
    payload_digest: bytes
    references: tuple[str, ...]
    thread: Thread | None
    decisions: tuple[Decision, ...]
    deadline_ms: int
    warnings: tuple[str, ...] = ()
    traceparent: str = ""
    basis: Basis | None = None
    sources: Sources = NO_SOURCES

    @property
    def name(self) -> tuple[str, str]:
        """What the alert is known by, for good: its sender and identifier, of which rows hold the mark."""
        return self.alert.sender, self.alert.identifier

    def retention(self, *, default_days: int, now_ms: int) -> Retention:
        """Return how long its content is kept, having been accepted now."""
        permits = self.permits
        deadlines = [self.deadline_of(permit, now_ms=now_ms) for permit in permits]
        return retention_of(permits, default_days=default_days, deadlines_ms=deadlines, now_ms=now_ms)

    def deadline_of(self, permit: Permit, *, now_ms: int) -> int:
        """Return when a permit's dispatch ends, in milliseconds since the Unix epoch."""
        within = permit.terms.deliver_within
        return self.deadline_ms if within is None else min(self.deadline_ms, now_ms + within * 1000)

    @property
    def permits(self) -> tuple[Permit, ...]:
        """Who receives it."""
        return permits_among(self.decisions)

    @property
    def denials(self) -> tuple[Deny, ...]:
        """Who does not."""
        return denials_among(self.decisions)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How content is kept: sealed by ``contents``, and for ``default_days`` where no agreement says."""

    contents: Contents
    default_days: int


@dataclass(frozen=True, slots=True)
class Placed:
    """An acceptance with the names that its transaction gave it; ``routes`` has each permit's delivery.

    ``questions`` has, for each delivery that awaits consent, whom it is asked of, ``entries`` the index of the entry
    that says of a delivery under which clause it goes, or would; ``content`` seals what is stored of the alert's own
    words, for as long as ``retention`` says.
    """

    item: Acceptance
    alert_id: AlertId
    thread: AlertId
    log_index: int
    routes: tuple[tuple[DeliveryId, Permit], ...]
    questions: Mapping[DeliveryId, tuple[Question, ...]]
    entries: Mapping[DeliveryId, int]
    content: ContentKey
    retention: Retention

    @property
    def released(self) -> Iterable[Permit]:
        """Those who receive it without anybody's consent."""
        return [permit for delivery_id, permit in self.routes if delivery_id not in self.questions]

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


def answer_body(placed: Placed, receipt: str) -> bytes:
    """Return the JSON that the sender gets, with its signed receipt."""
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
                **({} if permit.terms == NO_TERMS else {"terms": terms_content(permit.terms)}),
                **awaited(placed.questions.get(delivery_id, ())),
            }
            for delivery_id, permit in placed.routes
        ],
    }
    if placed.item.warnings:
        document["warnings"] = list(placed.item.warnings)
    return orjson.dumps(document)


def place(batch: Batch, item: Acceptance, keeping: Keeping) -> Placed:
    """Append an acceptance's entries, and return it with its place in the log. Raises ``SealingError``."""
    alert_id = AlertId(uuid7(at=batch.now, randomness=batch.randomness(10)))
    retention = item.retention(default_days=keeping.default_days, now_ms=batch.now_ms)
    until = datetime.fromtimestamp(retention.due_ms / 1000, tz=UTC).date()
    content = keeping.contents.new_key(alert_id, until=until, today=utc_day(batch.now), randomness=batch.randomness)
    thread = alert_id if item.thread is None else item.thread.first
    routes = tuple(
        (DeliveryId(uuid7(at=batch.now, randomness=batch.randomness(10))), permit) for permit in item.permits
    )
    questions = {
        delivery_id: questions_of(batch, permit, deadline_ms=item.deadline_of(permit, now_ms=batch.now_ms))
        for delivery_id, permit in routes
        if permit.terms.consent_by
    }
    told = [permit for delivery_id, permit in routes if delivery_id not in questions]
    words = word_marks(keeping.contents.marks, item.alert.identifier)
    accepted = _accepted_entry(item, alert_id, thread, told, words)
    log_index = batch.log.append(accepted, keeper=AlertKeeper(content))
    entries: dict[DeliveryId, int] = {}
    placed = Placed(item, alert_id, thread, log_index, routes, questions, entries, content, retention)
    for delivery_id, permit in routes:
        asked, sender = questions.get(delivery_id), item.alert.sender
        entry = partial(requested_entry, asked) if asked else routed_entry
        entries[delivery_id] = batch.log.append(
            entry(permit, delivery_id=delivery_id, alert_id=alert_id, sender=sender, home=item.home)
        )
    if item.denials:
        batch.log.append(_withheld_entry(placed))
    return placed


def _accepted_entry(
    item: Acceptance, alert_id: AlertId, thread: AlertId, permits: Sequence[Permit], words: Sequence[str]
) -> Draft:
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
            "words": words,
            "type": alert.type,
            "status": alert.status,
            "msg_type": alert.msgType,
            "tlp": alert.handling.tlp,
            "thread": thread,
            **({} if item.basis is None else item.basis.content()),
        },
    )


def _withheld_entry(placed: Placed) -> Draft:
    return Draft(
        kind=Kind.WITHHELD,
        actor=placed.item.alert.sender,
        jurisdictions=(placed.item.home,),
        alert_id=placed.alert_id,
        agreement=None,
        content={"withheld": withheld_content(placed.item.decisions)},
    )


def alert_row(placed: Placed, answer: bytes, sealed: bytes, marks: Marks, *, now_ms: int) -> tuple[Any, ...]:
    """Return the row of ``alerts``, in the order of its columns."""
    name = name_mark(marks, *placed.item.name)
    item, alert = placed.item, placed.item.alert
    return (
        placed.alert_id,
        placed.log_index,
        placed.thread,
        alert.sender,
        name,
        placed.content.seal(alert.identifier.encode(), place=IDENTIFIER),
        payload_mark(marks, name, item.payload_digest),
        alert.type,
        alert.status,
        alert.msgType,
        now_ms,
        sealed,
        detached(answer),
        item.submission_digest,
        handling_text(alert),
    )


def dispatch_rows(placed: Placed, *, now_ms: int) -> Iterable[tuple[Any, ...]]:
    """Yield the rows of ``dispatches``, in the order of its columns."""
    for delivery_id, permit in placed.routes:
        held, owed = delivery_id in placed.questions, permit.terms.acknowledge_within
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
            HELD if held else PENDING,
            0,
            now_ms,
            placed.item.deadline_of(permit, now_ms=now_ms),
            None,
            None,
            placed.item.traceparent or None,
            terms_text(permit.terms),
            None if held else placed.entries[delivery_id],
            None if owed is None or held else now_ms + owed * 1000,
            None,
        )


def consent_rows(placed: Placed) -> Iterable[dict[str, Any]]:
    """Yield the rows of ``consent_requests``."""
    for delivery_id, asked in placed.questions.items():
        yield from question_rows(asked, delivery_id=delivery_id, alert_id=placed.alert_id, log_index=placed.log_index)


def citation_rows(placed: Placed) -> Iterable[dict[str, Any]]:
    """Yield the rows of ``citations``."""
    for sender, name in placed.item.sources.cited:
        yield {"alert_id": placed.alert_id, "sender": sender, "name": name}

"""What an accepted alert becomes: its entries, its rows, and the answer its sender gets.

Made in the batch that stores it, for only there are the log's next indices known; nothing here reads or writes a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from audit.entry import Draft, Kind
from gateway.receipts import Promise
from gateway.store.committer import Batch
from gateway.store.decisions import denial_content, reason_content
from gateway.store.dispatches import PENDING
from gateway.store.terms import terms_content, terms_text
from gateway.store.threads import Thread
from schemas.alerts.header import Alert
from schemas.decisions import NO_TERMS, Decision, Deny, Permit
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
    chain when it was decided, None where it begins one. ``deadline_ms`` is when its dispatches end, in milliseconds
    since the Unix epoch, ``traceparent`` the request's trace context, or "". ``basis`` is None where the
    permits were given, not decided.
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

    @property
    def name(self) -> tuple[str, str]:
        """What the alert is known by, for good: its sender and identifier."""
        return self.alert.sender, self.alert.identifier

    def deadline_of(self, permit: Permit, *, now_ms: int) -> int:
        """Return when a permit's dispatch ends, in milliseconds since the Unix epoch."""
        within = permit.terms.deliver_within
        return self.deadline_ms if within is None else min(self.deadline_ms, now_ms + within * 1000)

    @property
    def permits(self) -> list[Permit]:
        """Who receives it."""
        return [decision for decision in self.decisions if isinstance(decision, Permit)]

    @property
    def denials(self) -> list[Deny]:
        """Who does not."""
        return [decision for decision in self.decisions if isinstance(decision, Deny)]


@dataclass(frozen=True, slots=True)
class Placed:
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
            }
            for _, permit in placed.routes
        ],
    }
    if placed.item.warnings:
        document["warnings"] = list(placed.item.warnings)
    return orjson.dumps(document)


def place(batch: Batch, item: Acceptance) -> Placed:
    """Append an acceptance's entries, and return it with its place in the log."""
    alert_id = AlertId(uuid7(at=batch.now, randomness=batch.randomness(10)))
    thread = alert_id if item.thread is None else item.thread.first
    permits, denials = item.permits, item.denials
    log_index = batch.log.append(_accepted_entry(item, alert_id, thread, permits))
    routes = tuple((DeliveryId(uuid7(at=batch.now, randomness=batch.randomness(10))), permit) for permit in permits)
    placed = Placed(item, alert_id, thread, log_index, routes)
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
            **({} if item.basis is None else item.basis.content()),
        },
    )


def _routed_entry(placed: Placed, delivery_id: DeliveryId, permit: Permit) -> Draft:
    return Draft(
        kind=Kind.ROUTED,
        actor=placed.item.alert.sender,
        jurisdictions=(placed.item.home, permit.jurisdiction),
        alert_id=placed.alert_id,
        agreement=permit.under.agreement,
        content={
            "delivery_id": delivery_id,
            **routed_content(permit),
        },
    )


def routed_content(permit: Permit) -> dict[str, Any]:
    """Return a permit as its entry holds it, beside the name of its delivery."""
    return {
        "recipient": permit.recipient,
        "clause": str(permit.under),
        "lane": permit.lane.value,
        "reason": reason_content(permit.reason),
        **({} if permit.terms == NO_TERMS else {"terms": terms_content(permit.terms)}),
    }


def _withheld_entry(placed: Placed, denials: Sequence[Deny]) -> Draft:
    return Draft(
        kind=Kind.WITHHELD,
        actor=placed.item.alert.sender,
        jurisdictions=(placed.item.home,),
        alert_id=placed.alert_id,
        agreement=None,
        content={"withheld": [denial_content(denial) for denial in denials]},
    )


def alert_row(placed: Placed, answer: bytes, *, now_ms: int) -> tuple[Any, ...]:
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


def dispatch_rows(placed: Placed, *, now_ms: int) -> Iterable[tuple[Any, ...]]:
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
            placed.item.deadline_of(permit, now_ms=now_ms),
            None,
            None,
            placed.item.traceparent or None,
            terms_text(permit.terms),
        )

"""The partners' own signed words about a delivery.

One with a note, which is in somebody's own words about the alert, is stored sealed under the alert's content key, and
is erased with it; its status, time and digest are in the log. One without says nothing of the alert and stays as it
came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Row, insert, select

from audit.entry import Draft
from audit.kinds import Kind
from gateway.errors import NotFoundError
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.store.committer import Batch
from gateway.store.content_keys import key_of
from gateway.store.owed import no_longer_owed
from gateway.store.tables import acknowledgements, alerts, content_keys, dispatches
from schemas.evidence import Acknowledgement
from schemas.ids import AgreementId, AlertId, KeyId, ParticipantId, home_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedAcknowledgement:
    """An acknowledgement whose signature was verified, and the JWS it came in."""

    acknowledgement: Acknowledgement
    kid: KeyId
    compact: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an acknowledgement stands in the log; ``replayed`` where an earlier one of that status stands."""

    log_index: int
    replayed: bool


NOT_KEPT: Final = b""
"""What stands for a word with a note that came when the alert's content, and the key to it, was gone."""


class AcknowledgementWriter:
    """Stores acknowledgements; a delivery that was never made to the participant is not found."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def write(self, batch: Batch, items: Sequence[SignedAcknowledgement]) -> Sequence[Recorded | NotFoundError]:
        """Store each acknowledgement once for its delivery and status."""
        deliveries = await self._deliveries(batch, items)
        known = await self._known(batch, items)
        rows: list[dict[str, Any]] = []
        paid: set[str] = set()
        results: list[Recorded | NotFoundError] = []
        for item in items:
            word = item.acknowledgement
            delivery = deliveries.get((word.delivery_id, word.alert_id, word.participant))
            if delivery is None:
                results.append(NotFoundError())
                continue
            name = (word.delivery_id, str(word.status))
            if name not in known:
                known[name] = batch.log.append(_entry(item, sender=delivery.sender, agreement=delivery.agreement))
                rows.append(_row(item, known[name], self._stored(batch, item, delivery)))
                if delivery.owed_ms is not None:
                    paid.add(word.delivery_id)
                results.append(Recorded(known[name], replayed=False))
            else:
                results.append(Recorded(known[name], replayed=True))
        if rows:
            await batch.connection.execute(insert(acknowledgements), rows)
        await no_longer_owed(batch.connection, paid)
        return results

    def _stored(self, batch: Batch, item: SignedAcknowledgement, delivery: Row[Any]) -> bytes:
        word = item.acknowledgement
        if word.note is None:
            return item.compact
        alert_id, place = AlertId(word.alert_id), place_of(word.delivery_id, word.status)
        try:
            return self._contents.seal_beside(
                alert_id, key_of(delivery), item.compact, place=place, randomness=batch.randomness
            )
        except (ContentErasedError, ContentUnreadableError):
            log.warning("note_not_kept", delivery_id=word.delivery_id)
            return NOT_KEPT

    async def _deliveries(
        self, batch: Batch, items: Sequence[SignedAcknowledgement]
    ) -> dict[tuple[str, str, str], Any]:
        statement = (
            select(
                dispatches.c.delivery_id,
                dispatches.c.alert_id,
                dispatches.c.recipient,
                dispatches.c.agreement,
                dispatches.c.owed_ms,
                alerts.c.sender,
                content_keys.c.wrapped_by,
                content_keys.c.wrapped,
            )
            .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
            .outerjoin(content_keys, content_keys.c.alert_id == dispatches.c.alert_id)
            .where(
                dispatches.c.delivery_id.in_({item.acknowledgement.delivery_id for item in items}),
                dispatches.c.released.is_not(None),
            )
        )
        return {
            (row.delivery_id, row.alert_id, row.recipient): row for row in await batch.connection.execute(statement)
        }

    async def _known(self, batch: Batch, items: Sequence[SignedAcknowledgement]) -> dict[tuple[str, str], int]:
        statement = select(
            acknowledgements.c.delivery_id, acknowledgements.c.status, acknowledgements.c.log_index
        ).where(acknowledgements.c.delivery_id.in_({item.acknowledgement.delivery_id for item in items}))
        return {(row.delivery_id, row.status): row.log_index for row in await batch.connection.execute(statement)}


def _entry(item: SignedAcknowledgement, *, sender: str, agreement: str) -> Draft:
    word = item.acknowledgement
    return Draft(
        kind=Kind.ACKNOWLEDGED,
        actor=word.participant,
        jurisdictions=(home_of(ParticipantId(sender)), home_of(word.participant)),
        alert_id=AlertId(word.alert_id),
        agreement=AgreementId(agreement),
        content={
            "delivery_id": word.delivery_id,
            "recipient": word.participant,
            "status": str(word.status),
            "at": word.at,
            "kid": item.kid,
            "digest": f"sha-256:{item.digest.hex()}",
        },
    )


def place_of(delivery_id: str, status: str) -> str:
    """Return the place of a word about a delivery, for ``gateway.sealing.contents``."""
    return f"acknowledgement {delivery_id} {status}"


def _row(item: SignedAcknowledgement, log_index: int, stored: bytes) -> dict[str, Any]:
    word = item.acknowledgement
    return {
        "delivery_id": word.delivery_id,
        "status": str(word.status),
        "alert_id": word.alert_id,
        "participant": word.participant,
        "at": word.at,
        "compact": stored,
        "log_index": log_index,
    }

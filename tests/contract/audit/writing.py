"""Writing to a log in tests: drafts of several kinds, in batches."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from audit.log import Head, open_batch
from schemas.ids import AgreementId, AlertId, JurisdictionCode, ParticipantId

NOW: Final = datetime(2026, 1, 17, 19, 5, 9, 123000, tzinfo=UTC)
PARTIES: Final = tuple(JurisdictionCode(code) for code in ("CA-QC", "US-NY", "US-VT"))


class Plainly:
    """Keeps what entries withhold as it is, after the commitment of its entry."""

    def keep(self, disclosures: bytes, *, entry: bytes) -> bytes:
        """Return both."""
        return entry + disclosures


def alert_id(number: int) -> AlertId:
    """Give the id of an alert by its number."""
    return AlertId(f"01890a5d-ac96-774b-bcce-{number:012x}")


def draft(number: int) -> Draft:
    """Give the draft of entry ``number``: by turns accepted, routed, a key revoked, and one that has no parties."""
    sender = ParticipantId("ca-qc.sq")
    alert = alert_id(number // 4)
    match number % 4:
        case 0:
            content = {"identifier": f"SQ-{number}", "type": "a/b/v1", "digest": "sha-256:00", "kid": "sq-1"}
            return Draft(Kind.ACCEPTED, sender, PARTIES[:2], alert, None, content)
        case 1:
            content = {"delivery_id": alert, "recipient": "us-vt.vsp", "lane": "urgent", "clause": "qc-vt/1#police"}
            return Draft(Kind.ROUTED, sender, (PARTIES[2], PARTIES[0]), alert, AgreementId("qc-vt"), content)
        case 2:
            content = {"participant": "us-ny.nysp", "kid": "ny-1", "revoked_at": "2026-01-17T00:00:00Z"}
            content |= {"statement": "sha-256:11", "authority_kid": "ny-authority"}
            return Draft(Kind.KEY_REVOKED, None, (PARTIES[1],), None, None, content)
        case _:
            return Draft(Kind.EXCHANGE_OPENED, None, (), None, None, {"origin": "exchange.example", "log_key": "none"})


async def append(connection: AsyncConnection, count: int, *, now: datetime = NOW) -> Head:
    """Append entries in one transaction, committed."""
    async with connection.begin():
        batch = await open_batch(connection, now=now, randomness=os.urandom, keeper=Plainly())
        for _ in range(count):
            batch.append(draft(batch.size))
        return await batch.write()

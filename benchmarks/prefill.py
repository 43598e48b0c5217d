"""Dispatches that wait in a database, written there by the product's own writers as accepted alerts write them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.sample import alerts, generate_keys, sign
from gateway.clock import system_clock
from gateway.log.ledger import open_ledger
from gateway.receipts import ReceiptSigner
from gateway.store.acceptance import AcceptanceWriter
from gateway.store.engine import open_postgres
from gateway.store.placing import Acceptance, Keeping
from lacolle.contents import contents_of
from lacolle.folder import read_folder
from schemas.alerts.catalogue import parse_alert
from schemas.decisions import ClauseRef, Lane, Permit, Reason
from schemas.ids import AgreementId, KeyId, ParticipantId, home_of
from schemas.signing.jws import ALERT, Unverified, read_compact, verify
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.strict_json import parse_json

_SENDER = ParticipantId("ca-qc.sq")
_UNDER = ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 1, "3.1")


async def prefill(folder: Path, url: str, *, recipients: Sequence[ParticipantId], each: int) -> int:
    """Store alerts that are due to every recipient, ``each`` in each lane; return how many dispatches that is.

    ``folder`` is the exchange's, ``url`` its database's.
    """
    store = open_postgres(url)
    opened = read_folder(folder)
    keys, contents = opened.keys, contents_of(opened.settings, folder)
    ledger = await open_ledger(
        store,
        contents=contents,
        words_days=opened.settings.retention.log_words_days,
        signer=keys.log,
        clock=system_clock,
        randomness=os.urandom,
    )
    signer = _Signer(keys.receipt)
    writer = AcceptanceWriter(
        ReceiptSigner(keys.receipt.public, signer, origin=keys.log.origin),
        keeping=Keeping(contents, opened.settings.retention.days_default),
        trusted=lambda _kid, _batch: True,
        on_routed=lambda _routes: None,
    )
    accepted = [item for lane in Lane for item in _acceptances(lane, recipients, count=each)]
    await asyncio.gather(*(ledger.committer.submit(writer, item) for item in accepted))
    await ledger.close()
    return len(accepted) * len(recipients)


class _Signer:
    """Signatures, without a process to start and end."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        return verify(unverified, key)

    async def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        return [self._key.sign(message) for message in messages]


def _acceptances(lane: Lane, recipients: Sequence[ParticipantId], *, count: int) -> list[Acceptance]:
    now = system_clock().replace(microsecond=0)
    keys = generate_keys(_SENDER)
    deadline = now + timedelta(hours=1)
    permits = tuple(Permit(each, home_of(each), _UNDER, lane, Reason("granted")) for each in recipients)
    made = []
    for submission in sign(alerts(lane, range(count), sender=_SENDER, now=now), keys=keys, now=now):
        unverified = read_compact(submission, ALERT)
        made.append(
            Acceptance(
                alert=parse_alert(parse_json(unverified.payload)),
                home=home_of(_SENDER),
                kid=KeyId(unverified.kid),
                submission=submission,
                submission_digest=hashlib.sha256(submission).digest(),
                payload_digest=hashlib.sha256(unverified.payload).digest(),
                references=(),
                thread=None,
                decisions=permits,
                deadline_ms=int(deadline.timestamp() * 1000),
            )
        )
    return made

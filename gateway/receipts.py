"""The receipt: the exchange's signed promise that an alert is stored and in the log at an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.signatures.beside import Signatures
from schemas.ids import AlertId, ParticipantId
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import RECEIPT, signing_input, with_signature
from schemas.signing.keys import PublicKey
from schemas.timestamps import utc_text


@dataclass(frozen=True, slots=True)
class Promise:
    """What one receipt says. ``submission_digest`` is the SHA-256 of the submission's bytes."""

    alert_id: AlertId
    sender: ParticipantId
    identifier: str
    submission_digest: bytes
    log_index: int


class ReceiptSigner:
    """Signs receipts for one exchange: its key, who signs with it, and the origin of its log."""

    def __init__(self, key: PublicKey, signatures: Signatures, *, origin: str) -> None:
        self._key = key
        self._signatures = signatures
        self._origin = origin

    async def sign(self, promises: Sequence[Promise], *, received: datetime) -> list[str]:
        """Return a receipt for each promise: a compact JWS, its payload in RFC 8785 form.

        ``received`` is written in UTC, to the millisecond. Raises what ``Signatures.sign`` raises.
        """
        time = utc_text(received)
        to_sign = [signing_input(self._payload(promise, time), key=self._key, profile=RECEIPT) for promise in promises]
        signatures = await self._signatures.sign(to_sign)
        return [with_signature(*both).decode("ascii") for both in zip(to_sign, signatures, strict=True)]

    def _payload(self, promise: Promise, received: str) -> bytes:
        return canonical_plain_bytes(
            {
                "alert_id": promise.alert_id,
                "sender": promise.sender,
                "identifier": promise.identifier,
                "digest": f"sha-256:{promise.submission_digest.hex()}",
                "log_index": promise.log_index,
                "log_origin": self._origin,
                "received": received,
            }
        )

"""The receipt: the exchange's signed promise that an alert is stored and in the log at an index."""

from __future__ import annotations

from datetime import datetime

from schemas.ids import AlertId, ParticipantId
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import RECEIPT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.timestamps import utc_text


class ReceiptSigner:
    """Signs receipts for one exchange: its key, and the origin of its log."""

    def __init__(self, key: SigningKey, *, origin: str) -> None:
        self._key = key
        self._origin = origin

    def sign(
        self,
        *,
        alert_id: AlertId,
        sender: ParticipantId,
        identifier: str,
        submission_digest: bytes,
        log_index: int,
        received: datetime,
    ) -> str:
        """Return the receipt as a compact JWS, its payload in RFC 8785 form.

        ``submission_digest`` is the SHA-256 of the submission's bytes; ``received`` is written in UTC, to the ms.
        """
        payload = canonical_plain_bytes(
            {
                "alert_id": alert_id,
                "sender": sender,
                "identifier": identifier,
                "digest": f"sha-256:{submission_digest.hex()}",
                "log_index": log_index,
                "log_origin": self._origin,
                "received": utc_text(received),
            }
        )
        return sign_compact(payload, key=self._key, profile=RECEIPT).decode("ascii")

"""The receipt: the exchange's signed promise that an alert is stored and in the log at an index.

A receipt names the alert's identifier, which ends with the content. So the answer that a sender got is kept with its
receipt detached (RFC 7515 appendix F), ``header..signature``, and made whole again, byte for byte, for whoever names
the identifier: everything else that it says is in the alert's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.signatures.beside import Signatures
from schemas.ids import AlertId, ParticipantId
from schemas.signing.base64url import encode
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import RECEIPT, signing_input, with_signature
from schemas.signing.keys import PublicKey
from schemas.timestamps import utc_text, utc_text_of_ms


@dataclass(frozen=True, slots=True)
class Promise:
    """What one receipt says. ``submission_digest`` is the SHA-256 of the submission's bytes."""

    alert_id: AlertId
    sender: ParticipantId
    identifier: str
    submission_digest: bytes
    log_index: int

    def payload(self, *, origin: str, received: str) -> bytes:
        """Return what the receipt's signature covers, in RFC 8785 form; ``received`` as RFC 3339 in UTC."""
        return canonical_plain_bytes(
            {
                "alert_id": self.alert_id,
                "sender": self.sender,
                "identifier": self.identifier,
                "digest": f"sha-256:{self.submission_digest.hex()}",
                "log_index": self.log_index,
                "log_origin": origin,
                "received": received,
            }
        )


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
        time, origin = utc_text(received), self._origin
        to_sign = [
            signing_input(promise.payload(origin=origin, received=time), key=self._key, profile=RECEIPT)
            for promise in promises
        ]
        signatures = await self._signatures.sign(to_sign)
        return [with_signature(*both).decode("ascii") for both in zip(to_sign, signatures, strict=True)]

    def whole(self, answer: bytes, promise: Promise, *, received_ms: int) -> bytes:
        """Return a stored answer as its sender got it."""
        payload = promise.payload(origin=self._origin, received=utc_text_of_ms(received_ms))
        return attached(answer, payload)


def detached(answer: bytes) -> bytes:
    """Return an answer with its receipt detached: without what the receipt says, and all else as it is."""
    first, last = _payload_in(answer)
    return answer[:first] + answer[last:]


def attached(answer: bytes, payload: bytes) -> bytes:
    """Return a detached answer with what its receipt says."""
    first, _ = _payload_in(answer)
    return answer[:first] + encode(payload) + answer[first:]


def _payload_in(answer: bytes) -> tuple[int, int]:
    """Return where the payload of the receipt begins and ends: between the two dots of the member's value."""
    first = answer.index(b".", answer.index(_RECEIPT)) + 1
    return first, answer.index(b".", first)


_RECEIPT: Final = b'"receipt":"'
"""Before it an answer holds nothing that anybody else wrote (``gateway.store.placing.answer_body``)."""

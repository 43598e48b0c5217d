"""What the exchange and its partners sign about an alert: the receipt, and the acknowledgement."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.fields import Part
from schemas.ids import AlertIdField, DeliveryIdField, ParticipantField
from schemas.signing.jws import RECEIPT, read_compact, verify
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import UtcText


class ReceiptError(Exception):
    """The payload is signed and yet no receipt; ``reason`` says why without repeating it."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class Receipt(Part):
    """The exchange's promise that a submission is stored and in its log (WIRE "Receipts").

    ``digest`` is ``sha-256:`` and the hexadecimal SHA-256 of the submission's compact JWS, byte for byte;
    ``log_index`` its entry's in the log that ``log_origin`` names; ``received`` UTC with milliseconds.
    """

    alert_id: AlertIdField
    sender: ParticipantField
    identifier: Annotated[str, StringConstraints(min_length=1)]
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
    log_index: Annotated[int, Field(ge=0)]
    log_origin: Annotated[str, StringConstraints(min_length=1)]
    received: UtcText


def read_receipt(compact: bytes, key: PublicKey) -> Receipt:
    """Return the receipt that the exchange's ``key`` signed.

    Raises ``MalformedJwsError``, ``SignatureNotTrustedError``, and ``ReceiptError`` for a payload of another form.
    """
    try:
        return Receipt.model_validate(parse_json(verify(read_compact(compact, RECEIPT), key)))
    except JsonError as error:
        raise ReceiptError(error.reason) from None
    except ValidationError as error:
        raise ReceiptError(first_fault(error)) from None


class AcknowledgementStatus(StrEnum):
    """What a partner says it did with an alert."""

    RECEIVED = "received"
    READ = "read"
    ACTED_ON = "acted-on"
    REJECTED = "rejected"


class Acknowledgement(Part):
    """A partner's own signed word about one delivery; ``at`` is when it happened there, UTC."""

    alert_id: AlertIdField
    delivery_id: DeliveryIdField
    participant: ParticipantField
    status: Annotated[AcknowledgementStatus, Field(strict=False)]
    at: UtcText
    note: Annotated[str, StringConstraints(max_length=4_000)] | None = None

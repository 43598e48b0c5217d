"""Receipts and acknowledgements are what was signed, and nothing more is read into them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.evidence import Acknowledgement, AcknowledgementStatus, Receipt, ReceiptError, read_receipt
from schemas.ids import KeyId
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import ACKNOWLEDGEMENT, RECEIPT, MalformedJwsError, SignatureNotTrustedError, sign_compact
from schemas.signing.keys import SigningKey

KEY = SigningKey.generate(KeyId("exchange.2026-1"), "ES256")
RECEIVED: dict[str, Any] = {
    "alert_id": "019bcd0e-5c1b-7abc-8def-0123456789ab",
    "sender": "ca-qc.sq",
    "identifier": "SQ-2026-0117-0042",
    "digest": "sha-256:" + "0123456789abcdef" * 4,
    "log_index": 0,
    "log_origin": "lacolle.example/log",
    "received": "2026-01-17T19:05:09.123Z",
}
ACKNOWLEDGED: dict[str, Any] = {
    "alert_id": "019bcd0e-5c1b-7abc-8def-0123456789ab",
    "delivery_id": "019bcd0e-5c1b-7abc-8def-0123456789ac",
    "participant": "us-ny.nysp",
    "status": "acted-on",
    "at": "2026-01-17T19:07:00.000Z",
    "note": None,
}


def signed(document: dict[str, Any]) -> bytes:
    """Sign a document as a receipt."""
    return sign_compact(canonical_plain_bytes(document), key=KEY, profile=RECEIPT)


def test_a_receipt_is_read_under_the_exchanges_key() -> None:
    """What the exchange signed comes back member by member, and goes out the same."""
    receipt = read_receipt(signed(RECEIVED), KEY.public)
    assert receipt.model_dump() == RECEIVED


def test_a_receipt_of_another_key_is_not_trusted() -> None:
    """A receipt is the promise of the one whose key verifies it."""
    with pytest.raises(SignatureNotTrustedError):
        read_receipt(signed(RECEIVED), SigningKey.generate(KEY.kid, "ES256").public)


def test_another_kind_of_jws_is_no_receipt() -> None:
    """What was signed as something else is not read as a receipt."""
    other = sign_compact(canonical_plain_bytes(RECEIVED), key=KEY, profile=ACKNOWLEDGEMENT, iat=1_768_676_709)
    with pytest.raises(MalformedJwsError):
        read_receipt(other, KEY.public)


@pytest.mark.parametrize(
    "changes",
    [
        {"alert_id": "019bcd0e-5c1b-4abc-8def-0123456789ab"},
        {"sender": "CA-QC.SQ"},
        {"identifier": ""},
        {"digest": "sha-256:" + "A" * 64},
        {"digest": "md5:00"},
        {"log_index": -1},
        {"log_index": True},
        {"log_index": "0"},
        {"received": "2026-01-17T14:05:09-05:00"},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_signed_payload_of_another_form_is_no_receipt(changes: dict[str, Any]) -> None:
    """Even the exchange's own signature does not make a receipt of something else; the reason names the place."""
    with pytest.raises(ReceiptError) as refused:
        read_receipt(signed({**RECEIVED, **changes}), KEY.public)
    assert refused.value.reason.en.startswith(f"/{next(iter(changes))}: ")


def test_a_signed_payload_that_is_no_json_is_no_receipt() -> None:
    """Bytes that are not JSON, and JSON that is no object, are refused."""
    for payload in (b"", b"[]", b'{"alert_id":1,"alert_id":2}'):
        with pytest.raises(ReceiptError):
            read_receipt(sign_compact(payload, key=KEY, profile=RECEIPT), KEY.public)


def test_a_receipt_is_a_value() -> None:
    """Nobody changes a receipt once it is read."""
    with pytest.raises(ValidationError):
        read_receipt(signed(RECEIVED), KEY.public).log_index = 7  # type: ignore[misc]  # what must fail
    assert Receipt.model_validate(RECEIVED) == read_receipt(signed(RECEIVED), KEY.public)


@pytest.mark.parametrize("status", ["received", "read", "acted-on", "rejected"])
def test_an_acknowledgement_has_one_of_four_states(status: str) -> None:
    """The four words of the wire contract are taken, from a parsed JSON value."""
    word = Acknowledgement.model_validate({**ACKNOWLEDGED, "status": status})
    assert word.status is AcknowledgementStatus(status)


def test_a_note_may_be_left_out() -> None:
    """An acknowledgement without a note is whole."""
    word = {name: value for name, value in ACKNOWLEDGED.items() if name != "note"}
    assert Acknowledgement.model_validate(word).note is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "ACTED-ON"},
        {"status": "delivered"},
        {"status": 1},
        {"at": "yesterday"},
        {"note": "x" * 4001},
        {"participant": "nysp"},
        {"delivery_id": ""},
        {"extra": None},
    ],
    ids=str,
)
def test_anything_else_is_no_acknowledgement(changes: dict[str, Any]) -> None:
    """Other states, times, names and members are refused."""
    with pytest.raises(ValidationError):
        Acknowledgement.model_validate({**ACKNOWLEDGED, **changes})

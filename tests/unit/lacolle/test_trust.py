"""Receipts, and the keys under which they are believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacolle.client.answers import AcceptedAnswer
from lacolle.client.calls import Caller
from lacolle.client.documents import signed_alert
from lacolle.client.trust import ExchangeKeys, verify_receipt
from lacolle.errors import ConfigurationError, ReceiptNotTrustedError
from schemas.evidence import Receipt
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue
from tests.unit.lacolle.scripted import (
    ALERT_ID,
    NOW,
    Answer,
    ScriptedExchange,
    StillClock,
    accepted_body,
)

EXCHANGE = SigningKey.generate(KeyId("exchange:receipts"), "Ed25519")
NAMED = ("ca-qc.sq", "SQ-2026-0117-0042")


@pytest.fixture
def submission(alert: dict[str, JsonValue], agency_key: SigningKey) -> bytes:
    """Return a submission."""
    return signed_alert(alert, key=agency_key, now=NOW)


def _verified(submission: bytes, answer: dict[str, JsonValue], *, replayed: bool = False) -> Receipt:
    return verify_receipt(
        AcceptedAnswer.model_validate(answer),
        submission,
        keys={EXCHANGE.kid: EXCHANGE.public},
        named=NAMED,
        replayed=replayed,
    )


def test_a_receipt_about_the_submission_is_believed(submission: bytes) -> None:
    """A receipt under the exchange's key, about these very bytes, is returned."""
    receipt = _verified(submission, accepted_body(submission, EXCHANGE))
    assert (receipt.alert_id, receipt.log_index) == (ALERT_ID, 42)


@pytest.mark.parametrize(
    "changes",
    [
        {"alert_id": "019bcd9f-9999-7abc-8def-0123456789ab"},
        {"sender": "ca-qc.msp"},
        {"identifier": "SQ-2026-0117-0043"},
        {"log_index": 43},
        {"digest": f"sha-256:{0:064x}"},
    ],
)
def test_a_receipt_about_another_alert_is_not(submission: bytes, changes: dict[str, JsonValue]) -> None:
    """A genuine receipt that says anything else than the answer and the submission is refused, with what it said."""
    answer = accepted_body(submission, EXCHANGE, **changes)
    with pytest.raises(ReceiptNotTrustedError, match="about another alert") as refused:
        _verified(submission, answer)
    assert refused.value.receipt == answer["receipt"]


def test_a_receipt_under_another_key_is_not(submission: bytes) -> None:
    """A receipt is refused when its key is unknown, and when an unknown key borrows the exchange's ``kid``."""
    stranger = SigningKey.generate(KeyId("stranger"), "Ed25519")
    impostor = SigningKey.generate(EXCHANGE.kid, "Ed25519")
    with pytest.raises(ReceiptNotTrustedError, match="not among those known"):
        _verified(submission, accepted_body(submission, stranger))
    with pytest.raises(ReceiptNotTrustedError, match="not signed by this exchange"):
        _verified(submission, accepted_body(submission, impostor))


@pytest.mark.parametrize("receipt", ["", "a.b.c", "é", "e30.e30.AA"])
def test_what_is_no_receipt_is_refused(submission: bytes, receipt: str) -> None:
    """Anything that is no receipt at all is refused as untrusted."""
    with pytest.raises(ReceiptNotTrustedError):
        _verified(submission, {**accepted_body(submission, EXCHANGE), "receipt": receipt})


def test_a_repetition_may_have_the_first_signings_receipt(
    submission: bytes, alert: dict[str, JsonValue], agency_key: SigningKey
) -> None:
    """The answer to an alert that was signed anew carries the first submission's receipt; elsewhere that is refused."""
    again = signed_alert(alert, key=agency_key, now=NOW.replace(minute=6))
    first_answer = accepted_body(submission, EXCHANGE)
    assert _verified(again, first_answer, replayed=True).identifier == NAMED[1]
    with pytest.raises(ReceiptNotTrustedError):
        _verified(again, first_answer, replayed=False)


@pytest.fixture
def caller(exchange: ScriptedExchange, clock: StillClock) -> Iterator[Caller]:
    """Return a caller of the scripted exchange."""
    made = Caller(exchange.url, ca_file=None, language="en", timeout=5, patience=5, surroundings=clock.surroundings())
    yield made
    made.close()


def test_keys_are_pinned_on_first_use(caller: Caller, exchange: ScriptedExchange) -> None:
    """The exchange's keys are asked for once; what it publishes later is not believed."""
    keys = ExchangeKeys(caller, file=None)
    assert list(keys.pinned()) == [exchange.key.kid]
    exchange.script["/.well-known/jwks.json"] = [Answer(200, {"keys": [dict(EXCHANGE.public.jwk)]})]
    assert keys.pinned()[exchange.key.kid] == exchange.key.public
    assert len(exchange.to("/.well-known/jwks.json")) == 1


def test_pinned_keys_outlive_the_process(caller: Caller, exchange: ScriptedExchange, tmp_path: Path) -> None:
    """With a file, the keys of the first use are those of the next, whatever the exchange publishes by then."""
    file = tmp_path / "exchange.json"
    first = ExchangeKeys(caller, file=file).pinned()
    exchange.script["/.well-known/jwks.json"] = [Answer(200, {"keys": [dict(EXCHANGE.public.jwk)]})]
    assert ExchangeKeys(caller, file=file).pinned() == first
    assert len(exchange.to("/.well-known/jwks.json")) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}'])
def test_a_file_without_keys_is_refused(caller: Caller, tmp_path: Path, content: str) -> None:
    """A file of known keys that holds none is refused, never passed over: passing over it would trust anybody."""
    file = tmp_path / "exchange.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(file))):
        ExchangeKeys(caller, file=file).pinned()


def test_keys_of_unknown_kinds_are_passed_over(caller: Caller, exchange: ScriptedExchange) -> None:
    """A JWK Set may hold keys of kinds unknown here (RFC 7517 section 5); those that are known still count."""
    known = dict(exchange.key.public.jwk)
    exchange.script["/.well-known/jwks.json"] = [Answer(200, {"keys": [{"kty": "RSA", "kid": "old"}, known]})]
    assert list(ExchangeKeys(caller, file=None).pinned()) == [exchange.key.kid]

"""Receipts: the exchange's signed word about the bytes that it was given."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lacolle.samples import WorldOptions
from tests.acceptance.agency import Agencies, Agency, exchange_key, members
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.independent import Document, opened, unb64


def receipt_of(sq: Agency, body: Document) -> tuple[Document, Document]:
    """Return header and payload of an answer's receipt, verified with the key that the exchange publishes."""
    header = json.loads(unb64(str(body["receipt"]).partition(".")[0]))
    return opened(body["receipt"], exchange_key(sq.http, header["kid"]))


@pytest.mark.parametrize("number", [0, 1], ids=["Ed25519", "ES256"])
def test_receipt(sq: Agency, number: int) -> None:
    """A receipt names the alert, its sender, its place in the log and the digest of the very bytes that were posted."""
    alert = stolen_vehicle()
    submission = sq.sign(alert, sq.keys[number])
    begun = datetime.now(tz=UTC)
    body = members(sq.post(submission))
    header, receipt = receipt_of(sq, body)
    assert set(header) == {"alg", "kid", "typ"}
    assert header["typ"] == "receipt+jws"
    received = receipt.pop("received")
    assert receipt == {
        "alert_id": body["alert_id"],
        "sender": "ca-qc.sq",
        "identifier": alert["identifier"],
        "digest": f"sha-256:{hashlib.sha256(submission).hexdigest()}",
        "log_index": body["log_index"],
        "log_origin": WorldOptions().origin,
    }
    assert len(received) == len("2026-01-17T19:05:09.123Z")
    at = datetime.strptime(received, "%Y-%m-%dT%H:%M:%S.%f%z")
    assert begun - timedelta(milliseconds=1) <= at <= datetime.now(tz=UTC)


def test_the_first_submissions_receipt(sq: Agency) -> None:
    """The receipt of what is sent again, signed anew, is the first submission's, with its digest."""
    alert = stolen_vehicle()
    first = sq.sign(alert)
    sq.post(first)
    _, receipt = receipt_of(sq, members(sq.post(sq.sign(alert, sq.keys[1]))))
    assert receipt["digest"] == f"sha-256:{hashlib.sha256(first).hexdigest()}"


def test_published_keys(agencies: Agencies) -> None:
    """The key set holds public keys alone, each with its name, algorithm and use (RFC 7517)."""
    answer = agencies.http.get("/.well-known/jwks.json")
    assert answer.headers["content-type"] in ("application/json", "application/jwk-set+json")
    keys = members(answer)["keys"]
    assert keys
    for key in keys:
        assert "d" not in key
        assert {"kid", "alg", "kty", "crv", "x"} <= set(key)
        assert key.get("use", "sig") == "sig"
    assert len({key["kid"] for key in keys}) == len(keys)


def test_many_at_once(agencies: Agencies) -> None:
    """Submissions that come together each get a receipt of their own, with indexes that no two share."""
    sq = agencies["ca-qc.sq"]
    submissions = [sq.sign(stolen_vehicle()) for _ in range(40)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(sq.post, submissions))
    assert [answer.status_code for answer in answers] == [201] * len(submissions)
    receipts = [receipt_of(sq, members(answer))[1] for answer in answers]
    assert len({receipt["log_index"] for receipt in receipts}) == len(receipts)
    assert [receipt["digest"] for receipt in receipts] == [
        f"sha-256:{hashlib.sha256(submission).hexdigest()}" for submission in submissions
    ]


def test_one_alert_from_many_at_once(agencies: Agencies) -> None:
    """The same alert sent on several connections at once is stored once: one 201, and one answer for all."""
    sq = agencies["ca-qc.sq"]
    alert = stolen_vehicle()
    submissions = [sq.sign(alert, sq.keys[turn % 2]) for turn in range(16)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(sq.post, submissions))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.content for answer in answers}) == 1


def test_other_content_at_once(agencies: Agencies) -> None:
    """Different contents under one identifier, sent together, leave one alert and refuse the others."""
    sq = agencies["ca-qc.sq"]
    alert = stolen_vehicle()
    submissions = [sq.sign({**alert, "note": f"{time.time_ns()} {turn}"}) for turn in range(8)]
    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(answer.status_code for answer in threads.map(sq.post, submissions))
    assert statuses == [201] + [409] * 7

"""Whose signature counts: one answer for everything that is not trusted, and nothing to learn from it."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tests.acceptance.agency import PREVIEW, Agencies, Agency, members, problem_of
from tests.acceptance.alerts import changed, stolen_vehicle
from tests.acceptance.enrolment import (
    enrol,
    instant,
    new_participant,
    participant_statement,
    post_statement,
    revoke,
    stated,
    window,
)
from tests.acceptance.independent import Key, b64, dumped, sealed


def _signed_by(key: Callable[[Agencies], Key]) -> Callable[[Agencies], bytes]:
    return lambda agencies: agencies["ca-qc.sq"].sign(stolen_vehicle(), key(agencies))


def _with_header(*, signer: int, **changes: str) -> Callable[[Agencies], bytes]:
    def submission(agencies: Agencies) -> bytes:
        sq = agencies["ca-qc.sq"]
        return sealed({**sq.header(), **changes}, dumped(stolen_vehicle()), sq.keys[signer])

    return submission


def _with_signature(signature: bytes, *, key: int = 0) -> Callable[[Agencies], bytes]:
    def submission(agencies: Agencies) -> bytes:
        sq = agencies["ca-qc.sq"]
        signing_input, _, _ = sq.sign(stolen_vehicle(), sq.keys[key]).decode().rpartition(".")
        return f"{signing_input}.{b64(signature)}".encode()

    return submission


def _altered(part: int) -> Callable[[Agencies], bytes]:
    def submission(agencies: Agencies) -> bytes:
        sq = agencies["ca-qc.sq"]
        alert = stolen_vehicle()
        parts = sq.sign(alert).decode().split(".")
        parts[part] = b64(dumped(sq.header(signed_ago=-7) if part == 0 else changed(alert, {"status": "Test"})))
        return ".".join(parts).encode()

    return submission


def _revoked(agencies: Agencies) -> bytes:
    agency = enrol(agencies, "CA-QC")
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == httpx2.codes.CREATED
    revoke(agencies, agency, agency.key)
    return agency.sign(stolen_vehicle(sender=agency.participant))


def _outside_its_time(*, key: tuple[float, float], participant: tuple[float, float]) -> Callable[[Agencies], bytes]:
    """Return what signs with a key that counts, as its agency does, between these hours from now."""

    def submission(agencies: Agencies) -> bytes:
        name = new_participant("CA-QC")
        signer, other = Key.new(f"{name}:1"), Key.new(f"{name}:2")
        statement = participant_statement(name, [window(signer, begins=key[0], ends=key[1]), window(other)])
        statement |= {"from": instant(hours=participant[0]), "until": instant(hours=participant[1])}
        answer = post_statement(agencies, stated(agencies.authority("CA-QC"), statement))
        assert answer.status_code == httpx2.codes.CREATED, answer.text
        return agencies.enrolled(name, (signer, other)).sign(stolen_vehicle(sender=name))

    return submission


UNKNOWN = _signed_by(lambda _: Key.new("nobody.knows:this"))
FORGED = _signed_by(lambda agencies: Key.new(agencies["ca-qc.sq"].key.kid))

CASES = {
    "unknown kid": UNKNOWN,
    "wrong key": FORGED,
    "another agency's kid": _signed_by(lambda agencies: agencies["ca-qc.sq"].key.named("us-ny.nysp:Ed25519")),
    "an authority's key": _signed_by(lambda agencies: agencies.authority("CA-QC")),
    "the exchange's kid": _signed_by(lambda _: Key.new("lacolle.example.log:receipt")),
    "the other algorithm's name": _with_header(signer=0, alg="ES256"),
    "the other algorithm's signature": _with_header(signer=1, alg="ES256"),
    "the other key's name": _with_header(signer=0, kid="ca-qc.sq:ES256"),
    "altered payload": _altered(1),
    "altered header": _altered(0),
    "empty signature": _with_signature(b""),
    "zeros": _with_signature(bytes(64)),
    "zeros, ES256": _with_signature(bytes(64), key=1),
    "short signature": _with_signature(b"1" * 63),
    "long signature": _with_signature(b"1" * 65),
    "revoked": _revoked,
    "not yet valid": _outside_its_time(key=(1, 24), participant=(-1, 24)),
    "expired": _outside_its_time(key=(-2, -1), participant=(-24, 24)),
    "participant not yet valid": _outside_its_time(key=(-1, 24), participant=(1, 24)),
    "participant expired": _outside_its_time(key=(-1, 24), participant=(-2, -1)),
}


def _told(answer: httpx2.Response) -> tuple[object, ...]:
    """Return all that an answer says but for its request's own name."""
    body = {name: value for name, value in members(answer).items() if name != "instance"}
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return answer.status_code, body, headers


@pytest.mark.parametrize("case", CASES)
def test_one_answer(agencies: Agencies, case: str) -> None:
    """Whatever the reason, an untrusted signature gets the answer that an unknown key gets, in either language."""
    sq = agencies["ca-qc.sq"]
    submission = CASES[case](agencies)
    for language in ("fr", "en"):
        answer = sq.post(submission, Accept_Language=language)
        assert problem_of(answer, 401) == "signature-not-trusted"
        assert _told(answer) == _told(sq.post(UNKNOWN(agencies), Accept_Language=language))


def test_preview_trusts_no_more(agencies: Agencies) -> None:
    """A preview asks for the same signature, and tells a stranger the same nothing."""
    for case in (UNKNOWN, FORGED, _altered(1)):
        assert problem_of(agencies["ca-qc.sq"].post(case(agencies), PREVIEW), 401) == "signature-not-trusted"


def test_an_untrusted_signature_is_told_before_the_content(sq: Agency) -> None:
    """A stranger learns nothing about what an alert must look like."""
    stranger = Key.new("nobody.knows:this")
    for payload in (b"not json", b"{}", dumped(stolen_vehicle({"type": "x"}))):
        assert problem_of(sq.post(sq.sign(payload, stranger)), 401) == "signature-not-trusted"
        assert problem_of(sq.post(sq.sign(payload, Key.new(sq.key.kid))), 401) == "signature-not-trusted"


def test_the_other_key_of_a_revoked_one(agencies: Agencies) -> None:
    """A revocation takes one key, and leaves the agency its others."""
    agency = enrol(agencies, "CA-QC")
    revoke(agencies, agency, agency.keys[0])
    alert = stolen_vehicle(sender=agency.participant)
    assert agency.post(agency.sign(alert, agency.keys[0])).status_code == 401
    assert agency.post(agency.sign(alert, agency.keys[1])).status_code == 201

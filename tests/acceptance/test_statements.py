"""POST /v1/statements: authorities register agencies and take keys back while the exchange runs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.acceptance.agency import Agencies, members, problem_of
from tests.acceptance.alerts import outbreak, stolen_vehicle
from tests.acceptance.enrolment import (
    enrol,
    instant,
    new_participant,
    participant_statement,
    post_statement,
    revocation,
    revoke,
    stated,
    window,
)
from tests.acceptance.independent import Key, sealed


def registered(agencies: Agencies, participant: str) -> list[dict[str, Any]]:
    """Return the entries of the public registry that are a participant's."""
    told = members(agencies["us-me.msp"].get("/v1/participants"))["participants"]
    return [each for each in told if each["participant"] == participant]


def test_a_new_agency(agencies: Agencies) -> None:
    """An agency that its authority registers while the exchange runs can send at once, and stands in the registry."""
    agency = enrol(agencies, "US-VT")
    [entry] = registered(agencies, agency.participant)
    assert entry["name"] == {"fr": "Agence d'essai", "en": "Test agency"}
    assert {key["jwk"]["kid"] for key in entry["keys"]} == {key.kid for key in agency.keys}
    for key in agency.keys:
        assert agency.post(agency.sign(stolen_vehicle(sender=agency.participant), key)).status_code == 201


def test_what_it_may_send(agencies: Agencies) -> None:
    """The statement bounds what an agency may send; an empty list means nothing."""
    agency = enrol(agencies, "CA-QC", sends=["law-enforcement/stolen-vehicle/v1"])
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == 201
    assert problem_of(agency.submit(outbreak(sender=agency.participant)), 403) == "not-permitted"
    silent = enrol(agencies, "CA-QC", sends=[])
    assert problem_of(silent.submit(stolen_vehicle(sender=silent.participant)), 403) == "not-permitted"
    receiver = enrol(agencies, "US-ME", roles=["receiver"])
    assert problem_of(receiver.submit(stolen_vehicle(sender=receiver.participant)), 403) == "not-permitted"


def test_revocation_counts_at_once(agencies: Agencies) -> None:
    """The first submission after a revocation is refused already."""
    agency = enrol(agencies, "CA-QC")
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == 201
    revoke(agencies, agency, agency.key)
    refused = agency.submit(stolen_vehicle(sender=agency.participant))
    assert problem_of(refused, 401) == "signature-not-trusted"


def test_a_newer_statement_replaces(agencies: Agencies) -> None:
    """A newer statement replaces the older one whole: keys that it does not name are no longer trusted."""
    agency = enrol(agencies, "CA-QC")
    time.sleep(1.0)  # a newer statement is one of a later second
    newer = participant_statement(agency.participant, [window(agency.keys[1])])
    assert post_statement(agencies, stated(agencies.authority("CA-QC"), newer)).status_code == 201
    alert = stolen_vehicle(sender=agency.participant)
    assert agency.post(agency.sign(alert, agency.keys[0])).status_code == 401
    assert agency.post(agency.sign(alert, agency.keys[1])).status_code == 201


def test_what_a_replaced_key_signed_can_still_be_verified(agencies: Agencies) -> None:
    """The registry lists a replaced statement's keys apart, up to the newer one's signature, and revoked ones never."""
    agency = enrol(agencies, "CA-QC")
    [entry] = registered(agencies, agency.participant)
    assert entry["superseded_keys"] == []
    time.sleep(1.0)
    newer = participant_statement(agency.participant, [window(Key.new(f"{agency.participant}:9"))])
    assert post_statement(agencies, stated(agencies.authority("CA-QC"), newer)).status_code == 201
    [entry] = registered(agencies, agency.participant)
    superseded = {each["jwk"]["kid"]: each for each in entry["superseded_keys"]}
    assert superseded.keys() == {key.kid for key in agency.keys}
    assert all(each["from"] < each["until"] <= instant() for each in superseded.values())
    revoke(agencies, agency, agency.keys[0])
    [entry] = registered(agencies, agency.participant)
    assert agency.keys[0].kid not in {each["jwk"]["kid"] for each in entry["superseded_keys"]}


def test_an_older_statement_does_not(agencies: Agencies) -> None:
    """A statement that is older than the one that stands, or the same again, changes nothing."""
    agency = enrol(agencies, "CA-QC")
    older = participant_statement(agency.participant, [window(agency.keys[0])], sends=[])
    old = stated(agencies.authority("CA-QC"), older, iat=int(time.time()) - 120)
    assert 400 <= post_statement(agencies, old).status_code < 500
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == 201


def test_a_revocation_is_for_good(agencies: Agencies) -> None:
    """A revoked key does not come back with a newer statement."""
    agency = enrol(agencies, "CA-QC")
    revoke(agencies, agency, agency.key)
    time.sleep(1.0)
    again = participant_statement(agency.participant, [window(key) for key in agency.keys])
    post_statement(agencies, stated(agencies.authority("CA-QC"), again))
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == 401


SIGNERS = ["another authority", "a stranger", "a forger", "the agency itself"]


def _signer(agencies: Agencies, who: str) -> Key:
    match who:
        case "another authority":
            return agencies.authority("US-NY")
        case "a stranger":
            return Key.new("ca-qc.other-authority")
        case "a forger":
            return Key.new(agencies.authority("CA-QC").kid)
        case _:
            return agencies["ca-qc.sq"].key


@pytest.mark.parametrize("who", SIGNERS)
def test_wrong_signers(agencies: Agencies, who: str) -> None:
    """Nobody but a jurisdiction's own authority registers its agencies or takes their keys back."""
    participant = new_participant("CA-QC")
    signer = _signer(agencies, who)
    statement = stated(signer, participant_statement(participant, [window(Key.new(f"{participant}:1"))]))
    answer = post_statement(agencies, statement)
    assert answer.status_code in (401, 403, 409)
    assert answer.headers["content-type"] == "application/problem+json"
    assert registered(agencies, participant) == []
    sq = agencies["ca-qc.sq"]
    answer = post_statement(agencies, stated(signer, revocation("ca-qc.sq", sq.key.kid)))
    assert answer.status_code in (401, 403, 409)
    assert sq.submit(stolen_vehicle()).status_code == 201


def test_other_jurisdictions_participants(agencies: Agencies) -> None:
    """A participant's name must be of the jurisdiction that the statement names."""
    participant = new_participant("US-NY")
    keys = [window(Key.new(f"{participant}:1"))]
    for jurisdiction in ("CA-QC", "US-NY", "FR"):
        statement = participant_statement(participant, keys, jurisdiction=jurisdiction)
        assert 400 <= post_statement(agencies, stated(agencies.authority("CA-QC"), statement)).status_code < 500
    assert registered(agencies, participant) == []


def test_a_kid_belongs_to_one(agencies: Agencies) -> None:
    """A key's name that is taken can't be registered for another participant, or another key."""
    sq = agencies["ca-qc.sq"]
    participant = new_participant("CA-QC")
    for key in (Key.new(sq.key.kid), sq.key):
        statement = participant_statement(participant, [window(key)])
        assert 400 <= post_statement(agencies, stated(agencies.authority("CA-QC"), statement)).status_code < 500
    assert registered(agencies, participant) == []
    assert sq.submit(stolen_vehicle()).status_code == 201


def test_names_of_the_exchanges_keys(agencies: Agencies) -> None:
    """No participant's key may be called what a key of the exchange is, or could be, in capitals or not."""
    published = [each["kid"] for each in members(agencies.http.get("/.well-known/jwks.json"))["keys"]]
    assert published
    participant = new_participant("CA-QC")
    for kid in (*published, *(each.upper() for each in published), f"{published[0]}-2"):
        statement = participant_statement(participant, [window(Key.new(kid))])
        answer = post_statement(agencies, stated(agencies.authority("CA-QC"), statement))
        assert problem_of(answer, 409) == "statement-refused"
    assert registered(agencies, participant) == []


def test_unsound_statements(agencies: Agencies) -> None:
    """A statement that is not of the form that the registry knows registers nobody."""
    authority = agencies.authority("CA-QC")
    participant = new_participant("CA-QC")
    key = Key.new(f"{participant}:1")
    sound = participant_statement(participant, [window(key)])
    private = {**key.jwk, "d": "A" * 43}
    unsound: list[dict[str, Any]] = [
        {"unexpected": 1},
        {"statement": "agency"},
        {"roles": ["operator"]},
        {"roles": []},
        {"sends": ["*"]},
        {"sends": "law-enforcement/*"},
        {"keys": [{**window(key), "jwk": private}]},
        {"keys": [{**window(key), "jwk": {**key.jwk, "alg": "ES256"}}]},
        {"keys": [{**window(key), "jwk": {**key.jwk, "x": "A" * 43}}]},
        {"keys": [window(key), window(Key.new(key.kid))]},
        {"from": instant(hours=2), "until": instant(hours=1)},
        {"from": "2026-01-01"},
        {"name": {"fr": "seulement"}},
        {"hosts": ["https://example.org"]},
        {"participant": "CA-QC.sq"},
    ]
    for changes in unsound:
        answer = post_statement(agencies, stated(authority, {**sound, **changes}))
        assert 400 <= answer.status_code < 500, changes
    for document in (b"[]", b"{}", b"x", b'{"statement":"participant","statement":"participant"}'):
        assert 400 <= post_statement(agencies, stated(authority, document)).status_code < 500
    assert registered(agencies, participant) == []


HEADERS: list[dict[str, Any]] = [{"typ": "alert+jws"}, {"typ": None}, {"crit": ["x"]}, {"jwk": {}}, {"alg": "none"}]


def test_signed_forms(agencies: Agencies) -> None:
    """A statement's JWS has its own type and no other header than the contract's."""
    authority = agencies.authority("CA-QC")
    participant = new_participant("CA-QC")
    statement = participant_statement(participant, [window(Key.new(f"{participant}:1"))])
    for body in [b"x", sealed({}, b"{}", authority), *(stated(authority, statement, **header) for header in HEADERS)]:
        answer = post_statement(agencies, body)
        assert answer.status_code in (400, 409)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = agencies.http.post("/v1/statements", content=b"x", headers={"Content-Type": "application/json"})
    assert problem_of(answer, 415) == "unsupported-media-type"
    assert registered(agencies, participant) == []


def test_revocations_that_name_nothing(agencies: Agencies) -> None:
    """A revocation is of a key that the participant has."""
    authority = agencies.authority("CA-QC")
    for participant, kid in (("ca-qc.sq", "ca-qc.msp:Ed25519"), ("ca-qc.sq", "nothing"), ("ca-qc.nobody", "nothing")):
        answer = post_statement(agencies, stated(authority, revocation(participant, kid)))
        assert 400 <= answer.status_code < 500
    assert agencies["ca-qc.msp"].preview(stolen_vehicle(sender="ca-qc.msp")).status_code == 200


def test_a_revocation_in_the_future(agencies: Agencies) -> None:
    """A revocation counts at once: one that is to count later is refused, and the key stays."""
    agency = enrol(agencies, "CA-QC")
    later = revocation(agency.participant, agency.key.kid, revoked_at=instant(hours=1))
    assert 400 <= post_statement(agencies, stated(agencies.authority("CA-QC"), later)).status_code < 500
    assert agency.submit(stolen_vehicle(sender=agency.participant)).status_code == 201

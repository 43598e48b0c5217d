"""Legal holds and orders to erase, over the wire and by the commands: who may state them, what is read afterwards."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.agency import Agencies, Agency, faults_of, members, problem_of, utc_now
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import lacolle
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.independent import Document

HOLDS: Final = "/v1/holds"
ERASURES: Final = "/v1/erasures"
TYPES: Final = {"legal-hold": "legal-hold+jws", "hold-release": "legal-hold+jws", "erasure-order": "erasure-order+jws"}


def state(agencies: Agencies, jurisdiction: str, path: str, word: Document, *, typ: str | None = None) -> Any:  # noqa: ANN401 - httpx's
    """Post what a jurisdiction's authority states."""
    key = agencies.authority(jurisdiction)
    return agencies["ca-qc.sq"].post(
        agencies["ca-qc.sq"].sign(word, key, typ=typ or TYPES[str(word["statement"])]), path
    )


def about(seen: Document, statement: str, jurisdiction: str, **other: object) -> Document:
    """Return a statement about an alert as its reader sees it."""
    named = {"statement": statement, "alert_id": seen["alert_id"], "digest": seen["digest"]}
    return {**named, "jurisdiction": jurisdiction, "at": utc_now(), **other}


@pytest.fixture
def seen(sq: Agency) -> Document:
    """Return a new alert of Québec's police to New York's, as its sender reads it."""
    return sq.read(str(sq.send(stolen_vehicle())["alert_id"]))


def test_a_hold_stands_until_its_authority_releases_it(agencies: Agencies, seen: Document) -> None:
    """New York's authority holds what its police received; the same again changes nothing, and no other releases it."""
    word = about(seen, "legal-hold", "US-NY", reference="IND-4711/26")
    placed = state(agencies, "US-NY", HOLDS, word)
    assert placed.status_code == 201, placed.text
    known_by = members(placed)["hold"]
    again = state(agencies, "US-NY", HOLDS, word)
    assert (again.status_code, members(again)) == (200, members(placed))
    sender, recipient = agencies["ca-qc.sq"], agencies["us-ny.nysp"]
    assert sender.read(str(seen["alert_id"]))["content"] == {"state": "held"}
    assert recipient.read(str(seen["alert_id"]))["content"]["state"] == "stored"
    assert known_by in {each["hold"] for each in members(sender.get(HOLDS))["holds"]}
    assert members(recipient.get(HOLDS))["holds"] == []
    order = about(seen, "erasure-order", "CA-QC")
    assert problem_of(state(agencies, "CA-QC", ERASURES, order), 409) == "content-held"
    release = {**about(seen, "hold-release", "US-NY"), "hold": known_by}
    release.pop("digest")
    path = f"{HOLDS}/{known_by}/release"
    foreign = {**release, "jurisdiction": "CA-QC"}
    assert problem_of(state(agencies, "CA-QC", path, foreign), 404) == "not-found"
    assert state(agencies, "US-NY", path, release).status_code == 201
    assert state(agencies, "US-NY", path, release).status_code == 200
    assert sender.read(str(seen["alert_id"]))["content"]["state"] == "stored"
    assert state(agencies, "CA-QC", ERASURES, order).status_code == 201


def test_an_erased_alert_keeps_its_proofs(agencies: Agencies, sq: Agency) -> None:
    """Erased by order its content is gone; decisions, entry and answer are as they were, and its name stays taken."""
    alert = stolen_vehicle()
    submission = sq.sign(alert)
    first = sq.post(submission)
    alert_id = str(members(first)["alert_id"])
    before = sq.read(alert_id)
    order = about(before, "erasure-order", "CA-QC")
    ordered = state(agencies, "CA-QC", ERASURES, order)
    assert ordered.status_code == 201, ordered.text
    after = sq.read(alert_id)
    assert (after["state"], after["content"]["basis"]) == ("erased", "order")
    assert after["content"]["log_index"] == members(ordered)["log_index"]
    for name in ("decisions", "digest", "log_index"):
        assert after[name] == before[name]
    assert (before["identifier"], after["identifier"]) == (alert["identifier"], None)
    ended = {"withheld": "erased", "disclosures": []}
    assert after["log_entry"] == {**before["log_entry"], **ended}
    assert members(sq.get("/v1/alerts", sender="ca-qc.sq", identifier=alert["identifier"])) == after
    again = sq.post(submission)
    assert (again.status_code, again.content) == (200, first.content)
    assert state(agencies, "CA-QC", ERASURES, order).status_code == 200
    late = about(before, "legal-hold", "CA-QC")
    assert problem_of(state(agencies, "CA-QC", HOLDS, late), 409) == "content-erased"


def test_what_is_not_to_be_taken_is_refused(agencies: Agencies, seen: Document) -> None:
    """A participant's key, another's authority, another digest, a future time, another typ: each is refused as such."""
    word = about(seen, "legal-hold", "CA-QC")
    sq = agencies["ca-qc.sq"]
    assert problem_of(sq.post(sq.sign(word, typ="legal-hold+jws"), HOLDS), 401) == "signature-not-trusted"
    assert faults_of(state(agencies, "US-NY", HOLDS, word)).keys() == {"/jurisdiction"}
    assert faults_of(state(agencies, "CA-QC", HOLDS, {**word, "at": "2099-01-01T00:00:00Z"})).keys() == {"/at"}
    assert faults_of(state(agencies, "CA-QC", HOLDS, {**word, "digest": "sha-256:" + "0" * 64})).keys() == {"/digest"}
    assert faults_of(state(agencies, "CA-QC", HOLDS, {**word, "reference": "Jean Tremblay"})).keys() == {"/reference"}
    assert problem_of(state(agencies, "CA-QC", HOLDS, word, typ="erasure-order+jws"), 400) == "malformed-submission"
    order = about(seen, "erasure-order", "US-NY")
    assert problem_of(state(agencies, "US-NY", ERASURES, order), 404) == "not-found"
    stranger = about(seen, "legal-hold", "US-ME")
    assert problem_of(state(agencies, "US-ME", HOLDS, stranger), 404) == "not-found"
    assert problem_of(agencies["ca-qc.sq"].http.get(HOLDS), 401) == "token-refused"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_commands_do_the_same(standing: ServerProcess, seen: Document, tmp_path: Path, language: str) -> None:
    """``hold place``, ``list``, ``release`` and ``erase`` state it, and say in words and in JSON what came of it."""
    world = standing.world
    member = world.members[next(each for each in world.members if each == "ca-qc.sq")]
    authority = world.folder.parent / "authorities" / "CA-QC.jwk"
    asked = ("--url", world.base_url, "--participant", "ca-qc.sq", "--key", member.key_files[0])
    pinned = ("--exchange-keys", tmp_path / "exchange.jwks", "--lang", language)
    alert_id = str(seen["alert_id"])

    def run(*words: object) -> str:
        ran = lacolle(*words, *asked, *pinned)
        assert ran.status == 0, ran.err
        return ran.out

    placed = json.loads(run("hold", "place", alert_id, "--authority-key", authority, "--reference", "A-1", "--json"))
    assert placed["hold"] in run("hold", "list")
    run("hold", "release", placed["hold"], "--authority-key", authority)
    assert placed["hold"] not in run("hold", "list")
    assert placed["hold"] in run("hold", "list", "--all")
    (listed,) = [
        each for each in json.loads(run("hold", "list", "--all", "--json"))["holds"] if each["hold"] == placed["hold"]
    ]
    said = json.loads(base64.urlsafe_b64decode(listed["signed"].split(".")[1] + "=="))
    assert (said["statement"], said["alert_id"], said["reference"]) == ("legal-hold", alert_id, "A-1")
    whole = json.loads(run("hold", "place", alert_id, "--thread", "--authority-key", authority, "--json"))
    assert {"fr": "son fil", "en": "its thread"}[language] in run("hold", "list")
    run("hold", "release", whole["hold"], "--authority-key", authority)
    assert {"fr": "effacé", "en": "erased"}[language] in run("erase", alert_id, "--authority-key", authority)
    assert {"fr": "effacé", "en": "erased"}[language] in run("status", alert_id)
    refused = lacolle("erase", alert_id, "--authority-key", authority, *asked, *pinned)
    assert (refused.status, "content-erased" in refused.err) == (1, True)

"""POST /v1/alerts/preview: what would happen, and nothing that happens."""

from __future__ import annotations

import hashlib

from tests.acceptance.agency import ALERTS, PREVIEW, Agencies, Agency, faults_of, members, problem_of
from tests.acceptance.alerts import stolen_vehicle, update_of
from tests.acceptance.log_reader import LogReader


def test_decisions(sq: Agency) -> None:
    """A preview decides as the submission does afterwards, for the same recipients under the same clauses."""
    alert = stolen_vehicle()
    answer = sq.preview(alert)
    assert answer.status_code == 200
    previewed = members(answer)
    sent = sq.send(alert)
    permitted = {each["participant"]: each["under"] for each in previewed["decisions"] if each["decision"] == "permit"}
    assert permitted == {each["participant"]: f"{each['agreement']}#{each['clause']}" for each in sent["recipients"]}
    assert previewed["decisions"] == sq.read(sent["alert_id"])["decisions"]


def test_nothing_is_stored(sq: Agency) -> None:
    """What was previewed is not there, and can be sent as if it had never been asked about."""
    submission = sq.sign(stolen_vehicle({"identifier": "previewed-only"}))
    assert sq.post(submission, PREVIEW).status_code == 200
    assert "alert_id" not in members(sq.post(submission, PREVIEW))
    assert sq.get(ALERTS, sender="ca-qc.sq", identifier="previewed-only").status_code == 404
    assert sq.post(submission).status_code == 201


def test_it_is_logged(sq: Agency, log: LogReader) -> None:
    """Each preview adds one entry to the log."""
    first, second = (sq.send(stolen_vehicle())["log_index"] for _ in range(2))
    for _ in range(3):
        assert sq.preview(stolen_vehicle()).status_code == 200
    third = sq.send(stolen_vehicle())["log_index"]
    assert third - second == second - first + 3
    log.holding(third)


def test_refusals(sq: Agency) -> None:
    """A preview of what would be refused gets the same refusal."""
    assert problem_of(sq.post(b"x", PREVIEW), 400) == "malformed-submission"
    assert "/status" in faults_of(sq.preview(stolen_vehicle({"status": "x"})))
    assert problem_of(sq.preview(stolen_vehicle(sender="us-ny.nysp")), 403) == "not-permitted"
    assert problem_of(sq.post(sq.sign(stolen_vehicle()), PREVIEW, Content_Type="text/plain"), 415)
    assert problem_of(sq.post(b"A" * (2 * 1024 * 1024 + 1), PREVIEW), 413) == "body-too-large"


def test_an_update_in_preview(sq: Agency) -> None:
    """A preview of an Update counts whom the original reached."""
    alert = stolen_vehicle()
    first = sq.send(alert)
    previewed = members(sq.preview(update_of(alert, {"info.0.certainty": "Unlikely"})))
    assert previewed["thread"] == first["alert_id"]
    permitted = {each["participant"] for each in previewed["decisions"] if each["decision"] == "permit"}
    assert permitted == {"us-ny.nysp", "us-vt.vsp"}


def test_both_keys_preview(agencies: Agencies) -> None:
    """Either of an agency's keys may ask, and the answer is the same."""
    sq = agencies["ca-qc.sq"]
    alert = stolen_vehicle()
    answers = [sq.post(sq.sign(alert, key), PREVIEW) for key in sq.keys]
    assert len({hashlib.sha256(answer.content).digest() for answer in answers}) == 1

"""Batches: each line is answered as it would have been alone, in order, and harms none of its neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, Agencies, Agency, members, problem_of
from tests.acceptance.alerts import cancel_of, stolen_vehicle, update_of
from tests.acceptance.conftest import ServerProcess, calling, serving
from tests.acceptance.independent import Document, Key

BATCH = "/v1/alerts/batch"
SEQUENCE = {"Content-Type": "application/jose-seq"}


def post_batch(agency: Agency, body: bytes) -> httpx2.Response:
    """Post a batch as it stands."""
    return agency.http.post(BATCH, content=body, headers=SEQUENCE)


def results(agency: Agency, lines: Sequence[bytes]) -> list[Document]:
    """Return the results of a batch of lines."""
    answer = post_batch(agency, b"\n".join(lines))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.content.endswith(b"\n")
    found = [json.loads(line) for line in answer.content.splitlines()]
    assert len(found) == len(lines)
    return found


def test_every_line_is_accepted(sq: Agency) -> None:
    """A line's result is a 201 with the receipt that the single call would have given, and the alert is there."""
    alerts = [stolen_vehicle() for _ in range(50)]
    found = results(sq, [sq.sign(alert) for alert in alerts])
    assert [each["status"] for each in found] == [201] * 50
    for alert, each in zip(alerts, found, strict=True):
        assert each["location"] == f"{ALERTS}/{each['body']['alert_id']}"
        assert sq.read(each["body"]["alert_id"])["identifier"] == alert["identifier"]


def test_again(sq: Agency) -> None:
    """A batch that is sent again gets the first answers, line by line; so does a single call with one of its lines."""
    lines = [sq.sign(stolen_vehicle()) for _ in range(5)]
    first = results(sq, [*lines, lines[0]])
    assert [each["status"] for each in first] == [201] * 5 + [200]
    assert first[5]["body"] == first[0]["body"]
    again = results(sq, lines)
    assert [each["status"] for each in again] == [200] * 5
    assert [each["body"] for each in again] == [each["body"] for each in first[:5]]
    single = sq.post(lines[2])
    assert (single.status_code, members(single)) == (200, first[2]["body"])


def test_one_bad_line_harms_no_other(sq: Agency, agencies: Agencies) -> None:
    """Every kind of refusal is its line's alone, and says what the single call says."""
    used = stolen_vehicle()
    sq.send(used)
    bad = [
        b"",
        b"not a submission",
        sq.sign(stolen_vehicle(), Key.new("nobody:1")),
        sq.sign(stolen_vehicle(sender="us-ny.nysp")),
        sq.sign(stolen_vehicle({"status": "x"})),
        sq.sign(stolen_vehicle({"identifier": used["identifier"], "incidents": ["other"]})),
        sq.sign(b"{" * 3000),
        agencies["us-ny.nysp"].sign(stolen_vehicle({"expires": "2020-01-01T00:00:00-05:00"}, sender="us-ny.nysp")),
        b"a" * (3 * 1024 * 1024),
    ]
    lines = [each for one in bad for each in (one, sq.sign(stolen_vehicle()))]
    found = results(sq, lines)
    assert [each["status"] for each in found[1::2]] == [201] * len(bad)
    assert [each["status"] for each in found[::2]] == [400, 400, 401, 403, 422, 409, 400, 422, 413]
    for line, each in zip(bad, found[::2], strict=True):
        alone = sq.post(line)
        assert alone.status_code == each["status"]
        assert {**each["body"], "instance": None} == {**members(alone), "instance": None}


def test_a_thread_in_one_batch(sq: Agency) -> None:
    """An Update, a second one and a Cancel that follow their alert in a batch follow it in the log."""
    original = stolen_vehicle()
    updates = [update_of(original) for _ in range(2)]
    cancel = cancel_of(original)
    thread = [original, *updates, cancel]
    lines = [sq.sign(each) for alert in thread for each in (alert, stolen_vehicle())]
    found = results(sq, lines)
    assert [each["status"] for each in found] == [201] * len(lines)
    bodies = [each["body"] for each in found[::2]]
    assert all("warnings" not in body for body in bodies)
    assert [body["log_index"] for body in bodies] == sorted(body["log_index"] for body in bodies)
    assert {sq.read(body["alert_id"])["thread"] for body in bodies} == {bodies[0]["alert_id"]}


def test_what_is_no_batch(sq: Agency) -> None:
    """A batch that is empty, too long or of another media type is refused whole, and nothing of it is accepted."""
    assert problem_of(post_batch(sq, b""), 400) == "malformed-submission"
    assert problem_of(post_batch(sq, b"x\n" * 1001), 400) == "malformed-submission"
    assert len(results(sq, [b"x"] * 1000)) == 1000
    assert problem_of(post_batch(sq, b"x" * (16 * 1024 * 1024 + 1)), 413) == "body-too-large"
    assert problem_of(sq.post(sq.sign(stolen_vehicle()), BATCH), 415) == "unsupported-media-type"


def test_a_batch_is_one_line_of_the_log(standing: ServerProcess, sq: Agency) -> None:
    """However many of its lines are refused, the operator's log has one line for them, by the id that they answer."""
    before = standing.log_file.read_text(encoding="utf-8").count("\n")
    answer = post_batch(sq, b"x\n" * 999 + sq.sign(stolen_vehicle({"status": "x"})))
    bodies = [json.loads(line)["body"] for line in answer.content.splitlines()]
    request_id = answer.headers["x-request-id"]
    assert {body["instance"] for body in bodies} == {request_id}
    written = standing.log_file.read_text(encoding="utf-8").splitlines()[before:]
    (told,) = [json.loads(line) for line in written if request_id in line]
    assert (told["event"], told["lines"]) == ("refused_in_batch", 1000)
    assert told["problems"] == {"malformed-submission": 999, "invalid-alert": 1}
    assert not [line for line in written if json.loads(line)["event"] == "refused"]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return an exchange that lets a participant send few alerts."""
    limits = {"limits": {"rate_per_second": 0.01, "burst": 4, "batch_bytes": 40_000}}
    with serving(tmp_path_factory.mktemp("strict"), settings=limits) as server:
        yield server


def test_a_rate_is_of_alerts(strict: ServerProcess) -> None:
    """A batch spends its sender's rate line by line; what is over it is told when to come again."""
    with calling(strict) as agencies:
        sq = agencies["ca-qc.sq"]
        found = results(sq, [sq.sign(stolen_vehicle()) for _ in range(10)])
        assert sorted(each["status"] for each in found) == [201] * 4 + [429] * 6
        assert all(each["retry_after"] >= 1 for each in found if each["status"] == 429)
        assert problem_of(post_batch(sq, b"x" * 40_001), 413) == "body-too-large"

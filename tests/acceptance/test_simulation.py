"""POST /v1/agreements/simulate: what a draft would have done, told to its parties alone and of what they may see."""

from __future__ import annotations

from typing import Any

import httpx2

from lacolle.samples import SAMPLES
from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle

SIMULATE = "/v1/agreements/simulate"
PAST = "2026-01-01T00:00:00Z"
VERMONT = (SAMPLES / "agreements" / "ca-qc.us-vt.law-enforcement.yaml").read_bytes()
DRAFT = VERMONT.replace(b"version: 1", b"version: 2", 1).replace(
    b"types: [law-enforcement/stolen-vehicle/v1]", b"types: [emergency-management/public-warning/v1]", 1
)


def asked(
    agency: Agency, draft: bytes = DRAFT, *, media_type: str = "application/yaml", **query: str
) -> httpx2.Response:
    """Return the answer to an agency's question."""
    headers = {"Authorization": f"Bearer {agency.token()}", "Content-Type": media_type}
    return agency.http.post(SIMULATE, params={"since": PAST, **query}, content=draft, headers=headers)


def recipients(told: dict[str, Any]) -> dict[str, int]:
    """Return how many copies each recipient would no longer get."""
    return {each["participant"]: each["lost"] for each in told["recipients"] if each["lost"]}


def test_each_party_is_told_of_its_own(agencies: Agencies) -> None:
    """The sender is told of every copy, the recipient of its own; samples name alerts, and nothing that they say."""
    sq, vsp = agencies["ca-qc.sq"], agencies["us-vt.vsp"]
    sq.send(stolen_vehicle())
    for agency in (sq, vsp):
        answer = asked(agency)
        assert answer.status_code == 200, answer.text
        told = members(answer)
        lost = recipients(told)  # other tests' alerts are in the same exchange
        assert lost.keys() == {"us-vt.vsp"}
        assert 1 <= lost["us-vt.vsp"] <= told["changed"]
        participants = {each["participant"] for each in told["recipients"]}
        assert ("us-ny.nysp" in participants) is (agency is sq)  # a copy between others is none of Vermont's business
        assert all(set(each) == {"alert_id", "type", "gained", "lost", "changed"} for each in told["samples"])


def test_who_and_what_is_refused(agencies: Agencies) -> None:
    """A stranger to the draft, a draft that is none, a stretch without a beginning, another form: each by name."""
    sq = agencies["ca-qc.sq"]
    assert problem_of(asked(agencies["us-ny.nysp"]), 403) == "not-permitted"
    assert problem_of(asked(sq, b"version: 2"), 422) == "draft-refused"
    assert problem_of(asked(sq, b"\xff"), 422) == "draft-refused"
    assert problem_of(asked(sq, since="yesterday"), 422) == "invalid-query"
    assert problem_of(asked(sq, until="2026-11-22"), 422) == "invalid-query"
    assert problem_of(asked(sq, since="0001-01-01T00:00:00+05:00"), 422) == "invalid-query"
    assert problem_of(week := asked(sq, since="2026-W03-6T19:05:09Z"), 422) == "invalid-query"
    assert week.json()["pointer"] == "/since"
    assert problem_of(asked(sq, until="9999-12-31T23:59:59-05:00"), 422) == "invalid-query"
    assert asked(sq, until="9999-12-31T23:59:59Z").status_code == 200
    assert problem_of(asked(sq, media_type="text/plain"), 415) == "unsupported-media-type"
    assert problem_of(sq.http.post(SIMULATE, content=DRAFT), 401) == "token-refused"

"""Reading an alert back: by id, by name, and only by those whom it concerns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, Agencies, members, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.independent import Document

ABSENT = "01a201cd-c2aa-7ef2-a6e2-abe51ab7a86c"
SEES = {
    "ca-qc.sq": True,
    "us-ny.nysp": True,
    "us-vt.vsp": True,
    "ca-qc.cai": True,
    "ca-qc.msss": False,
    "ca-qc.msp": False,
    "us-ny.doh": False,
    "us-vt.vdh": False,
    "us-me.msp": False,
    "ca.phac": False,
}


@pytest.fixture(scope="module")
def alert(agencies: Agencies) -> Document:
    """Return a stolen vehicle that went to New York's and Vermont's police, with the id that it got."""
    document = stolen_vehicle()
    return {**document, "alert_id": agencies["ca-qc.sq"].send(document)["alert_id"]}


def _by_id(agencies: Agencies, reader: str, alert: Document) -> httpx2.Response:
    return agencies[reader].get(f"{ALERTS}/{alert['alert_id']}")


def _by_name(agencies: Agencies, reader: str, alert: Document) -> httpx2.Response:
    return agencies[reader].get(ALERTS, sender=alert["sender"], identifier=alert["identifier"])


def _without_request_id(answer: httpx2.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = {name: value for name, value in members(answer).items() if name != "instance"}
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return answer.status_code, body, headers


@pytest.mark.parametrize(("reader", "sees"), SEES.items())
@pytest.mark.parametrize("how", [_by_id, _by_name])
def test_who_sees(agencies: Agencies, alert: Document, reader: str, how: Any, sees: bool) -> None:  # noqa: ANN401, FBT001 - a function and a table's column
    """Sender, recipients and the sender's auditor see an alert; to anybody else it is not there, and never was."""
    answer = how(agencies, reader, alert)
    if sees:
        assert answer.status_code == 200
        assert members(answer)["alert_id"] == alert["alert_id"]
    else:
        absent = how(agencies, reader, {**alert, "alert_id": ABSENT, "identifier": "never-sent"})
        assert problem_of(answer, 404) == "not-found"
        assert _without_request_id(answer) == _without_request_id(absent)


def test_the_senders_view(agencies: Agencies, alert: Document) -> None:
    """The sender sees the state, a decision for everyone who could receive, and each delivery with its times."""
    seen = agencies["ca-qc.sq"].read(alert["alert_id"])
    for name in ("sender", "identifier", "type", "status", "msgType"):
        assert seen[name] == alert[name]
    datetime.strptime(seen["received"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert isinstance(seen["state"], str)
    assert {each["participant"] for each in seen["decisions"]} == set(SEES) - {"ca-qc.sq", "ca-qc.cai"}
    assert {each["participant"] for each in seen["deliveries"]} == {"us-ny.nysp", "us-vt.vsp"}
    for delivery in seen["deliveries"]:
        assert {"delivery_id", "state", "attempts", "lane", "deadline", "agreement", "clause"} <= set(delivery)


def test_by_id_and_by_name(agencies: Agencies, alert: Document) -> None:
    """Both ways to ask give the same answer."""
    by_id, by_name = (members(how(agencies, "ca-qc.sq", alert)) for how in (_by_id, _by_name))
    for delivery in (*by_id["deliveries"], *by_name["deliveries"]):
        # the relay may hand a delivery to the bus between the two
        del delivery["state"], delivery["attempts"]
    assert by_id == by_name


def test_a_recipients_view(agencies: Agencies, alert: Document) -> None:
    """A recipient sees the decision about itself and its own delivery, and not who else received."""
    answer = agencies["us-ny.nysp"].get(f"{ALERTS}/{alert['alert_id']}")
    seen = members(answer)
    assert [each["participant"] for each in seen["decisions"]] == ["us-ny.nysp"]
    assert [each["participant"] for each in seen["deliveries"]] == ["us-ny.nysp"]
    assert "us-vt" not in answer.text
    assert "us-me" not in answer.text


def test_an_auditors_view(agencies: Agencies, alert: Document) -> None:
    """The auditor of the sender's jurisdiction sees all that the sender sees."""
    seen = agencies["ca-qc.cai"].read(alert["alert_id"])
    assert {each["participant"] for each in seen["deliveries"]} == {"us-ny.nysp", "us-vt.vsp"}
    assert len(seen["decisions"]) == len(SEES) - 2


def test_an_auditor_of_the_recipient(agencies: Agencies) -> None:
    """The auditor of a recipient's jurisdiction sees the alert; an alert that stays elsewhere it does not."""
    ny = agencies["us-ny.nysp"]
    received = ny.send(stolen_vehicle(sender="us-ny.nysp"))
    assert [each["participant"] for each in received["recipients"]] == ["ca-qc.sq"]
    cai = agencies["ca-qc.cai"]
    assert cai.get(f"{ALERTS}/{received['alert_id']}").status_code == 200
    elsewhere = agencies["us-me.msp"].send(stolen_vehicle(sender="us-me.msp"))
    assert elsewhere["recipients"] == []
    assert cai.get(f"{ALERTS}/{elsewhere['alert_id']}").status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"sender": "ca-qc.sq"},
        {"identifier": "x"},
        {"sender": "", "identifier": ""},
        {"sender": "\x00", "identifier": "é"},
    ],
)
def test_incomplete_names(agencies: Agencies, parameters: dict[str, str]) -> None:
    """A question that names no alert is refused or finds nothing."""
    assert agencies["ca-qc.sq"].get(ALERTS, **parameters).status_code in (404, 422)


@pytest.mark.parametrize(
    "alert_id", ["x", "0", ABSENT.upper(), ABSENT + "0", "%00", "..%2Fschemas", "'", "a" * 3000, "é"]
)
def test_ids_that_are_none(agencies: Agencies, alert_id: str) -> None:
    """An id that no alert can have is not found, as one that no alert has."""
    answer = agencies["ca-qc.sq"].get(f"{ALERTS}/{alert_id}")
    assert problem_of(answer, 404) == "not-found"


def test_the_registry_in_public(agencies: Agencies) -> None:
    """Any participant may read who takes part, with public keys alone."""
    for path, name, count in (("/v1/participants", "participants", 10), ("/v1/jurisdictions", "jurisdictions", 5)):
        assert agencies.http.get(path).status_code == 401
        answer = agencies["us-me.msp"].get(path)
        assert answer.status_code == 200
        assert len(members(answer)[name]) >= count
        assert '"d":' not in answer.text


def test_agreements(agencies: Agencies) -> None:
    """A party reads its agreements with their documents, signatures and state; to others they are not there."""
    maine = agencies["us-me.msp"]
    assert [each["id"] for each in members(maine.get("/v1/agreements"))["agreements"]] == [
        "ca-qc.us-me.law-enforcement"
    ]
    answer = maine.get("/v1/agreements/ca-qc.us-me.law-enforcement/1")
    told = members(answer)
    assert told["in_force"] is True
    assert told["document"]["id"] == "ca-qc.us-me.law-enforcement"
    assert "signatures" in answer.text
    foreign = maine.get("/v1/agreements/ca-qc.us-ny.crime-2008/1")
    absent = maine.get("/v1/agreements/ca-qc.us-zz.nothing/1")
    assert problem_of(foreign, 404) == problem_of(absent, 404) == "not-found"
    assert _without_request_id(foreign) == _without_request_id(absent)
    for version in ("0", "2", "-1", "x", "1e3", "99999999999999999999"):
        assert maine.get(f"/v1/agreements/ca-qc.us-me.law-enforcement/{version}").status_code in (404, 422)

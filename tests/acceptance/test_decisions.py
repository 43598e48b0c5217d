"""Who gets an alert, who does not, and why, under the four agreements of the sample world."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.agency import Agencies, Agency, members
from tests.acceptance.alerts import cancel_of, outbreak, public_warning, stolen_vehicle, update_of, wanted_person
from tests.acceptance.independent import Document

RECEIVERS = {
    "ca-qc.sq",
    "ca-qc.msp",
    "ca-qc.msss",
    "us-ny.nysp",
    "us-ny.doh",
    "us-vt.vsp",
    "us-vt.vdh",
    "us-me.msp",
    "ca.phac",
}


def reached(agency: Agency, alert: Document) -> dict[str, tuple[str, str]]:
    """Send an alert and return the clause and lane of each recipient."""
    return {each["participant"]: (each["clause"], each["lane"]) for each in agency.send(alert)["recipients"]}


def decisions(agency: Agency, alert: Document) -> dict[str, Document]:
    """Return the decisions that a preview shows, by participant."""
    answer = agency.preview(alert)
    assert answer.status_code == 200, answer.text
    told = members(answer)["decisions"]
    assert len({each["participant"] for each in told}) == len(told)
    return {each["participant"]: each for each in told}


def test_maine_gets_no_stolen_vehicle(sq: Agency) -> None:
    """Québec's agreement with Maine names no stolen vehicles: Maine gets none, and the reason says so."""
    told = decisions(sq, stolen_vehicle())["us-me.msp"]
    assert told["decision"] == "deny"
    assert "stolen-vehicle" in told["reason"]["en"]
    assert "ca-qc.us-me.law-enforcement" in told["reason"]["en"]
    assert "us-me.msp" not in reached(sq, stolen_vehicle())
    assert reached(sq, wanted_person())["us-me.msp"] == ("2.1", "routine")


def test_each_candidate_has_a_decision(sq: Agency) -> None:
    """Everyone who may receive alerts has a decision with reasons in both languages; a permit names its clause."""
    told = decisions(sq, stolen_vehicle())
    assert set(told) == RECEIVERS - {"ca-qc.sq"}
    for each in told.values():
        reason = each["reason"]
        assert set(reason) == {"fr", "en"}
        assert reason["fr"].strip()
        assert reason["en"].strip()
        assert reason["fr"] != reason["en"]
        if each["decision"] == "permit":
            agreement, _, clause = each["under"].partition("#")
            assert clause in reason["en"]
            assert agreement.partition("/")[0] in reason["fr"]
            assert each["lane"] in ("urgent", "routine")
        else:
            assert "under" not in each


def test_considered_clauses_say_why_not(sq: Agency) -> None:
    """A clause whose conditions an alert does not meet is named with the condition, in both languages."""
    denied = decisions(sq, stolen_vehicle({"handling.tlp": "RED"}))["us-ny.nysp"]
    assert denied["decision"] == "deny"
    told = [(each["clause"], each["reason"]["en"]) for each in denied["considered"]]
    assert len(set(told)) == len(told)
    assert {clause for clause, _ in told} == {"ca-qc.us-ny.crime-2008/1#3.1", "ca-qc.us-ny.crime-2008/1#3.4"}
    for each in denied["considered"]:
        assert each["reason"]["fr"] != each["reason"]["en"]
    assert any("TLP" in reason for clause, reason in told if clause.endswith("#3.1"))


@pytest.mark.parametrize(
    ("tlp", "recipients"),
    [
        ("CLEAR", {"us-ny.nysp", "us-vt.vsp"}),
        ("GREEN", {"us-ny.nysp", "us-vt.vsp"}),
        ("AMBER", {"us-ny.nysp", "us-vt.vsp"}),
        ("AMBER+STRICT", set()),
        ("RED", set()),
    ],
)
def test_tlp_ceiling(sq: Agency, tlp: str, recipients: set[str]) -> None:
    """A label above a clause's ceiling keeps the alert from its recipient; one at the ceiling or below does not."""
    assert set(reached(sq, stolen_vehicle({"handling.tlp": tlp}))) == recipients


def test_a_ceiling_is_its_clauses(sq: Agency) -> None:
    """New York's ceiling for wanted persons is higher than its neighbours', and lets through what theirs does not."""
    assert set(reached(sq, wanted_person({"handling.tlp": "AMBER+STRICT"}))) == {"us-ny.nysp"}


@pytest.mark.parametrize(
    ("changes", "recipients"),
    [
        ({"info.0.certainty": "Likely"}, {"us-ny.nysp", "us-vt.vsp"}),
        ({"info.0.certainty": "Possible"}, {"us-ny.nysp"}),
        ({"info.0.certainty": "Unknown"}, {"us-ny.nysp"}),
        ({"info": []}, {"us-ny.nysp"}),
    ],
)
def test_conditions(sq: Agency, changes: Document, recipients: set[str]) -> None:
    """Vermont takes stolen vehicles that were observed or are likely, and New York any."""
    assert set(reached(sq, stolen_vehicle(changes))) == recipients


def test_lanes(sq: Agency) -> None:
    """An urgent clause wins over a routine one that would do, and only where its conditions hold."""
    assert reached(sq, wanted_person())["us-ny.nysp"] == ("3.3", "urgent")
    assert reached(sq, wanted_person({"info.0.urgency": "Future"}))["us-ny.nysp"] == ("3.2", "routine")
    assert reached(sq, wanted_person({"info.0.severity": "Minor"}))["us-ny.nysp"] == ("3.2", "routine")


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
def test_exercises_go_where_a_clause_names_them(agencies: Agencies, status: str) -> None:
    """What is not Actual goes nowhere but under a clause that names its status."""
    sq = agencies["ca-qc.sq"]
    expected = {"us-ny.nysp"} if status in ("Exercise", "Test") else set()
    assert set(reached(sq, stolen_vehicle({"status": status}))) == expected
    assert reached(agencies["us-vt.vsp"], stolen_vehicle({"status": status}, sender="us-vt.vsp")) == {}
    assert "us-me.msp" not in reached(sq, wanted_person({"status": status}))


@pytest.mark.parametrize(
    ("addresses", "recipients"),
    [
        ([], {"us-ny.nysp", "us-vt.vsp"}),
        (["us-ny.nysp"], {"us-ny.nysp"}),
        (["us-ny.nysp", "us-vt.vsp"], {"us-ny.nysp", "us-vt.vsp"}),
        (["us-me.msp"], set()),
        (["us-me.msp", "us-vt.vsp"], {"us-vt.vsp"}),
        (["nobody"], set()),
        (["US-NY.NYSP"], set()),
        (["*"], set()),
    ],
)
def test_addresses_narrow(sq: Agency, addresses: list[str], recipients: set[str]) -> None:
    """Addresses leave out who is not named, and add nobody whom no clause lets in."""
    assert set(reached(sq, stolen_vehicle({"addresses": addresses}))) == recipients


def test_private_alerts(sq: Agency) -> None:
    """A Private alert goes to whom it names, where a clause lets it."""
    private = stolen_vehicle({"scope": "Private", "addresses": ["us-vt.vsp", "us-me.msp"]})
    assert set(reached(sq, private)) == {"us-vt.vsp"}


def test_no_agreement_no_recipients(agencies: Agencies) -> None:
    """An alert that no clause covers is accepted, logged, and goes to nobody."""
    maine = agencies["us-me.msp"]
    body = maine.send(stolen_vehicle(sender="us-me.msp"))
    assert body["recipients"] == []
    seen = maine.read(body["alert_id"])
    assert seen["deliveries"] == []
    assert {each["decision"] for each in seen["decisions"]} == {"deny"}


def test_grants_are_one_way(agencies: Agencies) -> None:
    """What Québec gives is not what it gets: each direction has clauses of its own, and states give each other none."""
    assert set(reached(agencies["us-ny.nysp"], stolen_vehicle(sender="us-ny.nysp"))) == {"ca-qc.sq"}
    assert set(reached(agencies["us-vt.vsp"], wanted_person(sender="us-vt.vsp"))) == {"ca-qc.sq"}
    assert set(reached(agencies["us-ny.nysp"], wanted_person(sender="us-ny.nysp"))) == {"ca-qc.sq", "ca-qc.msp"}


def test_many_parties(agencies: Agencies) -> None:
    """A multilateral agreement reaches each of its health authorities but the sender's own."""
    assert set(reached(agencies["ca-qc.msss"], outbreak())) == {"us-ny.doh", "us-vt.vdh", "ca.phac"}
    assert set(reached(agencies["ca.phac"], outbreak(sender="ca.phac"))) == {"us-ny.doh", "us-vt.vdh", "ca-qc.msss"}
    assert set(reached(agencies["ca-qc.msp"], public_warning())) == {"us-ny.doh", "us-vt.vdh", "ca.phac"}


MILDER: list[Document] = [
    {"info.0.certainty": "Unlikely", "info.0.severity": "Minor", "info.0.urgency": "Past"},
    {"info": []},
    {"info.0.category": ["Other"]},
]


@pytest.mark.parametrize("changes", MILDER)
def test_an_update_reaches_whom_the_original_reached(sq: Agency, changes: dict[str, Any]) -> None:
    """An Update goes to everyone who got the original, also when it alone would not have gone there."""
    alert = stolen_vehicle()
    sq.send(alert)
    assert set(reached(sq, update_of(alert, changes))) == {"us-ny.nysp", "us-vt.vsp"}


@pytest.mark.parametrize("changes", [{}, *MILDER])
def test_a_cancel_reaches_whom_the_original_reached(sq: Agency, changes: dict[str, Any]) -> None:
    """A Cancel goes to everyone who got the original, whatever it says itself."""
    alert = stolen_vehicle()
    sq.send(alert)
    assert set(reached(sq, cancel_of(alert, changes))) == {"us-ny.nysp", "us-vt.vsp"}


def test_a_later_cancel_reaches_all_of_the_thread(sq: Agency) -> None:
    """A Cancel of an Update recalls what any alert of the thread reached."""
    alert = stolen_vehicle({"info.0.certainty": "Possible"})
    assert set(reached(sq, alert)) == {"us-ny.nysp"}
    wider = update_of(alert, {"info.0.certainty": "Observed"})
    assert set(reached(sq, wider)) == {"us-ny.nysp", "us-vt.vsp"}
    milder = update_of(wider, {"info.0.certainty": "Unlikely"})
    assert set(reached(sq, milder)) == {"us-ny.nysp", "us-vt.vsp"}
    assert set(reached(sq, cancel_of(milder, {"info": []}))) == {"us-ny.nysp", "us-vt.vsp"}


def test_a_narrow_update_reaches_whom_the_original_reached(sq: Agency) -> None:
    """Addresses of an Update or a Cancel do not leave out who holds the original."""
    alert = stolen_vehicle()
    sq.send(alert)
    assert set(reached(sq, update_of(alert, {"addresses": ["us-ny.nysp"]}))) == {"us-ny.nysp", "us-vt.vsp"}
    assert set(reached(sq, cancel_of(alert, {"addresses": ["us-me.msp"]}))) == {"us-ny.nysp", "us-vt.vsp"}


def test_an_update_reaches_nobody_else(sq: Agency) -> None:
    """An Update adds nobody whom no clause lets in."""
    alert = stolen_vehicle()
    sq.send(alert)
    assert "us-me.msp" not in reached(sq, update_of(alert, {"addresses": ["us-me.msp"]}))

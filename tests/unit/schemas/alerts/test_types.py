"""The bodies keep the rules of their fields: police files, case reports, public warnings."""

from __future__ import annotations

import pytest

from schemas.alerts.catalogue import parse_alert
from schemas.alerts.vehicles import check_digit_holds
from tests.unit.schemas.alerts.samples import Json, example, faults_of


def with_body(name: str, **members: object) -> Json:
    """Return an example with some members of its body replaced; None takes one away."""
    document = example(name)
    body = {**document["body"], **members}
    return {**document, "body": {key: value for key, value in body.items() if value is not None}}


def with_vehicle(**members: object) -> Json:
    """Return the stolen-vehicle example with another vehicle."""
    return with_body("law-enforcement.stolen-vehicle", vehicle=members)


@pytest.mark.parametrize("vin", ["2T3RWRFV8MW104217", "1M8GDM9AXKP042788", "11111111111111111"])
def test_check_digits_that_hold(vin: str) -> None:
    """Vehicle identification numbers with a right check digit pass (49 CFR 565.15(c))."""
    assert check_digit_holds(vin)


def test_a_wrong_check_digit_is_advice_not_refusal() -> None:
    """A number misread, or of a vehicle not made for North America, is doubted there and taken all the same."""
    doubtful = parse_alert(with_vehicle(vin="2T3RWRFV0MW104217"))
    european = parse_alert(with_vehicle(vin="WVWZZZ1JZXW000001"))
    assert [advice.en for advice in doubtful.advice()] == [
        "The check digit of the vehicle identification number does not hold."
    ]
    assert european.advice() == ()


@pytest.mark.parametrize("vin", ["2T3RWRFV8MW10421", "2T3RWRFV8MW1042170", "OT3RWRFV8MW104217", "2t3rwrfv8mw104217"])
def test_what_is_no_vin_is_refused(vin: str) -> None:
    """Seventeen capitals and digits without I, O and Q, nothing else (ISO 3779)."""
    assert faults_of(with_vehicle(vin=vin)) == {"/body/vehicle/vin": "string-pattern-mismatch"}


@pytest.mark.parametrize(
    "vehicle",
    [{"vin": "2T3RWRFV8MW104217"}, {"plate": {"number": "K47 LTX", "jurisdiction": "CA-QC"}}, {"serialNumber": "A-1"}],
)
def test_any_number_identifies_a_stolen_vehicle(vehicle: Json) -> None:
    """A VIN, a plate or a serial number is enough; none of them is not."""
    assert faults_of(with_vehicle(**vehicle)) == {}
    assert faults_of(with_vehicle(make="Toyota")) == {"/body/vehicle": "vehicle-not-identified"}


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"age": 17}, {}),
        ({"age": 18}, {"/body/amber": "amber-for-adult"}),
        ({"birthDate": "2008-05-15"}, {}),
        ({"birthDate": "2008-05-14"}, {"/body/amber": "amber-for-adult"}),
        ({"birthDate": "2008-05-14", "age": 17}, {"/body/amber": "amber-for-adult"}),
        ({"hair": "brown"}, {"/body/person": "amber-without-age"}),
    ],
)
def test_amber_is_for_children(person: Json, expected: dict[str, str]) -> None:
    """An AMBER alert is for somebody under 18 on the day they were last seen; any other missing person has no age."""
    name = "law-enforcement.missing-person"
    assert faults_of(with_body(name, person=person)) == expected
    assert faults_of(with_body(name, person=person, amber=False)) == {}


def test_a_warrant_is_for_a_named_person_and_an_offence() -> None:
    """Neither a nameless person nor a warrant for nothing is wanted."""
    warrants = example("law-enforcement.wanted-person")["body"]["warrants"]
    nothing = [{**warrants[0], "offences": []}]
    assert faults_of(with_body("law-enforcement.wanted-person", person={"age": 40})) == {
        "/body/person/name": "person-not-named"
    }
    assert faults_of(with_body("law-enforcement.wanted-person", warrants=nothing)) == {
        "/body/warrants/0/offences": "too-short"
    }


def test_a_case_may_be_withdrawn_and_de_identified() -> None:
    """A case is known by its record id and jurisdiction alone; ``not-a-case`` withdraws it."""
    name = "public-health.case-notification"
    assert faults_of(with_body(name, status="not-a-case", patient={"sex": "female"}, laboratory=None)) == {}
    assert faults_of(with_body(name, localRecordId=None)) == {"/body/localRecordId": "missing"}
    assert faults_of(with_body(name, reportingJurisdiction=None)) == {"/body/reportingJurisdiction": "missing"}


def test_onsets_come_in_order() -> None:
    """An outbreak's last onset is not before its first."""
    name = "public-health.outbreak"
    assert faults_of(with_body(name, lastOnset="2026-02-26")) == {"/body/lastOnset": "onsets-reversed"}


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"references": "x@example.org,OTHER,2026-04-10T21:30:00-04:00"}, "/body/references"),
        ({"incidents": "another"}, "/body/incidents"),
        ({"info": [{}]}, "/body/info"),
        ({"info": [{"area": [{}, {}]}, {}]}, "/body/info/0/area"),
        ({"info": [{"area": [{"polygon": ["0,0 0,1 1,1 0,0"]}]}, {}]}, "/body/info/0/area/0/polygon"),
        ({"info": [{"area": [{"circle": ["0,0 1"]}]}, {}]}, "/body/info/0/area/0/circle"),
    ],
)
def test_a_warning_does_not_contradict_itself(members: Json, pointer: str) -> None:
    """What is kept as CAP wrote it must say what the header says: partners of either format read the same alert."""
    name = "emergency-management.public-warning"
    assert faults_of(with_body(name, **members)) == {pointer: "not-as-written"}


def test_addresses_as_written_count_only_where_private() -> None:
    """CAP's addresses limit a Private message alone; kept as written elsewhere, they narrow nothing."""
    name = "emergency-management.public-warning"
    assert faults_of(with_body(name, addresses="someone@example.org")) == {}
    narrowed = {**with_body(name, addresses="someone@example.org"), "addresses": ["us-vt.vsp"]}
    assert faults_of(narrowed) == {"/body/addresses": "not-as-written"}
    private = {**with_body(name, addresses='"Jane Doe" b@c'), "scope": "Private", "addresses": ["Jane Doe", "b@c"]}
    assert faults_of(private) == {}

"""The header, the info blocks and the handling of every alert keep CAP 1.2's rules and ours."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.alerts.catalogue import parse_alert
from schemas.alerts.header import Reference, instant, read_references
from tests.unit.schemas.alerts.samples import Json, example, faults_of, stolen_vehicle

INFO = example("law-enforcement.stolen-vehicle")["info"][0]
REFERENCE = "ca-qc.sq,SQ-2026-0117-0041,2026-01-17T13:00:00-05:00"


def with_info(**members: object) -> Json:
    """Return the example with one info block, some of its members replaced."""
    return stolen_vehicle(info=[{**INFO, **members}])


def with_area(**members: object) -> Json:
    """Return the example with one area, some of its members replaced."""
    return with_info(area=[{"areaDesc": "Lacolle", **members}])


def test_the_alert_of_the_wire_contract_is_valid() -> None:
    """The page that clients are written from shows an alert that is taken, its dots filled in."""
    document: Json = {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": "SQ-2026-0117-0042",
        "sender": "ca-qc.sq",
        "sent": "2026-01-17T14:05:09-05:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "references": [],
        "incidents": ["SQ-2026-0117"],
        "addresses": [],
        "expires": "2026-01-20T00:00:00-05:00",
        "handling": {
            "tlp": "AMBER",
            "codes": [],
            "purpose": "criminal-investigation",
            "caveat": {"fr": "Ne pas transmettre.", "en": "Do not pass on."},
        },
        "info": [
            {
                "language": "fr-CA",
                "category": ["Security"],
                "event": "Véhicule volé",
                "urgency": "Immediate",
                "severity": "Severe",
                "certainty": "Observed",
                "headline": "Véhicule volé",
                "description": "Un véhicule a été volé.",
                "instruction": "Ne pas intercepter seul.",
                "area": [
                    {
                        "areaDesc": "Lacolle",
                        "polygon": [],
                        "circle": [],
                        "geocode": [{"valueName": "SGC", "value": "2456060"}],
                    }
                ],
            }
        ],
        "body": {
            "vehicle": {
                "vin": "2T3RWRFV8MW104217",
                "plate": {"number": "K47 LTX", "jurisdiction": "CA-QC"},
                "make": "Toyota",
                "model": "RAV4",
                "year": 2021,
                "colour": "gris",
            },
            "circumstances": "Vol dans un stationnement.",
        },
    }
    alert = parse_alert(document)
    assert alert.sender == "ca-qc.sq"
    assert alert.info[0].area[0].geocode[0].value == "2456060"


def test_an_alert_is_frozen() -> None:
    """Nobody can change what a sender signed, its lists included."""
    alert = parse_alert(stolen_vehicle())
    with pytest.raises(ValidationError):
        alert.identifier = "other"  # type: ignore[misc]  # that is the point
    assert isinstance(alert.info, tuple)
    assert isinstance(alert.info[0].category, tuple)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"sender": "SQ"}, {"/sender": "string-pattern-mismatch"}),
        ({"identifier": "a b"}, {"/identifier": "string-pattern-mismatch"}),
        ({"identifier": "a,b"}, {"/identifier": "string-pattern-mismatch"}),
        ({"identifier": "a<b"}, {"/identifier": "string-pattern-mismatch"}),
        ({"identifier": "a&b"}, {"/identifier": "string-pattern-mismatch"}),
        ({"identifier": "a\u202eb"}, {"/identifier": "string-pattern-mismatch"}),
        ({"identifier": ""}, {"/identifier": "string-pattern-mismatch"}),
        ({"status": "actual"}, {"/status": "literal-error"}),
        ({"msgType": "Ack"}, {"/references": "references-missing"}),
        ({"msgType": "Cancel"}, {"/references": "references-missing"}),
        ({"msgType": "Error"}, {"/references": "references-missing"}),
        ({"msgType": "Update", "references": [REFERENCE]}, {}),
        ({"references": ["SQ-2026-0117-0041"]}, {"/references/0": "string-pattern-mismatch"}),
        ({"references": [REFERENCE + " "]}, {"/references/0": "string-pattern-mismatch"}),
        ({"scope": "Private"}, {"/addresses": "addresses-missing"}),
        ({"scope": "Private", "addresses": ["us-ny.nysp"]}, {}),
        ({"expires": "2026-01-17T14:05:08-05:00"}, {"/expires": "expires-before-sent"}),
        ({"expires": "2026-01-17T19:05:09+00:00"}, {}),
        ({"expires": None}, {}),
        ({"handling": {"tlp": "WHITE", "purpose": "x"}}, {"/handling/tlp": "literal-error"}),
        ({"handling": {"tlp": "GREEN", "purpose": "x", "codes": ["H3"]}}, {"/handling/caveat": "caveat-missing"}),
        ({"handling": {"tlp": "GREEN", "purpose": "x", "caveat": {"fr": "x"}}}, {"/handling/caveat/en": "missing"}),
        ({"info": []}, {}),
        ({"incidents": ['a"b']}, {"/incidents/0": "string-pattern-mismatch"}),
        ({"note": "\x1b[31m"}, {"/note": "string-pattern-mismatch"}),
        ({"note": 7}, {"/note": "string-type"}),
        ({"extra": 1}, {"/extra": "extra-forbidden"}),
    ],
)
def test_header_rules(members: Json, expected: dict[str, str]) -> None:
    """Each rule of the header points to the member that breaks it."""
    assert faults_of(stolen_vehicle(**members)) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"category": []}, {"/info/0/category": "too-short"}),
        ({"urgency": "Soon"}, {"/info/0/urgency": "literal-error"}),
        ({"responseType": ["AllClear"]}, {}),
        ({"expires": "2026-01-18T00:00:00Z"}, {"/info/0/expires": "string-pattern-mismatch"}),
        ({"language": "français"}, {"/info/0/language": "string-pattern-mismatch"}),
        ({"web": "https://www.sq.gouv.qc.ca/a?b=c#d"}, {}),
        ({"web": "https://host:port/"}, {"/info/0/web": "string-pattern-mismatch"}),
        ({"web": "100%"}, {"/info/0/web": "string-pattern-mismatch"}),
    ],
)
def test_info_rules(members: Json, expected: dict[str, str]) -> None:
    """Each rule of an info block points to the member that breaks it."""
    assert faults_of(with_info(**members)) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"circle": ["45.0,-73.4 12.5"]}, {}),
        ({"circle": ["45.0,-73.4 0"]}, {}),
        ({"circle": ["45.0,-73.4 -1"]}, {"/info/0/area/0/circle/0": "string-pattern-mismatch"}),
        ({"circle": ["91,-73.4 1"]}, {"/info/0/area/0/circle/0": "string-pattern-mismatch"}),
        ({"polygon": ["45,-73 45,-74 44,-74 45,-73"]}, {}),
        ({"polygon": ["45,-73 45,-74 44,-74"]}, {"/info/0/area/0/polygon/0": "polygon-not-closed"}),
        ({"polygon": ["45,-73 45,-74 45,-73"]}, {"/info/0/area/0/polygon/0": "polygon-without-area"}),
        ({"polygon": ["95,-73 45,-74 44,-74 95,-73"]}, {"/info/0/area/0/polygon/0": "string-pattern-mismatch"}),
        ({"polygon": ["45,-73 45,-181 44,-74 45,-73"]}, {"/info/0/area/0/polygon/0": "string-pattern-mismatch"}),
        ({"ceiling": "900"}, {"/info/0/area/0/ceiling": "ceiling-without-altitude"}),
        ({"ceiling": "900", "altitude": "100.50"}, {}),
        ({"altitude": "1e3"}, {"/info/0/area/0/altitude": "string-pattern-mismatch"}),
    ],
)
def test_area_rules(members: Json, expected: dict[str, str]) -> None:
    """Each rule of an area points to the member that breaks it."""
    assert faults_of(with_area(**members)) == expected


def test_every_broken_rule_is_told_at_once() -> None:
    """A sender who broke several rules needs to come back but once."""
    document = stolen_vehicle(msgType="Cancel", scope="Private", expires="2020-01-01T00:00:00-05:00")
    assert set(faults_of(document)) == {"/references", "/addresses", "/expires"}


def test_a_list_stops_at_its_first_wrong_item() -> None:
    """A list of wrong items costs one fault, not one each: a body of two mebibytes can hold very many."""
    area: dict[str, Any] = {"areaDesc": "x", "geocode": [{}] * 4_000}
    assert faults_of(with_info(area=[area] * 100)) == {
        "/info/0/area/0/geocode/0/valueName": "missing",
        "/info/0/area/0/geocode/0/value": "missing",
    }


@settings(max_examples=50, deadline=None)
@given(st.dates(date(1000, 1, 1)), st.integers(0, 23), st.integers(-14 * 60, 14 * 60))
def test_every_date_that_exists_is_a_time(day: date, hour: int, offset: int) -> None:
    """Any calendar date, hour and offset of XML Schema is taken, and read as that instant."""
    sign, minutes = "-+"[offset >= 0], abs(offset)
    text = f"{day.isoformat()}T{hour:02}:59:59{sign}{minutes // 60:02}:{minutes % 60:02}"
    assert faults_of(with_info(onset=text)) == {}
    assert instant(text).date() == day
    assert instant(text).utcoffset() == timedelta(minutes=offset)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00-05:00",
        "2100-02-29T00:00:00-05:00",
        "2026-04-31T00:00:00-05:00",
        "2026-13-01T00:00:00-05:00",
        "2026-00-01T00:00:00-05:00",
        "2026-01-00T00:00:00-05:00",
        "2026-01-17T24:00:00-05:00",
        "2026-01-17T23:60:00-05:00",
        "2026-01-17T23:59:60-05:00",
        "2026-01-17T14:05:09Z",
        "2026-01-17T14:05:09.5-05:00",
        "2026-01-17T14:05:09",
        "2026-01-17 14:05:09-05:00",
        "2026-01-17T14:05:09,05:00",
        "2026-01-17T14:05:09-15:00",
        "2026-01-17T14:05:09-05:00\n",
        "0000-01-17T14:05:09-05:00",
    ],
)
def test_no_other_time_is_taken(text: str) -> None:
    """A date that does not exist, a fraction, a missing or lettered offset are refused (CAP 1.2 section 3.3.2)."""
    assert faults_of(with_info(onset=text)) == {"/info/0/onset": "string-pattern-mismatch"}


def test_leap_days_exist() -> None:
    """February 29 is taken in leap years, those of whole centuries included."""
    for year in (2000, 2024, 2028, 2400):
        assert faults_of(with_info(onset=f"{year}-02-29T00:00:00-05:00")) == {}


def test_references_are_read_as_names() -> None:
    """A reference gives back the three parts that CAP puts into it."""
    assert read_references([REFERENCE]) == (
        Reference(sender="ca-qc.sq", identifier="SQ-2026-0117-0041", sent="2026-01-17T13:00:00-05:00"),  # type: ignore[arg-type]  # a test's plain text
    )

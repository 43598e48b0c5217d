"""The catalogue finds every type, reads by it, describes it, and says what is wrong without repeating it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts.catalogue import (
    MOST_FAULTS,
    MOST_POINTER,
    InvalidAlertError,
    alert_types,
    json_schema,
    marked_paths,
    parse_alert,
    title,
)
from schemas.alerts.marks import SCHEMA_KEYWORD
from schemas.ids import AlertType
from tests.unit.schemas.alerts.samples import EXAMPLES, Json, example, faults_of, stolen_vehicle

INVALID = {
    "emergency-management.infrastructure-disruption": {"/body/customers/0/without", "/body/state"},
    "emergency-management.public-warning": {"/body/info/0/resource/0/kind", "/info/1/severity", "/sent"},
    "emergency-management.resource-offer": {"/body/conditions", "/body/request"},
    "emergency-management.resource-request": {"/body/declaration", "/body/resources"},
    "environment.air-quality": {"/body/indices/1/category", "/body/measurements/0/hours"},
    "environment.invasive-species": {"/body/occurrences/1/individuals"},
    "environment.water-contamination": {"/body/advice"},
    "law-enforcement.border-incident": {"/body/traffic/0/delayMinutes", "/body/traffic/0/into"},
    "law-enforcement.cargo-risk": {
        "/body/consignments/0/containers/0/number",
        "/body/consignments/0/conveyance/ship",
        "/body/consignments/0/goods/0/hs",
    },
    "law-enforcement.child-exploitation": {"/body/baseline", "/body/observables/0/value", "/body/victims/0/count"},
    "law-enforcement.cyber-incident": {"/body/observables/0/value", "/body/techniques/2", "/body/vulnerabilities/0"},
    "law-enforcement.drug-trafficking": {
        "/body/seizures/0/crossing/port",
        "/body/seizures/0/quantity/amount",
        "/body/substances/1/cas",
    },
    "law-enforcement.financial-crime": {"/body/accounts/0/number", "/body/organisations/0/lei", "/body/period/last"},
    "law-enforcement.firearm-trace": {"/body/trace/timeToCrimeDays"},
    "law-enforcement.human-trafficking": {"/body/means", "/body/victims/0/child"},
    "law-enforcement.identity-document": {"/body/documents/0/blanks/last", "/body/presentations/0/outcome"},
    "law-enforcement.immigration-crime": {"/body/groups/0/minors", "/body/groups/0/unaccompanied"},
    "law-enforcement.missing-person": {"/body/amber", "/info/0/area/0/ceiling", "/info/0/area/0/polygon/0"},
    "law-enforcement.officer-safety": {"/body/firearms/0/serialNumber", "/body/hazards/0", "/body/validity/until"},
    "law-enforcement.organised-crime": {"/body/group/rivals"},
    "law-enforcement.stolen-vehicle": {"/body/vehicle"},
    "law-enforcement.terrorism-threat": {"/body/localities", "/body/rating/information"},
    "law-enforcement.wanted-person": {"/body/person/name", "/references"},
    "public-health.animal-disease": {
        "/body/outbreaks/0/animals/0/deaths",
        "/body/outbreaks/0/animals/0/killedAndDisposed",
    },
    "public-health.bioterrorism-agent": {"/body/detections/0/positive", "/body/lawEnforcementNotified", "/body/state"},
    "public-health.case-notification": {"/addresses", "/body/onset", "/handling/caveat"},
    "public-health.food-recall": {"/body/firm/gln", "/body/products/0/bestBefore/last", "/body/products/0/gtin"},
    "public-health.laboratory-result": {"/body/results/0/result", "/body/specimen/received"},
    "public-health.outbreak": {"/body/asOf", "/body/condition/display/fr", "/body/counts/deaths"},
    "public-health.overdose-cluster": {
        "/body/ages/most",
        "/body/counts/expected",
        "/body/counts/hospitalised",
        "/body/counts/nonFatal",
    },
    "public-health.pandemic-phase": {"/body/previousPhase", "/body/spread"},
}
"""Where each invalid example is wrong."""

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "alert-types.md"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def name_of(alert_type: AlertType) -> str:
    """Return what the examples of a type are called."""
    domain, name, _ = alert_type.split("/")
    return f"{domain}.{name}"


def test_every_type_has_its_examples_and_no_example_lacks_its_type() -> None:
    """Adding a type means adding a module and two examples, no less."""
    found = {path.name for path in EXAMPLES.glob("*.json")}
    assert found == {f"{name_of(each)}.{kind}.json" for each in alert_types() for kind in ("valid", "invalid")}


def test_the_documentation_lists_every_type_and_whom_it_may_identify() -> None:
    """The table of types is the catalogue's: titles in both languages, and persons where there are marks."""
    rows = [line for line in DOCUMENTATION.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{each}` | {title(each).fr} | {title(each).en} | {whom(each)} |" for each in alert_types()]


def whom(alert_type: AlertType) -> str:
    """Return in words whom alerts of a type may identify."""
    if not marked_paths(alert_type, "identifying"):
        return "nobody"
    return "persons, their health" if marked_paths(alert_type, "health") else "persons"


@pytest.mark.parametrize("alert_type", alert_types())
def test_valid_examples_are_valid(alert_type: AlertType) -> None:
    """The valid example is taken, nothing about it is doubtful, and it speaks both languages."""
    alert = parse_alert(example(name_of(alert_type)))
    assert alert.type == alert_type
    assert alert.advice() == ()
    assert [info.language for info in alert.info] == ["fr-CA", "en-CA"]
    assert title(alert_type).fr


@pytest.mark.parametrize("alert_type", alert_types())
def test_invalid_examples_are_refused_at_their_faults(alert_type: AlertType) -> None:
    """The invalid example is refused exactly where it is wrong, with a sentence in each language."""
    with pytest.raises(InvalidAlertError) as refusal:
        parse_alert(example(name_of(alert_type), "invalid"))
    assert {fault.pointer for fault in refusal.value.faults} == INVALID[name_of(alert_type)]
    assert all(fault.message.fr != fault.message.en for fault in refusal.value.faults)


@pytest.mark.parametrize("alert_type", alert_types())
def test_schemas_are_sound_and_agree_with_the_models(alert_type: AlertType) -> None:
    """The JSON Schema is one by its own standard, takes the valid example, and closes every object."""
    schema = json_schema(alert_type)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"schemas/{alert_type}"
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.Draft202012Validator(schema)
    document = example(name_of(alert_type))
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, "type": "law-enforcement/other/v1"})
    assert not validator.is_valid({**document, "extra": 1})
    assert not validator.is_valid({**document, "sent": "2026-02-30T00:00:00-05:00"})


def test_marks_show_in_the_schema_and_are_found_by_path() -> None:
    """Fields that identify a person or tell of health are known by pointer, in lists too."""
    wanted = AlertType("law-enforcement/wanted-person/v1")
    identifying, health = marked_paths(wanted, "identifying"), marked_paths(wanted, "health")
    assert {"/body/person/name", "/body/person/birthDate", "/body/vehicles/*/plate"} <= set(identifying)
    assert {"/body/person/medical", "/body/person/medicalNote", "/info/*/description"} <= set(health)
    case = AlertType("public-health/case-notification/v1")
    assert {"/body/condition", "/body/laboratory", "/body/status"} <= set(marked_paths(case, "health"))
    assert "/body/patient/residence/municipality" in marked_paths(case, "identifying")
    assert marked_paths(AlertType("public-health/outbreak/v1"), "identifying") == ()
    vehicle = json_schema(AlertType("law-enforcement/stolen-vehicle/v1"))["$defs"]["Vehicle"]
    assert vehicle["properties"]["plate"][SCHEMA_KEYWORD] == ["identifying"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, {"": "no-object"}),
        ([], {"": "no-object"}),
        ({}, {"/type": "missing"}),
        ({"type": 1}, {"/type": "unknown-type"}),
        ({"type": "law-enforcement/stolen-vehicle/v2"}, {"/type": "unknown-type"}),
        ({"type": ["law-enforcement/stolen-vehicle/v1"]}, {"/type": "unknown-type"}),
    ],
)
def test_a_document_without_a_known_type_is_refused(document: Any, expected: dict[str, str]) -> None:  # noqa: ANN401
    """Unknown or missing, the fault is at the type."""
    assert faults_of(document) == expected


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(list(stolen_vehicle())) | st.text(max_size=300), JSON, min_size=1, max_size=4))
def test_nothing_that_is_sent_comes_back(members: Json) -> None:
    """Whatever stands in a document, a refusal is all that comes of it, and it repeats no value and no odd name."""
    document = stolen_vehicle(**members)
    document["type"] = "law-enforcement/stolen-vehicle/v1"
    sentinel = "Zm9vYmFy\x00"
    document["note"] = sentinel
    with pytest.raises(InvalidAlertError) as refusal:
        parse_alert(document)
    assert len(refusal.value.faults) <= MOST_FAULTS
    for fault in refusal.value.faults:
        assert len(fault.pointer) <= MOST_POINTER
        assert fault.pointer.isascii()
        assert sentinel not in str(refusal.value) + fault.message.fr + fault.message.en


def test_a_long_pointer_ends_where_it_gets_too_long() -> None:
    """A place too deep to be told is told as far as it goes, never in the middle of a name."""
    faults = faults_of(stolen_vehicle(**{"a" * 64: 1, "b" * 65: 1, "Jean Tremblay": 1}))
    assert faults == {f"/{'a' * 64}": "extra-forbidden", "": "extra-forbidden"}


def test_the_check_of_a_large_alert_is_quick() -> None:
    """Two mebibytes of text are checked in well under a second: every pattern takes linear time."""
    document = example("emergency-management.public-warning")
    document["body"]["info"][0]["resource"][0]["derefUri"] = "QUJD" * 400_000
    document["info"][0]["web"] = "https://a.example/" + "a/" * 2_000 + "%"
    begin = time.process_time()
    assert set(faults_of(document)) == {"/info/0/web"}
    assert time.process_time() - begin < 1


def test_examples_are_what_strict_json_reads() -> None:
    """The examples are UTF-8 JSON that reads back the same."""
    for path in EXAMPLES.glob("*.json"):
        assert orjson.loads(orjson.dumps(orjson.loads(path.read_bytes()))) == orjson.loads(path.read_bytes())

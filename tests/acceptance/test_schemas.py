"""GET /v1/schemas: the JSON Schema of every type, as another program's validator reads it."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import orjson
import pytest

from lacolle.samples import SAMPLES
from schemas.alerts.catalogue import alert_types
from tests.acceptance.agency import Agencies, members, problem_of
from tests.acceptance.alerts import changed, outbreak, public_warning, stolen_vehicle, wanted_person

SAMPLED = {
    "law-enforcement/stolen-vehicle/v1",
    "law-enforcement/wanted-person/v1",
    "law-enforcement/missing-person/v1",
    "public-health/outbreak/v1",
    "public-health/case-notification/v1",
    "emergency-management/public-warning/v1",
}


def sample_alerts() -> list[dict[str, Any]]:
    """Return the sample alerts; times are to be set before they are sent."""
    return [orjson.loads(path.read_bytes()) for path in sorted((SAMPLES / "alerts").glob("*.json"))]


@pytest.fixture(scope="module")
def schemas(agencies: Agencies) -> dict[str, dict[str, Any]]:
    """Return each type's schema as it is served."""
    listed = members(agencies.http.get("/v1/schemas"))["types"]
    found = {}
    for each in listed:
        answer = agencies.http.get(each["schema"])
        assert answer.status_code == 200
        found[each["type"]] = members(answer)
    return found


def test_types(schemas: dict[str, dict[str, Any]]) -> None:
    """Every type of the catalogue has a schema of draft 2020-12, valid by its meta-schema, with an id of its own."""
    assert set(schemas) == set(alert_types())
    for schema in schemas.values():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema_rs.meta.validate(schema)
    assert len({schema["$id"] for schema in schemas.values()}) == len(schemas)


def test_samples(schemas: dict[str, dict[str, Any]]) -> None:
    """The sample alerts and our own are valid by the schema of their type, and the first types have one each."""
    samples = sample_alerts()
    assert {sample["type"] for sample in samples} >= SAMPLED
    for alert in [*samples, stolen_vehicle(), wanted_person(), outbreak(), public_warning()]:
        jsonschema_rs.validator_for(schemas[alert["type"]]).validate(alert)


def test_every_sample_is_accepted(agencies: Agencies) -> None:
    """What the schema calls valid is accepted: each sample, with today's times, by a preview."""
    for sample in sample_alerts():
        times = {name: value for name, value in stolen_vehicle().items() if name in ("sent", "expires")}
        blocks = [{name: value for name, value in info.items() if name != "expires"} for info in sample["info"]]
        answer = agencies[sample["sender"]].preview({**sample, **times, "info": blocks})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"unexpected": 1},
        {"status": "Real"},
        {"body": {}},
        {"body.vehicle.unexpected": 1},
        {"sent": "2026-01-17T14:05:09Z"},
        {"handling.tlp": "WHITE"},
        {"type": "law-enforcement/wanted-person/v1"},
        {"identifier": 7},
    ],
)
def test_invalid_alerts(schemas: dict[str, dict[str, Any]], changes: dict[str, Any]) -> None:
    """A schema refuses what the exchange refuses for a single member."""
    schema = schemas["law-enforcement/stolen-vehicle/v1"]
    assert not jsonschema_rs.is_valid(schema, changed(stolen_vehicle(), changes))


def test_marks(schemas: dict[str, dict[str, Any]]) -> None:
    """Schemas say which fields identify a person and which tell of health."""
    marks = {name: str(schema) for name, schema in schemas.items()}
    assert "'identifying'" in marks["law-enforcement/wanted-person/v1"]
    assert "'health'" in marks["public-health/case-notification/v1"]


@pytest.mark.parametrize(
    "name", ["nothing", "law-enforcement/stolen-vehicle", "law-enforcement/stolen-vehicle/v2", "%2e%2e/x"]
)
def test_unknown_types(agencies: Agencies, name: str) -> None:
    """A type that there is not has no schema."""
    assert problem_of(agencies.http.get(f"/v1/schemas/{name}"), 404) == "not-found"

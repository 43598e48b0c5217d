"""The documents of the contract: complete, of the standards' form, and in need of nobody's servers."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bus.contract import Record
from bus.events import write_outcome, write_parcel
from gateway.http.asyncapi import asyncapi_document
from gateway.http.contract import TERMS
from schemas.parcels import Deferred, Delivered, OutcomeReport
from tests.acceptance.agency import Agencies, members, problem_of
from tests.acceptance.test_operations import REFRESH
from tests.unit.bus.parcels import NOON, parcel

GOLDEN = Path(__file__).parent.parent / "golden" / "asyncapi.json"


def test_asyncapi(agencies: Agencies) -> None:
    """The AsyncAPI document is the one that partners' consumers were written against."""
    served = members(agencies.http.get("/asyncapi.json"))
    if os.environ.get(REFRESH):
        GOLDEN.write_text(json.dumps(served, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    assert GOLDEN.exists(), f"write it with {REFRESH}=1"
    assert served == json.loads(GOLDEN.read_text(encoding="utf-8")), f"if the change is meant, set {REFRESH}=1"


def test_every_reference_leads_somewhere(agencies: Agencies) -> None:
    """Within both documents no reference is broken."""
    for path in ("/openapi.json", "/asyncapi.json"):
        document = members(agencies.http.get(path))
        for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
            found: Any = document
            for step in reference.split("/"):
                found = found[step.replace("~1", "/")]


def _fits(message: dict[str, Any], record: Record) -> None:
    headers = {name: value.decode() for name, value in record.headers}
    jsonschema_rs.validator_for(message["headers"]).validate(headers)
    assert set(headers) <= set(message["headers"]["properties"])
    jsonschema_rs.validator_for(message["bindings"]["kafka"]["key"]).validate((record.key or b"").decode())
    if message["contentType"] == "application/json":
        jsonschema_rs.validator_for(message["payload"]).validate(json.loads(record.value))


def test_what_travels_is_what_is_told() -> None:
    """A parcel and an outcome as the bus writes them are what the AsyncAPI document says, header by header."""
    told = asyncapi_document()["components"]["messages"]
    for exercise in (False, True):
        _fits(told["parcel"], write_parcel(replace(parcel(), exercise=exercise), origin="exchange.example/log"))
    for outcome in (Delivered("http 200"), Deferred("http 503", 3.5)):
        one = parcel()
        report = OutcomeReport(one.delivery_id, one.alert_id, one.recipient, 1, NOON, outcome)
        _fits(told["outcome"], write_outcome(report, origin="exchange.example/log"))


def test_every_operation_has_its_terms(agencies: Agencies) -> None:
    """No operation is without its refusals and its credential, and none is told of that does not exist."""
    paths = members(agencies.http.get("/openapi.json"))["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == set(TERMS)
    for methods in paths.values():
        for operation in methods.values():
            statuses = set(operation["responses"])
            assert "default" in statuses
            assert ("security" in operation) <= ({"401", "403"} <= statuses)


def test_the_page_needs_nobody(agencies: Agencies) -> None:
    """The page for people names every operation, and neither runs nor loads anything."""
    answer = agencies.http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|src=|https?://", answer.text)
    for _, path in TERMS:
        assert path in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/log/checkpoint", "/v1/schemas", "/readyz", "/v1/participants", "/none"])
def test_head(agencies: Agencies, path: str) -> None:
    """HEAD is answered as GET is, without its content."""
    asked, told = agencies.http.head(path), agencies.http.get(path)
    assert asked.content == b""
    changing = {"date", "x-request-id"}
    fields = [{name: value for name, value in each.headers.items() if name not in changing} for each in (asked, told)]
    assert (asked.status_code, fields[0]) == (told.status_code, fields[1])


def test_head_of_what_can_not_be_read(agencies: Agencies) -> None:
    """Where nothing can be read, HEAD is no method either; where something can, it is named with GET."""
    assert agencies.http.head("/oauth/token").status_code == 405
    assert agencies.http.delete("/healthz").headers["allow"] == "GET, HEAD"


def test_challenges(agencies: Agencies) -> None:
    """Who presents no token is asked for one; who presents one that is no good is told so (RFC 6750 section 3)."""
    nothing = agencies.http.get("/v1/participants")
    assert problem_of(nothing, 401) == "token-refused"
    assert nothing.headers["www-authenticate"] == 'Bearer scope="alerts:read"'
    for token in ("x", "a.b.c"):
        spent = agencies.http.get("/v1/participants", headers={"Authorization": f"Bearer {token}"})
        assert problem_of(spent, 401) == "token-refused"
        assert spent.headers["www-authenticate"] == 'Bearer scope="alerts:read", error="invalid_token"'

"""What an operator and a programmer look at: health, metrics, and the OpenAPI document.

``tests/golden/openapi.json`` is the document as clients know it. After a change that is meant, write it anew with

    LACOLLE_REFRESH_GOLDEN=1 python -m pytest tests/acceptance/test_operations.py

and let the difference be part of the review.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle

GOLDEN = Path(__file__).parent.parent / "golden" / "openapi.json"
REFRESH = "LACOLLE_REFRESH_GOLDEN"


def test_alive_and_ready(agencies: Agencies) -> None:
    """A process that runs is alive, and takes alerts where its database, log, signer and bus work.

    No adapter answers for the partners of this exchange, which says so once a parcel has waited for a minute.
    """
    assert agencies.http.get("/healthz").status_code == 200
    ready = agencies.http.get("/readyz")
    assert ready.status_code == 200
    document = members(ready)
    states = {name: part["state"] for name, part in document["parts"].items()}
    assert states.pop("adapters") == document["status"]
    assert document["status"] in {"ready", "degraded"}
    assert {"database", "log", "signer", "bus"} <= states.keys()
    assert set(states.values()) == {"ready"}


def _counter(text: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_metrics(sq: Agency) -> None:
    """Metrics are Prometheus text, count what is refused, and name no alert, agency's text or key."""
    before = sq.http.get("/metrics")
    assert before.status_code == 200
    assert before.headers["content-type"].startswith("text/plain")
    alert = stolen_vehicle({"status": "x"})
    sq.submit(alert)
    after = sq.http.get("/metrics").text
    name = 'lacolle_refused_total{problem="invalid-alert"'
    assert _counter(after, name) == _counter(before.text, name) + 1
    for line in after.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2
    assert alert["identifier"] not in after
    assert sq.key.kid not in after


def test_metrics_are_the_operator_s(agencies: Agencies) -> None:
    """Where a proxy passes on another's question there are no metrics, in the words for what is not there at all."""
    passed_on = agencies.http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
    assert problem_of(passed_on, 404) == "not-found"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/log/checkpoint", "/v1/schemas"])
def test_open_to_all(agencies: Agencies, path: str) -> None:
    """What concerns nobody in particular needs no token, and a wrong one does not matter."""
    assert agencies.http.get(path, headers={"Authorization": "Bearer x"}).status_code == 200


def test_openapi(agencies: Agencies) -> None:
    """The OpenAPI document is the one that clients were written against."""
    answer = agencies.http.get("/openapi.json")
    assert answer.status_code == 200
    served = members(answer)
    if os.environ.get(REFRESH):
        GOLDEN.write_text(json.dumps(served, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    assert GOLDEN.exists(), f"write it with {REFRESH}=1"
    assert served == json.loads(GOLDEN.read_text(encoding="utf-8")), f"if the change is meant, set {REFRESH}=1"


def test_openapi_names_every_call(agencies: Agencies) -> None:
    """The document has every call of the wire contract that this exchange answers."""
    paths = members(agencies.http.get("/openapi.json"))["paths"]
    calls = {(method, path) for path, methods in paths.items() for method in methods}
    assert calls >= {
        ("post", "/v1/alerts"),
        ("get", "/v1/alerts"),
        ("post", "/v1/alerts/preview"),
        ("get", "/v1/alerts/{alert_id}"),
        ("post", "/v1/alerts/{alert_id}/acknowledgements"),
        ("get", "/v1/agreements"),
        ("get", "/v1/participants"),
        ("get", "/v1/jurisdictions"),
        ("get", "/v1/schemas"),
        ("post", "/v1/statements"),
        ("post", "/oauth/token"),
        ("get", "/log/checkpoint"),
        ("get", "/v1/log/proofs/inclusion"),
        ("get", "/v1/log/proofs/consistency"),
        ("get", "/.well-known/jwks.json"),
    }

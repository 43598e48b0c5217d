"""Nothing that can be sent is the exchange's own fault: whatever comes in, no answer is a 5xx.

Signed documents matter most here, for they get further in than anything a stranger can send. How many of each kind are
tried is ``LACOLLE_FUZZ_EXAMPLES``, 30 by default.
"""

from __future__ import annotations

import json
import os
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.agency import ALERTS, PREVIEW, Agencies, Agency
from tests.acceptance.alerts import outbreak, public_warning, stolen_vehicle, wanted_person
from tests.acceptance.enrolment import STATEMENTS, new_participant, participant_statement, stated, window
from tests.acceptance.independent import Key, b64, dumped, sealed
from tests.acceptance.test_operations import GOLDEN

EXAMPLES = int(os.environ.get("LACOLLE_FUZZ_EXAMPLES", "30"))

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\x00", "\ud800", "é", "\U0001f600", "a" * 5000, "45,-73 46,-74", "1e9", "../..", "%00", "${x}"]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**53, -(2**53), 2**63, 10**400, 0, -1]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401 - any JSON
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for step, each in inner for place in _places(each, (*path, step)))]


def _with(value: Any, path: tuple[str | int, ...], replacement: Any) -> Any:  # noqa: ANN401 - any JSON
    if not path:
        return replacement
    step, rest = path[0], path[1:]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    changed = {name: _with(each, rest, replacement) if name == step else each for name, each in items}
    return changed if isinstance(value, dict) else list(changed.values())


@st.composite
def spoiled(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """Return a document, as JSON of Python's liberal kind, with one or two of its values replaced by anything."""
    result: Any = document
    for _ in range(draw(st.integers(1, 2))):
        result = _with(result, draw(st.sampled_from(_places(result))), draw(VALUES))
    return json.dumps(result, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def blameless(answer: httpx2.Response) -> bool:
    """Whether an answer is a success or the client's fault."""
    return 200 <= answer.status_code < 500


@pytest.mark.parametrize("written", [stolen_vehicle, wanted_person, outbreak, public_warning])
@pytest.mark.parametrize("path", [ALERTS, PREVIEW])
def test_signed_alerts(agencies: Agencies, written: Any, path: str) -> None:  # noqa: ANN401 - a function that writes alerts
    """An alert of which anything was replaced by anything is accepted or refused."""
    alert = written()
    sender = agencies[alert["sender"]]

    @bounded
    @given(spoiled(alert))
    def holds(payload: bytes) -> None:
        assert blameless(sender.post(sender.sign(payload), path))

    holds()


def test_headers(sq: Agency) -> None:
    """A header of which anything was replaced by anything is refused, or none the worse."""
    payload = dumped(stolen_vehicle())

    @bounded
    @given(spoiled(sq.header()))
    def holds(header: bytes) -> None:
        for path in (ALERTS, STATEMENTS, f"{ALERTS}/x/acknowledgements"):
            assert blameless(sq.post(sealed(header, payload, sq.key), path))

    holds()


def test_statements(agencies: Agencies) -> None:
    """A statement of which anything was replaced by anything is taken or refused."""
    authority = agencies.authority("US-ME")
    participant = new_participant("US-ME")
    statement = participant_statement(participant, [window(Key.new(f"{participant}:1"))])

    @bounded
    @given(spoiled(statement))
    def holds(payload: bytes) -> None:
        assert blameless(agencies["us-me.msp"].post(stated(authority, payload), STATEMENTS))

    holds()


def test_acknowledgements(agencies: Agencies) -> None:
    """An acknowledgement of which anything was replaced by anything is taken or refused."""
    ny = agencies["us-ny.nysp"]
    alert_id = agencies["ca-qc.sq"].send(stolen_vehicle())["alert_id"]
    [delivery] = ny.read(alert_id)["deliveries"]
    word = {
        "alert_id": alert_id,
        "delivery_id": delivery["delivery_id"],
        "participant": "us-ny.nysp",
        "status": "received",
        "at": "2026-01-17T19:05:09.123Z",
        "note": "lu",
    }

    @bounded
    @given(spoiled(word))
    def holds(payload: bytes) -> None:
        signed = ny.sign(payload, typ="acknowledgement+jws")
        assert blameless(ny.post(signed, f"{ALERTS}/{alert_id}/acknowledgements"))

    holds()


def test_assertions(sq: Agency) -> None:
    """A client assertion of which anything was replaced by anything gives a token or none."""
    claims = {
        "iss": "ca-qc.sq",
        "sub": "ca-qc.sq",
        "aud": sq.issuer,
        "jti": "x",
        "exp": 2_000_000_000,
        "iat": 1,
        "nbf": 1,
    }

    @bounded
    @given(spoiled(claims), st.text(max_size=30))
    def holds(payload: bytes, scope: str) -> None:
        header = {"alg": sq.key.alg, "kid": sq.key.kid}
        assert blameless(sq.ask_token(sealed(header, payload, sq.key), scope=scope.encode("utf-8", "replace").decode()))

    holds()


def test_bodies(sq: Agency) -> None:
    """Any bytes at all, alone or as the parts of a JWS, are refused."""

    @bounded
    @given(st.lists(st.binary(max_size=60), max_size=4), st.booleans(), st.sampled_from([ALERTS, PREVIEW, STATEMENTS]))
    def holds(parts: list[bytes], encode: bool, path: str) -> None:  # noqa: FBT001 - drawn
        body = b".".join(b64(part).encode() if encode else part for part in parts)
        assert 400 <= sq.post(body, path).status_code < 500

    holds()


@schemathesis.serializer("application/jose", "application/jose-seq")
def as_it_stands(_: schemathesis.SerializationContext, value: object) -> bytes:
    """Send a generated text as the body."""
    return str(value).encode("utf-8", "replace")


CALLS = [(path, method) for path, methods in json.loads(GOLDEN.read_bytes())["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def document() -> schemathesis.BaseSchema:
    """Return the OpenAPI document, from which calls are made up."""
    return schemathesis.openapi.from_path(GOLDEN)


@pytest.mark.parametrize(("path", "method"), CALLS)
def test_every_call(agencies: Agencies, document: schemathesis.BaseSchema, path: str, method: str) -> None:
    """Each call of the OpenAPI document, with whatever parameters and body, is answered without an error of our own."""
    headers = {"Authorization": f"Bearer {agencies['ca-qc.sq'].token()}"}

    @settings(max_examples=EXAMPLES // 5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(document[path][method.upper()].as_strategy())
    def holds(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=agencies.world.base_url, headers=headers)
        case.validate_response(response, checks=[schemathesis.checks.not_a_server_error])

    holds()

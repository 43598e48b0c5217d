"""POST /oauth/token: client credentials with a signed assertion (RFC 6749 section 4.4, RFC 7523)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, Agencies, Agency, members
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.enrolment import enrol, revoke
from tests.acceptance.independent import Key, b64, dumped, sealed

PARTICIPANTS = "/v1/participants"
ALLOWED_IN_A_DESCRIPTION = {chr(code) for code in range(0x20, 0x7F)} - {'"', "\\"}
"""RFC 6749 section 5.2."""


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    """Return status and error code of a refusal in RFC 6749's form (section 5.2), which is told in both languages."""
    body = members(answer)
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) == {"error", "error_description", "reason"}
    assert set(body["error_description"]) <= ALLOWED_IN_A_DESCRIPTION
    assert body["reason"]["en"] == body["error_description"]
    assert body["reason"]["fr"] not in ("", body["error_description"])
    return answer.status_code, str(body["error"])


@pytest.mark.parametrize("number", [0, 1], ids=["Ed25519", "ES256"])
def test_granted(sq: Agency, number: int) -> None:
    """An assertion of either algorithm is exchanged for a bearer token that lasts 300 seconds and is not cached."""
    answer = sq.ask_token(sq.assertion(sq.keys[number]))
    body = members(answer)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body["token_type"].lower() == "bearer"
    assert body["expires_in"] == 300
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert sq.http.get(PARTICIPANTS, headers=headers).status_code == 200


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt"])
def test_assertion_types(sq: Agency, typ: str) -> None:
    """An assertion may say that it is a JWT, or a client's authentication."""
    assert sq.ask_token(sq.assertion(typ=typ)).status_code == 200


NOW = int(time.time())
UNACCEPTABLE: dict[str, dict[str, Any]] = {
    "no audience": {"aud": None},
    "another audience": {"aud": "https://other.example"},
    "the token endpoint": {"aud": "TOKEN ENDPOINT"},
    "two audiences": {"aud": ["ISSUER", "https://other.example"]},
    "an empty list of audiences": {"aud": []},
    "the issuer with a slash": {"aud": "ISSUER/"},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "another issuer": {"iss": "us-ny.nysp"},
    "another subject": {"sub": "us-ny.nysp"},
    "somebody else": {"iss": "us-ny.nysp", "sub": "us-ny.nysp"},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a jti that is no text": {"jti": 7},
    "no end": {"exp": None},
    "over five minutes": {"exp": 330},
    "for ever": {"exp": 10**11},
    "already over": {"exp": -10},
    "an end that is no number": {"exp": "soon"},
    "not yet": {"nbf": 200},
    "issued later": {"iat": 400, "exp": 460},
    "issued long ago": {"iat": -4000},
}


def _filled(sq: Agency, claims: dict[str, Any]) -> dict[str, Any]:
    def fill(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, list):
            return [fill(name, each) for each in value]
        if isinstance(value, str):
            return value.replace("TOKEN ENDPOINT", f"{sq.issuer}/oauth/token").replace("ISSUER", sq.issuer)
        return int(time.time()) + value if name in ("exp", "nbf", "iat") and isinstance(value, int) else value

    return {name: fill(name, value) for name, value in claims.items()}


@pytest.mark.parametrize("case", UNACCEPTABLE)
def test_unacceptable_claims(sq: Agency, case: str) -> None:
    """An assertion that is not for this exchange alone, once, by its subject and for a short while, is no client's."""
    answer = sq.ask_token(sq.assertion(**_filled(sq, UNACCEPTABLE[case])))
    assert error_of(answer) == (401, "invalid_client")


def test_claims_of_other_kinds(sq: Agency) -> None:
    """A claim that is null, or of a kind that it can't be, never makes an error of the exchange's own."""
    whole = {"iss": "ca-qc.sq", "sub": "ca-qc.sq", "aud": sq.issuer, "exp": int(time.time()) + 60}
    header = {"alg": sq.key.alg, "kid": sq.key.kid}
    odd: list[Any] = [None, True, [], {}, -1, 1.5, "x", 10**15]
    for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti"):
        for turn, value in enumerate(odd):
            claims = {**whole, "jti": f"{name}-{turn}-{time.time_ns()}", name: value}
            assert sq.ask_token(sealed(header, dumped(claims), sq.key)).status_code in (200, 401)


def test_used_once(sq: Agency) -> None:
    """An assertion is good once; so is its jti, whatever else the second one says."""
    first = sq.assertion(jti="once-and-never-again")
    assert sq.ask_token(first).status_code == 200
    assert error_of(sq.ask_token(first)) == (401, "invalid_client")
    assert error_of(sq.ask_token(sq.assertion(sq.keys[1], jti="once-and-never-again"))) == (401, "invalid_client")


def test_a_jti_is_its_clients(agencies: Agencies) -> None:
    """Nobody can spend another's jti."""
    jti = f"shared-{time.time_ns()}"
    assert agencies["us-ny.nysp"].ask_token(agencies["us-ny.nysp"].assertion(jti=jti)).status_code == 200
    assert agencies["ca-qc.sq"].ask_token(agencies["ca-qc.sq"].assertion(jti=jti)).status_code == 200


def test_a_refused_assertion_spends_nothing(sq: Agency) -> None:
    """A forged assertion does not spend the jti of the true one."""
    jti = f"forged-{time.time_ns()}"
    assert sq.ask_token(sq.assertion(Key.new(sq.key.kid), jti=jti)).status_code == 401
    assert sq.ask_token(sq.assertion(jti=jti)).status_code == 200


def test_other_keys(agencies: Agencies) -> None:
    """A key that is unknown, another's or not the one that it is named after makes no client."""
    sq, ny = agencies["ca-qc.sq"], agencies["us-ny.nysp"]
    for key in (Key.new("nobody"), Key.new(sq.key.kid), ny.key, sq.keys[1].named(sq.key.kid)):
        assert error_of(sq.ask_token(sq.assertion(key))) == (401, "invalid_client")


def test_other_signatures(sq: Agency) -> None:
    """What is no compact JWS by a registered key is no assertion."""
    claims = {"iss": "ca-qc.sq", "sub": "ca-qc.sq", "aud": sq.issuer, "jti": "x", "exp": int(time.time()) + 60}
    unsigned = f"{b64(dumped({'alg': 'none', 'kid': sq.key.kid}))}.{b64(dumped(claims))}.".encode()
    header = {"alg": sq.key.alg, "kid": sq.key.kid}
    for assertion in (
        unsigned,
        b"",
        b"a.b.c",
        sealed({**header, "jwk": sq.key.jwk}, dumped(claims), sq.key),
        sealed({**header, "crit": []}, dumped(claims), sq.key),
        sealed({**header, "typ": "alert+jws"}, dumped(claims), sq.key),
        sealed(header, dumped(claims)[:-1] + b',"sub":"us-ny.nysp"}', sq.key),
        sealed(header, b"[]", sq.key),
        sq.sign(stolen_vehicle()),
    ):
        assert error_of(sq.ask_token(assertion))[1] in ("invalid_client", "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": "alerts:read everything"}, "invalid_scope"),
        ({"scope": 'alerts:read "'}, "invalid_scope"),
    ],
)
def test_refused_requests(sq: Agency, form: dict[str, str], error: str) -> None:
    """A grant or a scope that there is not is refused by RFC 6749's name for it."""
    assert error_of(sq.ask_token(sq.assertion(), **form)) == (400, error)


def test_incomplete_requests(sq: Agency) -> None:
    """A parameter that is missing or stands twice makes an invalid request."""
    form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def asked(fields: list[tuple[str, str]]) -> tuple[int, str]:
        body = urlencode(fields).encode()
        return error_of(sq.http.post("/oauth/token", content=body, headers=headers))

    signed = ("client_assertion", sq.assertion().decode())
    assert asked([form[1], signed]) == (400, "invalid_request")
    assert asked([*form, form[0], signed]) == (400, "invalid_request")
    assert asked([*form, signed, ("client_assertion", sq.assertion().decode())]) == (400, "invalid_request")
    assert asked(form)[1] in ("invalid_request", "invalid_client")
    assert asked([form[0], signed])[1] in ("invalid_request", "invalid_client")
    assert asked([form[0], (form[1][0], "urn:other"), signed])[1] in ("invalid_request", "invalid_client")
    assert asked([form[0]])[1] in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("body", [b"", b"&&&", b"%", b"=", b"grant_type=%FF%00", b"\xff\xfe", b"a" * 200_000])
def test_bodies_that_are_no_form(sq: Agency, body: bytes) -> None:
    """Whatever stands in the body, the refusal is the client's fault."""
    answer = sq.http.post("/oauth/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert 400 <= answer.status_code < 500


def test_scopes_follow_roles(agencies: Agencies) -> None:
    """Reading the log is an auditor's; an agency that asks for it gets none."""
    sq, cai = agencies["ca-qc.sq"], agencies["ca-qc.cai"]
    assert error_of(sq.ask_token(sq.assertion(), scope="log:read")) == (400, "invalid_scope")
    assert cai.ask_token(cai.assertion(), scope="log:read").status_code == 200


def test_a_token_has_its_scopes_and_no_other(agencies: Agencies) -> None:
    """A token for another scope does not open a call: 403, and the header says which scope would (RFC 6750)."""
    answer = agencies["ca-qc.cai"].get(PARTICIPANTS, scope="log:read")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="alerts:read"' in answer.headers["www-authenticate"]


def _altered(token: str) -> str:
    header, payload, signature = token.split(".")
    return f"{header}.{payload}.{signature[:-8]}AAAAAAAA"


def test_what_is_no_token(agencies: Agencies) -> None:
    """A bearer that the exchange did not give as a token opens nothing, its own receipt and our assertion too."""
    sq = agencies["ca-qc.sq"]
    body = sq.send(stolen_vehicle())
    token = sq.token()
    claims = {"iss": sq.issuer, "aud": sq.issuer, "sub": "ca-qc.sq", "scope": "alerts:read", "exp": NOW + 900}
    own = sealed({"alg": sq.key.alg, "kid": sq.key.kid, "typ": "at+jwt"}, dumped(claims), sq.key).decode()
    for bearer in (
        "Bearer",
        "Bearer x",
        f"Basic {token}",
        f"Bearer {_altered(token)}",
        f"Bearer {token}x",
        f"Bearer {token} {token}",
        f"Bearer {body['receipt']}",
        f"Bearer {sq.assertion().decode()}",
        f"Bearer {own}",
        "Bearer " + "a" * 20_000,
    ):
        answer = sq.http.get(f"{ALERTS}/{body['alert_id']}", headers={"Authorization": bearer})
        assert answer.status_code == 401, bearer[:40]
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert sq.http.get(f"{ALERTS}/{body['alert_id']}").status_code == 401
    assert sq.get(f"{ALERTS}/{body['alert_id']}").status_code == 200


def test_a_token_ends_with_its_key(agencies: Agencies) -> None:
    """A token that was asked for with a key ends when the key is revoked, and the agency's other key gets another."""
    agency = enrol(agencies, "CA-QC")
    assert agency.get(PARTICIPANTS).status_code == 200
    revoke(agencies, agency, agency.keys[0])
    assert agency.get(PARTICIPANTS).status_code == 401
    assert error_of(agency.ask_token(agency.assertion())) == (401, "invalid_client")
    assert agency.ask_token(agency.assertion(agency.keys[1])).status_code == 200


def test_metadata(agencies: Agencies) -> None:
    """What the exchange publishes of itself names issuer, endpoint and the one way to authenticate (RFC 8414)."""
    told = members(agencies.http.get("/.well-known/oauth-authorization-server"))
    assert told["issuer"] == agencies.world.base_url
    assert told["token_endpoint"] == f"{agencies.world.base_url}/oauth/token"
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert told["grant_types_supported"] == ["client_credentials"]
    assert {"alerts:read", "log:read"} <= set(told["scopes_supported"])
    assert set(told["token_endpoint_auth_signing_alg_values_supported"]) == {"ES256", "Ed25519"}

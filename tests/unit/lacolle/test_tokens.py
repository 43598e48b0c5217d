"""Access tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx2
import pytest

from lacolle.client.calls import Caller
from lacolle.client.problems import problem_in
from lacolle.client.tokens import Tokens, assertion
from lacolle.errors import ProblemError
from schemas.ids import ParticipantId
from schemas.signing.jws import ASSERTION, read_compact, verify
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue, parse_json
from tests.unit.lacolle.scripted import Answer, ScriptedExchange, StillClock

NOW = datetime(2026, 1, 17, 19, 5, 9, tzinfo=UTC)
GRANTED: dict[str, JsonValue] = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 300}


def _claims(compact: bytes, key: SigningKey) -> dict[str, JsonValue]:
    claims = parse_json(verify(read_compact(compact, ASSERTION), key.public))
    assert isinstance(claims, dict)
    return claims


def test_an_assertion_is_the_participants_for_one_server_and_one_minute(key: SigningKey) -> None:
    """An assertion names the participant twice, the issuer as its sole audience, and ends within five minutes."""
    compact = assertion(
        participant=ParticipantId("ca-qc.sq"), key=key, issuer="https://exchange.example", now=NOW, randomness=bytes(16)
    )
    claims = _claims(compact, key)
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("ca-qc.sq", "ca-qc.sq", "https://exchange.example")
    assert claims["jti"] == "00" * 16
    assert (claims["iat"], claims["exp"]) == (1_768_676_709, 1_768_676_769)


@pytest.fixture
def tokens(exchange: ScriptedExchange, clock: StillClock, agency_key: SigningKey) -> Iterator[Tokens]:
    """Return the tokens of an agency at an exchange that grants them."""
    exchange.script["/oauth/token"] = [Answer(200, GRANTED), Answer(200, {**GRANTED, "access_token": "token-2"})]
    surroundings = clock.surroundings()
    caller = Caller(exchange.url, ca_file=None, language="en", timeout=5, patience=5, surroundings=surroundings)
    yield Tokens(
        caller,
        participant=ParticipantId("ca-qc.sq"),
        key=agency_key,
        issuer=exchange.url,
        scope="alerts:read",
        surroundings=surroundings,
    )
    caller.close()


def test_a_token_is_asked_for_as_rfc_7523_has_it(
    tokens: Tokens, exchange: ScriptedExchange, agency_key: SigningKey
) -> None:
    """The token request is a form with the grant, the scope, and an assertion for this exchange."""
    assert tokens.token() == "token-1"
    (request,) = exchange.to("/oauth/token")
    form = parse_qs(request.body.decode())
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form["grant_type"] == ["client_credentials"]
    assert form["scope"] == ["alerts:read"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert _claims(form["client_assertion"][0].encode(), agency_key)["aud"] == exchange.url


def test_a_token_is_kept_until_shortly_before_its_end(
    tokens: Tokens, exchange: ScriptedExchange, clock: StillClock
) -> None:
    """One token serves every call for as long as it lasts, less a margin; then another is asked for."""
    assert tokens.token() == tokens.token() == "token-1"
    clock.slept.append(269.0)
    assert tokens.token() == "token-1"
    clock.slept.append(1.0)
    assert tokens.token() == "token-2"
    assert len(exchange.to("/oauth/token")) == 2


def test_only_the_current_token_can_be_forgotten(tokens: Tokens) -> None:
    """Forgetting the token in use has a new one asked for; forgetting an older one changes nothing."""
    tokens.forget(tokens.token())
    assert tokens.token() == "token-2"
    tokens.forget("token-1")
    assert tokens.token() == "token-2"


def test_a_repeated_request_has_an_assertion_of_its_own(
    tokens: Tokens, exchange: ScriptedExchange, clock: StillClock, agency_key: SigningKey
) -> None:
    """An assertion is good for one use, so a request that is made again carries a new one."""
    exchange.script["/oauth/token"] = [Answer(503, headers={"Retry-After": "2"}), Answer(200, GRANTED)]
    assert tokens.token() == "token-1"
    first, second = (parse_qs(request.body.decode()) for request in exchange.to("/oauth/token"))
    issued = [_claims(form["client_assertion"][0].encode(), agency_key)["iat"] for form in (first, second)]
    assert issued == [1_768_676_709, 1_768_676_711]
    assert clock.slept == [2.0]


def test_a_refused_assertion_says_what_to_check(tokens: Tokens, exchange: ScriptedExchange) -> None:
    """The token endpoint's own error is told by its code, with what to do about it (RFC 6749 section 5.2)."""
    exchange.script["/oauth/token"] = [Answer(401, {"error": "invalid_client", "error_description": "no"})]
    with pytest.raises(ProblemError, match="registered as the participant's") as refused:
        tokens.token()
    assert (refused.value.name, refused.value.status) == ("invalid_client", 401)


def test_a_refused_assertion_is_told_in_the_language_that_was_asked_for() -> None:
    """Where the token endpoint gives its reason in both languages, the client's is the one that is told."""
    said = {"error": "invalid_client", "error_description": "no", "reason": {"fr": "non", "en": "no"}}
    answer = httpx2.Response(401, json=said)
    assert problem_in(answer, now=NOW, language="fr").title == "non"
    assert problem_in(answer, now=NOW).title == "no"
    assert problem_in(httpx2.Response(401, json={**said, "reason": {"fr": "", "en": "no"}}), now=NOW).status == 401

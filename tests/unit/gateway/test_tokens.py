"""Bearer tokens: given for one good assertion (RFC 7523 section 3), short-lived, bound to the key that asked."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from gateway.errors import LogUnavailableError, RateLimitedError, TokenRefusedError
from gateway.intake.enrol import Enrolment
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.intake.tokens import OAuthError, Scope, TokenIssuer
from gateway.trust.registry import CurrentRegistry
from schemas.ids import KeyId
from schemas.registry import Registry
from schemas.signing.jws import ACCESS_TOKEN, ASSERTION, RECEIPT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import read_statement
from tests.unit.gateway.ground import (
    START,
    Ground,
    enrolment_of,
    identification,
    unlimited,
)
from tests.unit.gateway.test_registry import QC, SPVM, jurisdiction, registered, revoked

ISSUER = "https://exchange.example"
KEY = SigningKey.generate(KeyId(f"{SPVM}:1"), "Ed25519")
AUDITOR_KEY = SigningKey.generate(KeyId("ca-qc.cai:1"), "Ed25519")
TOKEN_KEY = SigningKey.generate(KeyId("exchange:receipt"), "Ed25519")
NOW = int(START.timestamp())


def assertion(*, key: SigningKey = KEY, **changes: Any) -> bytes:  # noqa: ANN401 - claims of any kind
    """Return a client assertion; ``changes`` replace its claims, and None removes one."""
    claims = {"iss": SPVM, "sub": SPVM, "aud": ISSUER, "jti": "once", "iat": NOW, "exp": NOW + 60, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return sign_compact(orjson.dumps(kept), key=key, profile=ASSERTION)


@dataclass(slots=True)
class Counter:
    """Where tokens are given out, to one police service and one auditor."""

    ground: Ground
    issuer: TokenIssuer
    enrolment: Enrolment

    async def token(self, compact: bytes | None = None, *scopes: str) -> str:
        """Return a token for an assertion."""
        return (await self.issuer.issue(assertion=compact or assertion(), scopes=scopes)).token

    def read(self, token: str, scope: Scope = Scope.ALERTS_READ) -> str:
        """Return whom a token speaks for."""
        return self.issuer.read(f"Bearer {token}", scope=scope).participant


@pytest.fixture
async def counter(ground: Ground) -> Counter:
    """Return a counter over an empty store."""
    return open_counter(ground, unlimited())


def open_counter(ground: Ground, limiter: RateLimiter) -> Counter:
    """Return a counter over an empty store."""
    pinned = {QC: jurisdiction()}
    statements = [
        registered(KEY),
        registered(AUDITOR_KEY, participant="ca-qc.cai", roles=("auditor",)),
    ]
    registry = CurrentRegistry(Registry.of(pinned, [read_statement(each, pinned) for each in statements]))
    issuer = TokenIssuer(
        issuer=ISSUER,
        key=TOKEN_KEY,
        registry=registry,
        identification=identification(ground, registry),
        committer=ground.committer,
        limiter=limiter,
        clock=ground.clock,
        randomness=bytes,
    )
    return Counter(ground, issuer, enrolment_of(ground, registry))


async def test_a_good_assertion_gets_a_token_that_speaks_for_its_signer(counter: Counter) -> None:
    """The token lasts five minutes and not a second more, and names its participant."""
    given = await counter.issuer.issue(assertion=assertion(), scopes=())
    assert (given.scopes, given.expires_in) == ((Scope.ALERTS_READ,), 300)
    counter.ground.clock.advance(299.9)
    assert counter.read(given.token) == SPVM
    counter.ground.clock.advance(0.1)
    with pytest.raises(TokenRefusedError):
        counter.read(given.token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "us-ny.nysp"},
        {"sub": "us-ny.nysp"},
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": []},
        {"aud": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 257},
        {"jti": 1},
        {"exp": None},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": NOW + 301},
        {"exp": NOW + 331, "iat": None},
        {"exp": NOW + 331, "iat": NOW + 31},
        {"exp": "soon"},
        {"exp": True},
        {"iat": NOW + 31},
        {"iat": "now"},
        {"nbf": NOW + 31},
        {"nbf": False},
    ],
    ids=str,
)
async def test_an_assertion_with_a_wrong_claim_is_refused(counter: Counter, changes: dict[str, Any]) -> None:
    """Issuer, subject, sole audience, one use, soon over: each fault is the same one answer."""
    with pytest.raises(OAuthError) as refused:
        await counter.token(assertion(**changes))
    assert (refused.value.error, str(refused.value)) == (
        "invalid_client",
        "the client assertion is not acceptable",
    )


@pytest.mark.parametrize(
    "changes", [{"aud": [ISSUER]}, {"iat": None}, {"nbf": NOW + 30}, {"iat": NOW + 30, "exp": NOW + 330}], ids=str
)
async def test_what_the_standard_leaves_open_is_taken(counter: Counter, changes: dict[str, Any]) -> None:
    """An audience in a list of one, no ``iat``, and half a minute of a clock's difference do no harm."""
    assert counter.read(await counter.token(assertion(**changes))) == SPVM


async def test_an_assertion_is_good_once(counter: Counter) -> None:
    """A ``jti`` that was used is refused, also at the same moment, also signed anew; another participant may use it."""
    results = await asyncio.gather(*(counter.token() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [str, OAuthError, OAuthError]
    with pytest.raises(OAuthError):
        await counter.token(assertion(exp=NOW + 61))
    other = assertion(key=AUDITOR_KEY, iss="ca-qc.cai", sub="ca-qc.cai")
    assert counter.read(await counter.token(other)) == "ca-qc.cai"


async def test_a_spent_assertion_is_remembered_until_it_could_not_be_used_anyway(counter: Counter) -> None:
    """Beyond its expiry and the clock's tolerance it is forgotten, and refused as expired."""
    await counter.token()
    for seconds in (59.0, 60.0):
        counter.ground.clock.advance(seconds)
        with pytest.raises(OAuthError):
            await counter.token()


@pytest.mark.parametrize(
    "compact",
    [
        b"",
        b"no assertion",
        sign_compact(b"[]", key=KEY, profile=ASSERTION),
        sign_compact(b"{", key=KEY, profile=ASSERTION),
        sign_compact(b"{}", key=KEY, profile=RECEIPT),
        assertion(key=SigningKey.generate(KEY.kid, "Ed25519")),
        assertion(key=SigningKey.generate(KeyId("nobody"), "Ed25519")),
    ],
)
async def test_what_is_no_assertion_of_a_known_key_is_refused_alike(counter: Counter, compact: bytes) -> None:
    """Malformed, mistyped, forged and unknown are one answer."""
    with pytest.raises(OAuthError) as refused:
        await counter.issuer.issue(assertion=compact, scopes=())
    assert refused.value.error == "invalid_client"


async def test_a_refusal_keeps_nothing_of_its_request(counter: Counter) -> None:
    """However often an assertion is refused, no exception gathers the frames of the requests before it."""
    errors: list[OAuthError] = []
    for _ in range(3):
        with pytest.raises(OAuthError) as refused:
            await counter.issuer.issue(assertion=b"no assertion", scopes=())
        errors.append(refused.value)
    lengths = {len(traceback.extract_tb(error.__traceback__)) for error in errors}
    assert (len(set(map(id, errors))), len(lengths)) == (3, 1)


async def test_scopes_are_what_the_roles_allow(counter: Counter) -> None:
    """Everyone may read its alerts, an auditor the log too; no scope means all of them, another one is refused."""
    auditing = await counter.token(assertion(key=AUDITOR_KEY, iss="ca-qc.cai", sub="ca-qc.cai"))
    assert counter.read(auditing, Scope.LOG_READ) == "ca-qc.cai"
    narrow = assertion(key=AUDITOR_KEY, iss="ca-qc.cai", sub="ca-qc.cai", jti="2")
    narrowed = await counter.token(narrow, "alerts:read")
    with pytest.raises(TokenRefusedError) as weak:
        counter.read(narrowed, Scope.LOG_READ)
    assert weak.value.insufficient
    for scope in ("log:read", "everything"):
        with pytest.raises(OAuthError) as refused:
            await counter.token(assertion(jti=scope), scope)
        assert refused.value.error == "invalid_scope"


async def test_a_token_ends_with_its_key(counter: Counter) -> None:
    """When the key that asked is revoked, its tokens are refused at once."""
    token = await counter.token()
    assert counter.read(token) == SPVM
    await counter.enrolment.record(revoked(KEY))
    with pytest.raises(TokenRefusedError):
        counter.read(token)


async def test_what_is_no_token_of_ours_is_refused(counter: Counter) -> None:
    """No field, another scheme, another's signature, another type, another audience, bytes beyond ASCII."""
    token = await counter.token()
    claims = {"iss": ISSUER, "aud": "https://other.example", "sub": SPVM, "client_id": SPVM, "iat": NOW}
    claims |= {"exp": NOW + 300, "jti": "1", "scope": "alerts:read", "assertion_kid": KEY.kid}
    foreign = sign_compact(orjson.dumps(claims), key=TOKEN_KEY, profile=ACCESS_TOKEN).decode()
    forged = sign_compact(orjson.dumps({**claims, "aud": ISSUER}), key=KEY, profile=ACCESS_TOKEN).decode()
    receipt = sign_compact(orjson.dumps(claims), key=TOKEN_KEY, profile=RECEIPT).decode()
    fields = [None, "", "Bearer", "Bearer ", f"Basic {token}", token, f"Bearer {token}x", "Bearer é"]
    for field in (*fields, f"Bearer {foreign}", f"Bearer {forged}", f"Bearer {receipt}"):
        with pytest.raises(TokenRefusedError):
            counter.issuer.read(field, scope=Scope.ALERTS_READ)
    assert counter.issuer.read(f"bearer  {token} ", scope=Scope.ALERTS_READ).participant == SPVM


async def test_without_the_store_no_token(counter: Counter) -> None:
    """Where an assertion's use can't be recorded none is given, for it could be used twice."""
    counter.ground.committer.close()
    with pytest.raises(LogUnavailableError):
        await counter.token()


async def test_beyond_its_rate_a_participant_gets_no_token(ground: Ground) -> None:
    """Only what it signed counts, and what another signs counts for another."""
    counter = open_counter(ground, RateLimiter(Rate(per_second=0.001, burst=2)))
    for _ in range(3):
        with pytest.raises(OAuthError):
            await counter.token(assertion(key=SigningKey.generate(KEY.kid, "Ed25519")))
    await counter.token(assertion(jti="1"))
    with pytest.raises(OAuthError):
        await counter.token(assertion(jti="1"))
    with pytest.raises(RateLimitedError):
        await counter.token(assertion(jti="2"))
    assert (
        counter.read(await counter.token(assertion(key=AUDITOR_KEY, iss="ca-qc.cai", sub="ca-qc.cai"))) == "ca-qc.cai"
    )

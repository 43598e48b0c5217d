"""Taking statements: who may, how often, and where the work is done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.errors import RateLimitedError, StatementRefusedError
from gateway.intake.enrol import Enrolment
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.trust.registry import CurrentRegistry
from schemas.ids import JurisdictionCode, KeyId
from schemas.registry import Registry
from schemas.signing.jws import STATEMENT, Unverified, sign_compact
from schemas.signing.keys import PublicKey, SigningKey
from schemas.statements import Jurisdiction
from tests.unit.gateway.ground import OWN_KIDS, START, Ground, InPlace
from tests.unit.gateway.test_registry import AUTHORITY, QC, jurisdiction, key, registered, revoked

NY = JurisdictionCode("US-NY")
NEIGHBOUR = SigningKey.generate(KeyId("us-ny.authority"), "ES256")
SLOWLY = Rate(per_second=0.001, burst=2)


@dataclass(slots=True)
class Watched(InPlace):
    """Signatures, and what was asked of them: how many, with which keys, and how many at once at most."""

    keys: list[PublicKey | None] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Take a turn of the loop for it, as the process beside does."""
        self.keys.append(key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0)
            return await super(Watched, self).verify(unverified, key)
        finally:
            self.at_once -= 1


def neighbour() -> Jurisdiction:
    """Return New York, with one authority key."""
    return Jurisdiction.model_validate(
        {"code": NY, "name": {"fr": "New York", "en": "New York"}, "authority_keys": [dict(NEIGHBOUR.public.jwk)]}
    )


def enrolment(ground: Ground, signatures: InPlace, rate: Rate = SLOWLY) -> Enrolment:
    """Return who takes the statements of two authorities, at a rate."""
    return Enrolment(
        registry=CurrentRegistry(Registry.of({QC: jurisdiction(), NY: neighbour()}, [])),
        signatures=signatures,
        committer=ground.committer,
        limiter=RateLimiter(rate),
        clock=ground.clock,
        own=OWN_KIDS,
    )


def forged(by: KeyId = AUTHORITY.kid) -> bytes:
    """Return a statement that somebody signed under a name that is not theirs, or that nobody has."""
    return sign_compact(b"{}", key=SigningKey.generate(by, "Ed25519"), profile=STATEMENT, iat=int(START.timestamp()))


async def test_signatures_are_verified_elsewhere(ground: Ground) -> None:
    """Whoever verifies for the gateway is asked, once for each statement, also where no such key is pinned."""
    watched = Watched()
    taking = enrolment(ground, watched)
    await taking.record(registered(key("1")))
    with pytest.raises(StatementRefusedError):
        await taking.record(forged(KeyId("nobody")))
    assert watched.keys == [AUTHORITY.public, None]


async def test_one_at_a_time(ground: Ground) -> None:
    """However many statements arrive together, they have one signature in verification; a true one still counts."""
    watched = Watched()
    taking = enrolment(ground, watched)
    arriving = [*(forged() for _ in range(20)), registered(key("1")), *(forged() for _ in range(20))]
    answers = await asyncio.gather(*map(taking.record, arriving), return_exceptions=True)
    assert [type(answer) for answer in answers].count(StatementRefusedError) == 40
    assert not isinstance(answers[20], BaseException)
    assert (watched.most, len(watched.keys)) == (1, 41)


async def test_a_rate_for_each_authority(ground: Ground) -> None:
    """An authority has a rate of its own, which every true signature of its takes from, whatever it says."""
    taking = enrolment(ground, InPlace())
    own = key("1")
    await taking.record(registered(own))
    refused = sign_compact(b"{}", key=AUTHORITY, profile=STATEMENT, iat=int(START.timestamp()))
    with pytest.raises(StatementRefusedError):
        await taking.record(refused)
    with pytest.raises(RateLimitedError) as late:
        await taking.record(revoked(own))
    assert 900 < late.value.retry_after <= 1000
    with pytest.raises(StatementRefusedError):  # heard, and refused for what it says
        await taking.record(sign_compact(b"{}", key=NEIGHBOUR, profile=STATEMENT, iat=int(START.timestamp())))
    assert await ground.kinds() == ["participant-registered"]


async def test_strangers_spend_nobodys_rate(ground: Ground) -> None:
    """What others sign in an authority's name does not keep it from revoking a key."""
    taking = enrolment(ground, InPlace())
    own = key("1")
    await taking.record(registered(own))
    for _ in range(20):
        with pytest.raises(StatementRefusedError):
            await taking.record(forged())
    await taking.record(revoked(own))
    assert await ground.kinds() == ["participant-registered", "key-revoked"]

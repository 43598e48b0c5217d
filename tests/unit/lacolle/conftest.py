"""What the client's tests share: a key, an alert, a clock, an exchange that answers as told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue
from tests.unit.lacolle.scripted import ScriptedExchange, StillClock, scripted_exchange


@pytest.fixture
def clock() -> StillClock:
    """Return a clock at 14:05:09 in Québec."""
    return StillClock()


@pytest.fixture(params=["Ed25519", "ES256"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    """Return an agency's key, of each algorithm."""
    return SigningKey.generate(KeyId("ca-qc.sq.2026"), request.param)


@pytest.fixture
def agency_key() -> SigningKey:
    """Return an agency's key, where the algorithm does not matter."""
    return SigningKey.generate(KeyId("ca-qc.sq.2026"), "Ed25519")


@pytest.fixture
def alert() -> dict[str, JsonValue]:
    """Return a stolen-vehicle alert that is valid."""
    return {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": "SQ-2026-0117-0042",
        "sender": "ca-qc.sq",
        "sent": "2026-01-17T14:05:09-05:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "handling": {"tlp": "AMBER", "purpose": "criminal-investigation"},
        "body": {"vehicle": {"plate": {"number": "ABC 123", "jurisdiction": "CA-QC"}}, "circumstances": "Volé."},
    }


@pytest.fixture
def exchange() -> Iterator[ScriptedExchange]:
    """Run an exchange that accepts what is posted to it, unless the test tells it otherwise."""
    with scripted_exchange() as scripted:
        yield scripted

"""Whose key signed an alert: the exchange's list, and the authorities' statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lacolle.client.answers import Participant
from lacolle.client.senders import ListedKeys, StatedKeys
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.registry import CurrentParticipant, HeldKey, ParticipantStatement, Registry
from schemas.signing.keys import SigningKey

NOON = datetime(2026, 1, 17, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SQ = ParticipantId("ca-qc.sq")
KEY = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")


def participant(*, key: SigningKey = KEY, unknown_kind: bool = False) -> Participant:
    """Return what the exchange lists of the Sûreté: a key from eleven to one, in a statement until two."""
    window = {"from": (NOON - HOUR).isoformat(), "until": (NOON + HOUR).isoformat()}
    keys: list[dict[str, Any]] = [{"jwk": dict(key.public.jwk), **window}]
    if unknown_kind:
        keys.insert(0, {"jwk": {"kty": "OKP", "crv": "Ed448", "kid": "new", "x": "AAAA"}, **window})
    return Participant.model_validate(
        {"participant": SQ, "keys": keys, **window, "until": (NOON + 2 * HOUR).isoformat(), "roles": ["sender"]}
    )


def test_a_listed_key_counts_while_it_was_valid() -> None:
    """It is its owner's from its beginning until, and not at, its end; one of an unknown kind beside it is no harm."""
    keys = ListedKeys(lambda: (participant(unknown_kind=True),), monotonic=lambda: 0.0)
    for at, counts in ((-HOUR, True), (timedelta(), True), (HOUR, False), (-HOUR - timedelta(seconds=1), False)):
        assert (keys.find(KEY.kid, at=NOON + at) == (SQ, KEY.public)) is counts
        assert (keys.find(KEY.kid, at=NOON + at) is None) is not counts
    assert keys.find(KeyId("new"), at=NOON) is None


def test_the_exchange_is_asked_again_for_an_unknown_key() -> None:
    """A key that was registered since is found, and strangers can't have the exchange asked for each of their keys."""
    listed: list[Participant] = []
    asked: list[float] = []
    clock = [0.0]

    def ask() -> tuple[Participant, ...]:
        asked.append(clock[0])
        return tuple(listed)

    keys = ListedKeys(ask, monotonic=lambda: clock[0])
    assert keys.find(KEY.kid, at=NOON) is None
    listed.append(participant())
    clock[0] = 29.0
    assert keys.find(KEY.kid, at=NOON) is None
    clock[0] = 30.0
    assert keys.find(KEY.kid, at=NOON) == (SQ, KEY.public)
    clock[0] = 90.0
    assert keys.find(KEY.kid, at=NOON) == (SQ, KEY.public)
    assert asked == [0.0, 30.0]


def test_a_stated_key_that_was_revoked_never_counts() -> None:
    """It counts where its statement and its window say, and not at all once revoked: whoever found it can date."""
    statement = ParticipantStatement.model_validate(
        {
            "statement": "participant",
            "participant": SQ,
            "jurisdiction": JurisdictionCode("CA-QC"),
            "name": {"fr": "Sûreté du Québec", "en": "Sûreté du Québec"},
            "roles": ["sender"],
            "sends": [],
            "keys": [],
            "hosts": [],
            "from": "2026-01-01T00:00:00Z",
            "until": "2027-01-01T00:00:00Z",
        }
    )
    registry = Registry(
        jurisdictions={},
        participants={SQ: CurrentParticipant(statement, NOON)},
        keys={KEY.kid: HeldKey(statement, KEY.public, NOON - HOUR, NOON + HOUR)},
        owners={KEY.kid: (SQ, KEY.public)},
        revoked={},
    )
    assert StatedKeys(registry).find(KEY.kid, at=NOON) == (SQ, KEY.public)
    assert StatedKeys(registry).find(KEY.kid, at=NOON + HOUR) is None
    revoked = Registry(
        jurisdictions={},
        participants=registry.participants,
        keys=registry.keys,
        owners=registry.owners,
        revoked={KEY.kid: NOON + HOUR / 2},
    )
    assert StatedKeys(revoked).find(KEY.kid, at=NOON) is None

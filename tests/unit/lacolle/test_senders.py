"""Whose key signed an alert: the exchange's list, and the authorities' statements."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lacolle.client.answers import Participant
from lacolle.client.senders import ListedKeys, SenderUnknownError, StatedKeys
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.registry import CurrentParticipant, HeldKey, Registry
from schemas.signing.keys import SigningKey
from schemas.statements import ParticipantStatement

NOON = datetime(2026, 1, 17, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SQ = ParticipantId("ca-qc.sq")
KEY = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")


def participant(
    *,
    key: SigningKey = KEY,
    unknown_kind: bool = False,
    until: datetime = NOON + HOUR,
    superseded: tuple[dict[str, Any], ...] = (),
    issued_at: datetime | None = None,
) -> Participant:
    """Return what the exchange lists of the Sûreté: a key from eleven to one, in a statement until two."""
    window = {"from": (NOON - HOUR).isoformat(), "until": until.isoformat()}
    keys: list[dict[str, Any]] = [{"jwk": dict(key.public.jwk), **window}]
    if unknown_kind:
        keys.insert(0, {"jwk": {"kty": "OKP", "crv": "Ed448", "kid": "new", "x": "AAAA"}, **window})
    return Participant.model_validate(
        {
            "participant": SQ,
            "keys": keys,
            "superseded_keys": superseded,
            "issued_at": None if issued_at is None else issued_at.isoformat(),
            **window,
            "until": (until + HOUR).isoformat(),
            "roles": ["sender"],
        }
    )


def statement() -> ParticipantStatement:
    """Return the Sûreté's statement."""
    return ParticipantStatement.model_validate(
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


class Exchange:
    """Lists what it is told to, at the time that it is told."""

    def __init__(self, *listed: Participant) -> None:
        self.listed = listed
        self.time = 0.0
        self.asked: list[float] = []
        self.keys = ListedKeys(self._participants, monotonic=lambda: self.time)

    def _participants(self) -> tuple[Participant, ...]:
        self.asked.append(self.time)
        return self.listed

    def knows(self, key: SigningKey, at: datetime) -> bool:
        """Say whether the key is the Sûreté's, as far as is known."""
        try:
            return self.keys.find(key.kid, at=at) == (SQ, key.public)
        except SenderUnknownError:
            return False


def test_a_listed_key_counts_while_it_was_valid() -> None:
    """It is its owner's from its beginning until, and not at, its end; one of an unknown kind beside it is no harm."""
    exchange = Exchange(participant(unknown_kind=True))
    for at, counts in ((-HOUR, True), (timedelta(), True), (HOUR, False), (-HOUR - timedelta(seconds=1), False)):
        assert exchange.knows(KEY, NOON + at) is counts
    with pytest.raises(SenderUnknownError) as unknown:
        exchange.keys.find(KeyId("new"), at=NOON)
    assert unknown.value.reason.fr != unknown.value.reason.en


def test_the_exchange_is_asked_again_for_an_unknown_key() -> None:
    """A key that was registered a moment ago is found; strangers' keys don't each make it ask."""
    exchange = Exchange()
    assert not exchange.knows(KEY, NOON)
    exchange.listed = (participant(),)
    exchange.time = 0.9
    assert not exchange.knows(KEY, NOON)
    exchange.time = 1.0
    assert exchange.knows(KEY, NOON)
    exchange.time = 90.0
    assert exchange.knows(KEY, NOON)
    assert exchange.asked == [0.0, 1.0]


def test_a_renewed_key_is_asked_for_again() -> None:
    """The same key under a statement that lasts longer counts for a consumer that has run since before."""
    exchange = Exchange(participant())
    assert exchange.knows(KEY, NOON)
    exchange.listed = (participant(until=NOON + 9 * HOUR),)
    exchange.time = 1e6
    assert exchange.knows(KEY, NOON + 5 * HOUR)


def test_a_superseded_key_counts_for_what_it_signed() -> None:
    """Whatever the present statement says: what the key signed until then is its owner's, and nothing later.

    So is what the present key signed while an older statement held it.
    """
    next_key = SigningKey.generate(KeyId("ca-qc.sq:2"), "Ed25519")
    before = {"from": (NOON - 9 * HOUR).isoformat(), "until": (NOON - 2 * HOUR).isoformat()}
    superseded = tuple({"jwk": dict(key.public.jwk), **before} for key in (KEY, next_key))
    exchange = Exchange(participant(key=next_key, superseded=superseded))
    for key in (KEY, next_key):
        assert exchange.knows(key, NOON - 3 * HOUR)
        assert not exchange.knows(key, NOON - 2 * HOUR)
    assert exchange.knows(next_key, NOON)
    assert not exchange.knows(KEY, NOON)


def test_a_key_that_was_named_again_counts_from_then_on() -> None:
    """Of a key that an older statement held the present one speaks from its signature on, of a new one as it says."""
    before = {"from": (NOON - 9 * HOUR).isoformat(), "until": (NOON - 2 * HOUR).isoformat()}
    listed = participant(superseded=({"jwk": dict(KEY.public.jwk), **before},), issued_at=NOON)
    again, new = Exchange(listed), Exchange(participant(issued_at=NOON))
    assert again.knows(KEY, NOON - 3 * HOUR)
    assert not again.knows(KEY, NOON - HOUR)
    assert again.knows(KEY, NOON)
    assert new.knows(KEY, NOON - HOUR)


def test_a_stated_key_that_was_revoked_never_counts() -> None:
    """It counts where its statement and its window say, and not at all once revoked: whoever found it can date."""
    registry = Registry(
        jurisdictions={},
        participants={SQ: CurrentParticipant(statement(), NOON)},
        keys={KEY.kid: HeldKey(statement(), KEY.public, NOON - HOUR, NOON + HOUR)},
        owners={KEY.kid: (SQ, KEY.public)},
        revoked={},
    )
    revoked = replace(registry, revoked={KEY.kid: NOON + HOUR / 2})
    keys = StatedKeys(lambda: registry, monotonic=lambda: 0.0)
    assert keys.find(KEY.kid, at=NOON) == (SQ, KEY.public)
    with pytest.raises(SenderUnknownError):
        keys.find(KEY.kid, at=NOON + HOUR)
    assert StatedKeys(lambda: revoked, monotonic=lambda: 0.0).find(KEY.kid, at=NOON) is None


def test_statements_are_read_again_for_an_unknown_key() -> None:
    """A statement that was added to the folder since counts without a restart; so do keys that it replaces."""
    empty = Registry(jurisdictions={}, participants={}, keys={}, owners={}, revoked={})
    held = HeldKey(statement(), KEY.public, NOON - HOUR, NOON)
    read, time = [empty], [0.0]
    keys = StatedKeys(lambda: read[0], monotonic=lambda: time[0])
    with pytest.raises(SenderUnknownError):
        keys.find(KEY.kid, at=NOON - HOUR)
    read[0], time[0] = replace(empty, superseded={KEY.kid: (held,)}), 1.0
    assert keys.find(KEY.kid, at=NOON - HOUR) == (SQ, KEY.public)

"""A partner's own word about a delivery: signed by itself, about what was delivered to it, and once for each status."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import select

from gateway.errors import (
    AlertRefusedError,
    GatewayError,
    MalformedSubmissionError,
    NotFoundError,
    RateLimitedError,
    UntrustedSignatureError,
)
from gateway.intake.acknowledge import Acknowledgements
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.store.tables import acknowledgements
from gateway.trust.registry import CurrentRegistry
from schemas.ids import AlertId, KeyId
from schemas.registry import Registry
from schemas.signing.jws import ACKNOWLEDGEMENT, ALERT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import read_statement
from tests.unit.gateway.ground import START, Ground, acceptance, accepted, contents, identification, permit, unlimited
from tests.unit.gateway.test_registry import QC, SPVM, jurisdiction, registered

IAT = int(START.timestamp())
KEY = SigningKey.generate(KeyId(f"{SPVM}:1"), "ES256")


@dataclass(slots=True)
class Desk:
    """Where acknowledgements are taken, of one alert that was delivered to a participant."""

    ground: Ground
    acknowledgements: Acknowledgements
    alert_id: AlertId
    delivery_id: str

    def word(self, **changes: object) -> bytes:
        """Return the participant's signed word; ``changes`` replace its members."""
        document = {
            "alert_id": self.alert_id,
            "delivery_id": self.delivery_id,
            "participant": SPVM,
            "status": "received",
            "at": "2026-11-22T12:00:01.000Z",
            **changes,
        }
        return sign_compact(orjson.dumps(document), key=KEY, profile=ACKNOWLEDGEMENT, iat=IAT)

    async def kept(self) -> Sequence[str]:
        """Return the statuses that are stored."""
        async with self.ground.store.reading() as connection:
            return (await connection.scalars(select(acknowledgements.c.status))).all()


@pytest.fixture
async def desk(ground: Ground) -> Desk:
    """Return a desk with one delivery to Montréal's police."""
    return await open_desk(ground, unlimited())


async def open_desk(ground: Ground, limiter: RateLimiter) -> Desk:
    """Return a desk with one delivery to Montréal's police."""
    pinned = {QC: jurisdiction()}
    registry = CurrentRegistry(Registry.of(pinned, [read_statement(registered(KEY), pinned)]))
    (alert_id,) = await accepted(ground, acceptance("A-1", permit(SPVM)))
    (row,) = await ground.dispatches()
    taking = Acknowledgements(
        identification=identification(ground, registry),
        committer=ground.committer,
        contents=contents(),
        limiter=limiter,
        clock=ground.clock,
    )
    return Desk(ground, taking, alert_id, row.delivery_id)


async def test_a_word_is_kept_as_it_was_signed(desk: Desk) -> None:
    """The signature itself is stored, and the log names the delivery, the status and the digest of the word."""
    compact = desk.word()
    word, recorded = await desk.acknowledgements.record(desk.alert_id, compact)
    assert (word.status, recorded.replayed) == ("received", False)
    entry = (await desk.ground.entries())[recorded.log_index]
    assert (entry["kind"], entry["actor"]) == ("acknowledged", SPVM)
    assert entry["content"]["delivery_id"] == desk.delivery_id
    async with desk.ground.store.reading() as connection:
        assert await connection.scalar(select(acknowledgements.c.compact)) == compact


async def test_each_status_is_said_once(desk: Desk) -> None:
    """The first word of a status stands; the same status again, signed anew, gets its place, another status its own."""
    _, first = await desk.acknowledgements.record(desk.alert_id, desk.word())
    _, again = await desk.acknowledgements.record(desk.alert_id, desk.word(at="2026-11-22T12:05:00.000Z"))
    _, read = await desk.acknowledgements.record(desk.alert_id, desk.word(status="read"))
    assert (again.log_index, again.replayed) == (first.log_index, True)
    assert (read.log_index, read.replayed) == (first.log_index + 1, False)
    assert sorted(await desk.kept()) == ["read", "received"]


async def test_the_same_word_twice_at_once_is_one(desk: Desk) -> None:
    """Two equal words in one batch are one entry."""
    results = await asyncio.gather(*(desk.acknowledgements.record(desk.alert_id, desk.word()) for _ in range(2)))
    assert [recorded.replayed for _, recorded in results] == [False, True]
    assert await desk.kept() == ["received"]


async def test_only_the_recipient_speaks_of_its_delivery(desk: Desk) -> None:
    """Another alert, another delivery, another participant: nothing is found, and nothing kept."""
    other = "01900000-0000-7000-8000-000000000000"
    attempts = [
        (AlertId(other), desk.word()),
        (AlertId(other), desk.word(alert_id=other)),
        (desk.alert_id, desk.word(delivery_id=other)),
        (desk.alert_id, desk.word(participant="us-ny.nysp")),
    ]
    for alert_id, compact in attempts:
        with pytest.raises(NotFoundError):
            await desk.acknowledgements.record(alert_id, compact)
    assert await desk.kept() == []


async def test_a_word_that_is_none_is_refused(desk: Desk) -> None:
    """What is no JWS, of another type, not JSON, or not an acknowledgement is refused for what it is."""
    unsigned = sign_compact(b"{}", key=KEY, profile=ALERT, iat=IAT)
    no_json = sign_compact(b"{", key=KEY, profile=ACKNOWLEDGEMENT, iat=IAT)
    expected: list[tuple[bytes, type[GatewayError]]] = [
        (b"word", MalformedSubmissionError),
        (unsigned, MalformedSubmissionError),
        (no_json, MalformedSubmissionError),
        (desk.word(status="perhaps"), AlertRefusedError),
        (desk.word(extra=1), AlertRefusedError),
        (desk.word(at="yesterday"), AlertRefusedError),
    ]
    for compact, refusal in expected:
        with pytest.raises(refusal):
            await desk.acknowledgements.record(desk.alert_id, compact)
    assert await desk.kept() == []


async def test_a_fault_is_named_by_its_place(desk: Desk) -> None:
    """Each member that is not as it must be has its pointer (RFC 6901), and a sentence in both languages."""
    with pytest.raises(AlertRefusedError) as refused:
        await desk.acknowledgements.record(desk.alert_id, desk.word(status="perhaps", at="yesterday"))
    assert sorted(fault.pointer for fault in refused.value.faults) == ["/at", "/status"]
    assert all(fault.message.fr != fault.message.en for fault in refused.value.faults)


async def test_a_key_that_does_not_count_is_not_heard(desk: Desk) -> None:
    """An unknown key, another key under a known name, and a key past its end are one answer."""
    payload = orjson.dumps({"alert_id": desk.alert_id})
    unknown = SigningKey.generate(KeyId("nobody"), "ES256")
    double = SigningKey.generate(KEY.kid, "ES256")
    for each in (unknown, double):
        with pytest.raises(UntrustedSignatureError):
            await desk.acknowledgements.record(
                desk.alert_id, sign_compact(payload, key=each, profile=ACKNOWLEDGEMENT, iat=IAT)
            )
    late = timedelta(days=2).total_seconds()
    desk.ground.clock.advance(late)
    with pytest.raises(UntrustedSignatureError):
        await desk.acknowledgements.record(
            desk.alert_id, sign_compact(payload, key=KEY, profile=ACKNOWLEDGEMENT, iat=IAT + int(late))
        )


async def test_beyond_its_rate_a_participant_is_told_to_come_again(ground: Ground) -> None:
    """Whatever it says in words of its own costs, a repetition too; a forger in its name spends nothing of it."""
    desk = await open_desk(ground, RateLimiter(Rate(per_second=0.001, burst=2)))
    forged = sign_compact(b"{}", key=SigningKey.generate(KEY.kid, "ES256"), profile=ACKNOWLEDGEMENT, iat=IAT)
    for _ in range(3):
        with pytest.raises(UntrustedSignatureError):
            await desk.acknowledgements.record(desk.alert_id, forged)
    await desk.acknowledgements.record(desk.alert_id, desk.word())
    with pytest.raises(AlertRefusedError):
        await desk.acknowledgements.record(desk.alert_id, desk.word(status="perhaps"))
    with pytest.raises(RateLimitedError):
        await desk.acknowledgements.record(desk.alert_id, desk.word(status="read"))
    assert await desk.kept() == ["received"]

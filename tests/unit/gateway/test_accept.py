"""Accepting: identified once and counted once, however often it is decided, and logged where it is refused for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from audit.kinds import KINDS, Kind
from gateway.errors import (
    AlertRefusedError,
    GatewayError,
    LogUnavailableError,
    MalformedSubmissionError,
    RateLimitedError,
    UntrustedSignatureError,
)
from gateway.intake.accept import Intake
from gateway.intake.identification import Identification
from gateway.intake.ratelimit import Rate, RateLimiter
from gateway.store.content_keys import OPENING, opened, with_keys
from gateway.trust.registry import CurrentRegistry
from schemas.ids import AlertType, KeyId, ParticipantId
from schemas.registry import Registry
from schemas.signing.disclosures import write_disclosure
from schemas.signing.jws import ALERT, Unverified, sign_compact
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.sd_jwt_issuing import issue
from schemas.statements import read_statement
from schemas.withholding.disclosable import disclosable
from tests.unit.gateway.ground import (
    START,
    Ground,
    InPlace,
    acceptances,
    contents,
    enrolment_of,
    stolen_vehicle,
)
from tests.unit.gateway.test_registry import QC, SPVM, jurisdiction, registered, revoked

KEY = SigningKey.generate(KeyId(f"{SPVM}:1"), "Ed25519")


class Counting(InPlace):
    """Signatures in place that counts what it verifies, and lets something happen after each."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.verified = 0
        self.meanwhile = meanwhile

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Return the payload. Raises ``SignatureNotTrustedError``."""
        self.verified += 1
        payload = await super().verify(unverified, key)
        self.meanwhile()
        return payload


@dataclass(slots=True)
class Restless:
    """A registry that moves on while a batch is being written, some times more."""

    registry: CurrentRegistry
    moves: int

    @property
    def version(self) -> int:
        """How far it has come."""
        return self.registry.version

    async def refresh(self, _connection: AsyncConnection) -> None:
        """Move on, unless it has come to rest."""
        if self.moves > 0:
            self.moves -= 1
            self.registry.version += 1


@dataclass(slots=True)
class Desk:
    """Where one police service's alerts are accepted."""

    ground: Ground
    registry: CurrentRegistry
    signatures: Counting
    intake: Intake
    refused: list[tuple[str, ParticipantId | None]] = field(default_factory=list)


def open_desk(ground: Ground, rate: Rate) -> Desk:
    """Return a desk over an empty store, at which a participant has a rate."""
    pinned = {QC: jurisdiction()}
    registry = CurrentRegistry(Registry.of(pinned, [read_statement(registered(KEY), pinned)]))
    refused: list[tuple[str, ParticipantId | None]] = []

    def hear(error: GatewayError, participant: ParticipantId | None) -> None:
        refused.append((error.name, participant))

    signatures = Counting()
    intake = Intake(
        registry=registry,
        identification=Identification(registry=registry, signatures=signatures, clock=ground.clock),
        store=ground.store,
        committer=ground.committer,
        acceptances=acceptances(),
        limiter=RateLimiter(rate),
        clock=ground.clock,
        give_up_after=timedelta(days=3),
        on_refused=hear,
    )
    return Desk(ground, registry, signatures, intake, refused)


def submission(identifier: str, *, key: SigningKey = KEY, status: str = "Actual") -> bytes:
    """Return an alert of Montréal's police, signed."""
    payload = orjson.dumps(stolen_vehicle(identifier, sender=SPVM, status=status))
    return sign_compact(payload, key=key, profile=ALERT, iat=int(START.timestamp()))


def separable(identifier: str, *, salt: int) -> bytes:
    """Return the same alert as an SD-JWT, with salts of its own."""
    document = stolen_vehicle(identifier, sender=SPVM)
    parts = disclosable(AlertType(document["type"]))
    dice = Random(salt)  # noqa: S311 - chance that can be repeated
    return issue(document, disclosable=parts, key=KEY, iat=int(START.timestamp()), randomness=dice.randbytes)


ONCE = Rate(per_second=0.001, burst=1)


async def test_what_is_decided_anew_costs_once(ground: Ground) -> None:
    """While the registry moves under it a submission is decided again, but neither counted nor verified again."""
    desk = open_desk(ground, ONCE)
    ground.committer.standing = standing = Restless(desk.registry, moves=4)
    answer = await desk.intake.accept(submission("A-1"))
    assert (answer.replayed, standing.moves, desk.signatures.verified) == (False, 0, 1)
    with pytest.raises(RateLimitedError):
        await desk.intake.accept(submission("A-2"))


async def test_a_registry_that_never_rests_is_no_reason_to_go_on_for_ever(ground: Ground) -> None:
    """In the end the sender is told to come again, and nothing is stored."""
    desk = open_desk(ground, ONCE)
    ground.committer.standing = Restless(desk.registry, moves=1000)
    with pytest.raises(LogUnavailableError):
        await desk.intake.accept(submission("A-1"))
    assert await ground.entries() == []


async def test_a_key_that_is_revoked_meanwhile(ground: Ground) -> None:
    """A signature that was verified a moment before its key was revoked is refused, which the log shows."""
    desk = open_desk(ground, ONCE)
    pinned = {QC: jurisdiction()}

    def revoke() -> None:
        desk.registry.follow(desk.registry.version + 1, [read_statement(revoked(KEY), pinned)], desk.registry.found)

    desk.signatures.meanwhile = revoke
    with pytest.raises(UntrustedSignatureError):
        await desk.intake.accept(submission("A-1"))
    assert [(entry["kind"], entry["content"]["problem"]) for entry in await ground.entries()] == [
        ("refused", "signature-not-trusted")
    ]


async def test_what_may_come_again_is_no_entry(ground: Ground) -> None:
    """An identified sender's refusal for good is an entry; over its rate, and a stranger's, are counted alone."""
    desk = open_desk(ground, ONCE)
    with pytest.raises(AlertRefusedError):
        await desk.intake.accept(submission("A-1", status="x"))
    with pytest.raises(RateLimitedError):
        await desk.intake.accept(submission("A-2"))
    with pytest.raises(RateLimitedError):
        await desk.intake.preview(submission("A-3"))
    with pytest.raises(UntrustedSignatureError):
        await desk.intake.accept(submission("A-4", key=SigningKey.generate(KeyId("nobody:1"), "Ed25519")))
    assert [entry["content"]["problem"] for entry in await ground.entries()] == ["invalid-alert"]
    assert desk.refused == [
        ("invalid-alert", SPVM),
        ("rate-limited", SPVM),
        ("rate-limited", SPVM),
        ("signature-not-trusted", None),
    ]


@pytest.mark.parametrize(
    "steps", [(), ("handling",), ("info", 0), ("body",), ("body", "vehicle"), ("body", "vehicle", "plate")]
)
@pytest.mark.parametrize("made_up", ["Jean-Tremblay", "témoin Jean Tremblay", "a/b~c", "x" * 64])
async def test_a_refusal_repeats_nothing_that_its_sender_made_up(
    ground: Ground, steps: tuple[str | int, ...], made_up: str
) -> None:
    """A member's name is its sender's text, wherever it stands: entry, process's log and error are silent about it."""
    desk = open_desk(ground, Rate(per_second=1000.0, burst=1000))
    document = stolen_vehicle("A-1", sender=SPVM)
    within: Any = document
    for step in steps:
        within = within[step]
    within[made_up] = made_up
    signed = sign_compact(orjson.dumps(document), key=KEY, profile=ALERT, iat=int(START.timestamp()))
    with capture_logs() as logs, pytest.raises(AlertRefusedError) as refused:
        await desk.intake.accept(signed)
    (entry,) = await ground.entries()
    assert entry["kind"] == "refused"
    assert entry["content"].keys() == {"digest", "kid", "problem"}
    for told in (orjson.dumps(entry).decode(), str(logs), str(refused.value)):
        assert made_up not in told
    assert "pointers" not in KINDS[Kind.REFUSED].allowed


async def test_a_participant_that_registers_meanwhile_is_heard(ground: Ground) -> None:
    """A key that this process has not heard of is looked for once more before its signature is refused."""
    pinned = {QC: jurisdiction()}
    registry = CurrentRegistry(Registry.of(pinned, []))
    enrolment = enrolment_of(ground, registry)

    async def look() -> None:
        await enrolment.record(registered(KEY))

    identification = Identification(registry=registry, signatures=InPlace(), clock=ground.clock, look=look)
    found = await identification.identify(submission("A-1"), ALERT, certificate=None)
    assert (found.participant.participant, found.version) == (SPVM, registry.version)


async def test_an_sd_jwt_is_an_alert_like_any_other(ground: Ground) -> None:
    """It is accepted and kept byte for byte; signed again, with other salts, it is the same alert."""
    desk = open_desk(ground, Rate(per_second=1000.0, burst=1000))
    first = await desk.intake.accept(separable("A-1", salt=1))
    again = await desk.intake.accept(separable("A-1", salt=2))
    assert (again.alert_id, again.body, again.replayed) == (first.alert_id, first.body, True)
    async with ground.store.reading() as connection:
        row = (await connection.execute(with_keys(select(*OPENING)))).one()
    assert opened(contents(), row) == separable("A-1", salt=1)
    assert separable("A-1", salt=1) not in row.submission


@pytest.mark.parametrize("spoilt", [lambda data: data.replace(b"~", b"~~", 1), lambda data: data[:-1] + b"e30~"])
async def test_an_sd_jwt_whose_parts_do_not_belong_together_is_refused(
    ground: Ground, spoilt: Callable[[bytes], bytes]
) -> None:
    """A disclosure that is none, or that no digest names, spoils the whole submission."""
    desk = open_desk(ground, Rate(per_second=1000.0, burst=1000))
    with pytest.raises(MalformedSubmissionError):
        await desk.intake.accept(spoilt(separable("A-1", salt=1)))


async def test_a_disclosure_that_nobody_signed_is_refused_and_logged(ground: Ground) -> None:
    """One added to a good SD-JWT is not under its signature: the signer is known, so the refusal is an entry."""
    desk = open_desk(ground, Rate(per_second=1000.0, burst=1000))
    stranger = write_disclosure("note", "added", randomness=Random(3).randbytes).text  # noqa: S311 - as above
    with pytest.raises(MalformedSubmissionError):
        await desk.intake.accept(separable("A-1", salt=1) + stranger + b"~")
    *_, entry = await ground.entries()
    assert (entry["kind"], entry["content"]["problem"]) == ("refused", "malformed-submission")

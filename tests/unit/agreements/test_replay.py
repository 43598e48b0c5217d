"""What a decision was made from, and what it came to: the same years later, byte for byte, and different else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements.decide import decide
from agreements.replay import Version, decisions_bytes, decisions_digest, inputs_digest, world_digest
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, ParticipantId
from schemas.signing.canonical import canonical_bytes
from tests.unit.agreements.builders import DOH, NOW, NYSP, alert, candidates, document, grant, info, ref, snapshot
from tests.unit.agreements.strategies import Parts, alerts, instants, made, snapshot_parts, snapshots, threads

PAYLOAD = hashlib.sha256(b"alert").digest()
AGREEMENT = Version(AgreementId("ca-qc.us-ny.test"), 1, "ab" * 32)
WORLD = world_digest([AGREEMENT], candidates(NYSP, DOH))


def digest(
    *,
    payload: bytes = PAYLOAD,
    world: str = WORLD,
    now: datetime = NOW,
    reached: dict[ParticipantId, ClauseRef] | None = None,
) -> str:
    """Return the digest of inputs that differ from the usual ones in what is named."""
    return inputs_digest(payload_digest=payload, world=world, now=now, reached=reached or {})


def test_every_input_counts() -> None:
    """Whatever changes of what a decision depends on changes the digest."""
    other = Version(AGREEMENT.agreement, 2, AGREEMENT.digest)
    altered = Version(AGREEMENT.agreement, 1, "cd" * 32)
    suspended = replace(AGREEMENT, steps=(("ef" * 32, "2026-11-22T12:00:00+00:00"),))
    different = [
        digest(),
        digest(payload=hashlib.sha256(b"other").digest()),
        digest(now=NOW + timedelta(microseconds=1)),
        digest(reached={NYSP: ref()}),
        digest(reached={DOH: ref()}),
        digest(reached={NYSP: ref(version=2)}),
        digest(world=world_digest([], candidates(NYSP, DOH))),
        digest(world=world_digest([other], candidates(NYSP, DOH))),
        digest(world=world_digest([altered], candidates(NYSP, DOH))),
        digest(world=world_digest([suspended], candidates(NYSP, DOH))),
        digest(world=world_digest([AGREEMENT, other], candidates(NYSP, DOH))),
        digest(world=world_digest([AGREEMENT], candidates(NYSP))),
    ]
    assert len(set(different)) == len(different)


def test_what_says_the_same_has_one_digest() -> None:
    """The order of agreements, candidates and thread does not matter, nor the offset that an instant is written in."""
    other = Version(AgreementId("a.b"), 1, "cd" * 32)
    assert world_digest([other, AGREEMENT], candidates(DOH, NYSP)) == world_digest(
        [AGREEMENT, other], candidates(NYSP, DOH)
    )
    assert digest(now=NOW.astimezone(timezone(timedelta(hours=-4)))) == digest()
    assert digest(reached={NYSP: ref(), DOH: ref()}) == digest(reached={DOH: ref(), NYSP: ref()})


def test_the_digests_are_for_good() -> None:
    """The digests and the bytes of known inputs are those of the first day: logs hold them."""
    assert digest(reached={NYSP: ref()}) == "c4cad14c5e97617a5f9436995fab845637677a5ec38ed4f4521782ab16397fff"
    written = decisions_bytes(decide(alert(info()), snapshot(document(grant())), NOW, reached={}))
    assert hashlib.sha256(written).hexdigest() == "b6df402a11e963cf5f88ba6c287b327ed5954df2a6478c68c1963b86cf51bdba"


def test_a_snapshot_knows_its_world() -> None:
    """The world changes as a version begins to govern, and with who may receive; not with a later version's text."""
    first = document(grant())
    second = document(grant("9"), version=2, valid={"from": "2026-07-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"})
    both, alone = snapshot(first, second), snapshot(first)
    later = datetime(2026, 7, 1, tzinfo=UTC)
    assert both.world(NOW) == alone.world(NOW)
    assert both.world(later) == snapshot(second).world(later)
    assert both.world(later) != both.world(NOW) == both.world(NOW + timedelta(days=1))
    assert snapshot(first, receivers=(NYSP,)).world(NOW) != alone.world(NOW)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(alerts(), snapshots(), instants(), threads())
def test_decisions_are_written_canonically(
    alert: Alert, agreements: Snapshot, now: datetime, reached: dict[ParticipantId, ClauseRef]
) -> None:
    """The bytes of any decisions are the canonical form of what they say, and two different ones differ."""
    decisions = decide(alert, agreements, now, reached=reached)
    written = decisions_bytes(decisions)
    assert canonical_bytes(json.loads(written)) == written
    assert decisions_bytes(decide(alert, agreements, now, reached=reached)) == written
    assert not decisions or decisions_bytes(decisions[1:]) != written


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(alerts(), min_size=2, max_size=12), snapshot_parts(), instants())
def test_what_was_decided_before_changes_nothing(many: list[Alert], parts: Parts, now: datetime) -> None:
    """Each of many alerts has the decisions, and their digest, that it has where no other came before it."""
    agreements = made(parts)
    for each in (*many, *many):
        decisions, alone = (decide(each, at, now, reached={}) for at in (agreements, made(parts)))
        assert decisions == alone
        assert hash(decisions) == hash(tuple(alone))
        assert decisions_digest(decisions) == hashlib.sha256(decisions_bytes(alone)).hexdigest()

"""Updates and cancellations: who was told must hear that it changed, and nobody else learns of it that way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agreements.decide import decide
from agreements.reasons import Code
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Deny, Lane, Permit
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import (
    DOH,
    NOW,
    NYSP,
    VSP,
    Json,
    alert,
    condition,
    document,
    following,
    grant,
    info,
    ref,
    snapshot,
)

STRICT = document(
    grant("1.1", condition("severity", "Severe"), condition("category", "Safety"), to=[NYSP], lane="urgent"),
    grant("1.2", condition("severity", "Severe"), to=[DOH]),
)


def decided(
    of: Alert, agreements: Snapshot, reached: dict[ParticipantId, ClauseRef], *, now: datetime = NOW
) -> dict[ParticipantId, Decision]:
    """Decide for an alert of a thread."""
    return {decision.recipient: decision for decision in decide(of, agreements, now, reached=reached)}


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
@pytest.mark.parametrize(
    "blocks", [(), (info(severity="Minor"),), (info(category=["Fire"], severity="Unknown", certainty="Unlikely"),)]
)
def test_whom_the_thread_reached_hears_the_rest(kind: str, blocks: tuple[Json, ...]) -> None:
    """An Update or Cancel reaches them under the same clause and lane, whatever its info says, or without any."""
    found = decided(following(kind, *blocks), snapshot(STRICT), {NYSP: ref("1.1")})
    permit = found[NYSP]
    assert isinstance(permit, Permit)
    assert (permit.under, permit.lane, permit.reason.code) == (ref("1.1"), Lane.URGENT, Code.FOLLOWS_THREAD)
    assert not isinstance(found[DOH], Permit)


def test_an_update_may_reach_new_recipients() -> None:
    """Those whom the thread has not reached are decided as for a first alert."""
    found = decided(following("Update", info()), snapshot(STRICT), {NYSP: ref("1.1")})
    assert [found[name].reason.code for name in (NYSP, DOH, VSP)] == [Code.GRANTED, Code.GRANTED, Code.NO_AGREEMENT]


def test_a_cancel_goes_to_those_reached_alone() -> None:
    """A Cancel that anybody might have received goes only to those whom the thread reached."""
    found = decided(following("Cancel", info()), snapshot(STRICT), {NYSP: ref("1.1")})
    assert [found[name].reason.code for name in (NYSP, DOH, VSP)] == [
        Code.GRANTED,
        Code.NOT_REACHED,
        Code.NOT_REACHED,
    ]


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
def test_addresses_do_not_cut_off_whom_the_thread_reached(kind: str) -> None:
    """An Update addressed to others still reaches those who had the alert; it narrows for everybody else."""
    found = decided(following(kind, info(), addresses=[VSP]), snapshot(STRICT), {NYSP: ref("1.1")})
    assert found[NYSP].reason.code == Code.FOLLOWS_THREAD
    assert found[DOH].reason.code == (Code.NOT_REACHED if kind == "Cancel" else Code.NOT_ADDRESSED)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [({"status": "Exercise"}, Code.STATUS_NOT_ALLOWED), ({"tlp": "RED"}, Code.TLP_ABOVE_CEILING)],
)
@pytest.mark.parametrize("kind", ["Update", "Cancel"])
def test_status_and_ceiling_bind_the_whole_thread(kind: str, changes: dict[str, str], missing: Code) -> None:
    """What is of another status, or above the ceiling, does not follow the thread."""
    found = decided(following(kind, info(), **changes), snapshot(STRICT), {NYSP: ref("1.1")})
    denial = found[NYSP]
    assert isinstance(denial, Deny)
    assert denial.reason.code == Code.CONDITIONS_UNMET
    assert [reason.code for _, reason in denial.considered] == [missing]


@pytest.mark.parametrize(
    ("reached", "why"),
    [
        (ref("1.1", version=2), "another version"),
        (ref("9.9"), "a clause that there is not"),
        (ref("1.1", name="ca-qc.us-ny.other"), "another agreement"),
        (ref("1.2"), "a clause that does not name the recipient"),
    ],
)
def test_only_a_clause_in_force_that_covers_the_recipient_carries_the_thread(reached: ClauseRef, why: str) -> None:
    """A reference that the agreements in force do not bear out carries nothing: the candidate is decided as usual."""
    found = decided(following("Update", info(severity="Minor")), snapshot(STRICT), {NYSP: reached})
    assert found[NYSP].reason.code == Code.CONDITIONS_UNMET, why


def test_the_clause_must_cover_the_type_and_the_sender() -> None:
    """An Update of another type, or by another sender, does not travel under the first alert's clause."""
    agreements = snapshot(document(grant("1.1", types=["public-health/outbreak/v1"])))
    assert decided(following("Update", info()), agreements, {NYSP: ref()})[NYSP].reason.code == Code.NO_GRANT
    agreements = snapshot(document({**grant("1.1"), "from": ["ca-qc.msp"]}))
    assert decided(following("Update", info()), agreements, {NYSP: ref()})[NYSP].reason.code == Code.NO_GRANT


def test_an_agreement_that_ended_carries_no_thread() -> None:
    """Once the agreement is over, nothing follows under it, a Cancel included."""
    over = datetime(2027, 1, 1, tzinfo=UTC)
    found = decided(following("Cancel", info()), snapshot(STRICT), {NYSP: ref("1.1")}, now=over)
    assert found[NYSP].reason.code == Code.EXPIRED


def test_a_first_alert_follows_nothing() -> None:
    """For msgType Alert, whom some thread reached does not count."""
    found = decided(alert(info(severity="Minor")), snapshot(STRICT), {NYSP: ref("1.1")})
    assert found[NYSP].reason.code == Code.CONDITIONS_UNMET


def test_an_update_takes_the_better_clause() -> None:
    """Where another clause in the urgent lane permits an Update, it rules over the routine one of the thread."""
    agreements = snapshot(document(grant("1.1"), grant("1.2", condition("severity", "Extreme"), lane="urgent")))
    permit = decided(following("Update", info(severity="Extreme")), agreements, {NYSP: ref("1.1")})[NYSP]
    assert isinstance(permit, Permit)
    assert (permit.under.clause, permit.lane) == ("1.2", Lane.URGENT)
    permit = decided(following("Update", info(severity="Minor")), agreements, {NYSP: ref("1.2")})[NYSP]
    assert isinstance(permit, Permit)
    assert (permit.under.clause, permit.reason.code) == ("1.2", Code.FOLLOWS_THREAD)


def test_who_is_no_candidate_any_more_is_not_reached() -> None:
    """A participant that lost the receiver role gets no decision, whatever its thread."""
    agreements = snapshot(STRICT, receivers=(DOH,))
    assert list(decided(following("Cancel"), agreements, {NYSP: ref("1.1"), DOH: ref("1.2")})) == [DOH]

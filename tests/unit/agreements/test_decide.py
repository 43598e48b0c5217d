"""Who receives an alert: each rule of ``decide``, and each reason for a denial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agreements.decide import decide
from agreements.reasons import Code
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import Decision, Deny, Lane, Permit
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import (
    DOH,
    EVERYONE,
    MAINE,
    MSP,
    NOW,
    NYSP,
    SQ,
    VSP,
    Json,
    alert,
    condition,
    document,
    grant,
    info,
    ref,
    snapshot,
)

WARNING_OF_SQ = alert(info())


def decisions(of: Alert, agreements: Snapshot, *, now: datetime = NOW) -> dict[ParticipantId, Decision]:
    """Decide for a first alert."""
    return {decision.recipient: decision for decision in decide(of, agreements, now, reached={})}


def codes(of: Alert, agreements: Snapshot, *, now: datetime = NOW) -> dict[ParticipantId, str]:
    """Return the code of each decision's reason."""
    return {name: decision.reason.code for name, decision in decisions(of, agreements, now=now).items()}


def test_no_agreement_no_recipient() -> None:
    """Without any agreement, every candidate is denied, agencies of the sender's own jurisdiction included."""
    assert codes(WARNING_OF_SQ, snapshot()) == {
        MSP: Code.NO_GRANT_AT_HOME,
        NYSP: Code.NO_AGREEMENT,
        DOH: Code.NO_AGREEMENT,
        VSP: Code.NO_AGREEMENT,
        MAINE: Code.NO_AGREEMENT,
    }


def test_a_grant_permits_those_it_names() -> None:
    """A clause lets the alert through to every participant of the jurisdiction it names, and to nobody else."""
    found = decisions(WARNING_OF_SQ, snapshot(document(grant("4.2", lane="urgent"))))
    assert {name for name, decision in found.items() if isinstance(decision, Permit)} == {NYSP, DOH}
    permit = found[NYSP]
    assert isinstance(permit, Permit)
    assert (permit.jurisdiction, permit.under, permit.lane) == ("US-NY", ref("4.2"), Lane.URGENT)
    assert (permit.reason.code, permit.reason.arguments) == (
        Code.GRANTED,
        (("clause", "ca-qc.us-ny.test/1#4.2"),),
    )


def test_lane_is_routine_unless_a_clause_says_otherwise() -> None:
    """A clause without a lane obligation sends by the routine lane."""
    permit = decisions(WARNING_OF_SQ, snapshot(document(grant())))[NYSP]
    assert isinstance(permit, Permit)
    assert permit.lane is Lane.ROUTINE


@pytest.mark.parametrize(
    ("changes", "permitted"),
    [
        ({}, {NYSP, DOH}),
        ({"to": [NYSP]}, {NYSP}),
        ({"from": [SQ]}, {NYSP, DOH}),
        ({"from": [MSP]}, set()),
        ({"from": ["US-NY"], "to": ["CA-QC"]}, set()),
        ({"to": ["CA-QC"]}, {MSP}),
        ({"from": [SQ, "CA-QC"], "to": [NYSP, "US-NY"]}, {NYSP, DOH}),
        ({"types": ["emergency-management/*"]}, {NYSP, DOH}),
        ({"types": ["public-health/*"]}, set()),
        ({"types": ["emergency-management/public-warning/v2"]}, set()),
    ],
)
def test_from_to_and_types_are_taken_to_the_letter(changes: Json, permitted: set[ParticipantId]) -> None:
    """A grant is one-way, for the sides and types it names: participants, jurisdictions, whole domains."""
    found = decisions(WARNING_OF_SQ, snapshot(document({**grant(), **changes})))
    assert {name for name, decision in found.items() if isinstance(decision, Permit)} == permitted


def test_only_candidates_are_decided_in_order_and_never_the_sender() -> None:
    """There is one decision for each receiver but the sender, ordered by id; others that a grant names have none."""
    agreements = snapshot(document(grant(to=["US-NY", "CA-QC"])), receivers=(VSP, SQ, NYSP))
    assert [each.recipient for each in decide(WARNING_OF_SQ, agreements, NOW, reached={})] == [NYSP, VSP]


def test_agreement_without_a_grant_for_the_type() -> None:
    """Where agreements in force bind both sides and none grants the type, the denial names them."""
    agreements = snapshot(
        document(grant(types=["public-health/outbreak/v1"])),
        document(grant(to=[DOH]), id="ca-qc.us-ny.other", version=3),
    )
    denial = decisions(WARNING_OF_SQ, agreements)[NYSP]
    assert isinstance(denial, Deny)
    assert denial.considered == ()
    assert denial.reason.code == Code.NO_GRANT
    assert dict(denial.reason.arguments)["agreements"] == ("ca-qc.us-ny.other/3", "ca-qc.us-ny.test/1")


def test_unmet_conditions_name_each_clause_and_condition() -> None:
    """A denial lists every clause that was considered, the one that would have ruled first, with all that it lacked."""
    agreements = snapshot(
        document(
            grant("1.3", condition("severity", "Extreme")),
            grant("1.2", condition("severity", "Extreme"), condition("urgency", "Expected")),
            grant("2.1", conditions=[condition("status", "Test"), condition("tlp", "CLEAR")], lane="urgent"),
        )
    )
    denial = decisions(WARNING_OF_SQ, agreements)[NYSP]
    assert isinstance(denial, Deny)
    assert denial.reason.code == Code.CONDITIONS_UNMET
    assert dict(denial.reason.arguments)["clauses"] == tuple(
        f"ca-qc.us-ny.test/1#{each}" for each in ("2.1", "1.2", "1.3")
    )
    assert [(each.clause, reason.code) for each, reason in denial.considered] == [
        ("2.1", Code.STATUS_NOT_ALLOWED),
        ("2.1", Code.TLP_ABOVE_CEILING),
        ("1.2", Code.SEVERITY_NOT_ALLOWED),
        ("1.2", Code.URGENCY_NOT_ALLOWED),
        ("1.3", Code.SEVERITY_NOT_ALLOWED),
    ]


@pytest.mark.parametrize(
    ("instant", "code"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), Code.NOT_YET_IN_FORCE),
        (datetime(2026, 1, 1, tzinfo=UTC), Code.GRANTED),
        (datetime(2025, 12, 31, 19, tzinfo=timezone(timedelta(hours=-5))), Code.GRANTED),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), Code.GRANTED),
        (datetime(2027, 1, 1, tzinfo=UTC), Code.EXPIRED),
    ],
)
def test_validity_begins_at_from_and_ends_before_until(instant: datetime, code: Code) -> None:
    """One snapshot serves every instant: ``from`` is in force, ``until`` is not, whatever the offset of the clock."""
    agreements = snapshot(document(grant()))
    decide(WARNING_OF_SQ, agreements, NOW, reached={})
    found = decisions(WARNING_OF_SQ, agreements, now=instant)[NYSP]
    assert found.reason.code == code
    if isinstance(found, Deny):
        assert found.considered == ((ref(), found.reason),)


def test_expired_agreement_binds_nobody() -> None:
    """An agreement that is over is no agreement for a type that it never granted."""
    agreements = snapshot(document(grant(types=["public-health/*"])))
    assert codes(WARNING_OF_SQ, agreements, now=datetime(2027, 1, 1, tzinfo=UTC))[NYSP] == Code.NO_AGREEMENT


def test_lapsed_clauses_are_named_beside_unmet_ones() -> None:
    """Where a clause in force is not met and another agreement is over, the denial names both."""
    over = {"from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"}
    agreements = snapshot(
        document(grant("1.1", condition("severity", "Minor"))), document(grant(), id="ca-qc.us-ny.old", valid=over)
    )
    denial = decisions(WARNING_OF_SQ, agreements)[NYSP]
    assert isinstance(denial, Deny)
    assert denial.reason.code == Code.CONDITIONS_UNMET
    assert [(str(each), reason.code) for each, reason in denial.considered] == [
        ("ca-qc.us-ny.test/1#1.1", Code.SEVERITY_NOT_ALLOWED),
        ("ca-qc.us-ny.old/1#1.1", Code.EXPIRED),
    ]


def test_urgent_lane_wins_then_the_lowest_clause() -> None:
    """Of several clauses that permit, an urgent one rules; of several such, the lowest reference."""
    clauses = [grant("1.1"), grant("2.2", lane="urgent"), grant("2.1", lane="urgent"), grant("0.9", lane="routine")]
    for order in (clauses, clauses[::-1]):
        permit = decisions(WARNING_OF_SQ, snapshot(document(*order)))[NYSP]
        assert isinstance(permit, Permit)
        assert (permit.under.clause, permit.lane) == ("2.1", Lane.URGENT)
    permit = decisions(WARNING_OF_SQ, snapshot(document(clauses[0], clauses[3])))[NYSP]
    assert isinstance(permit, Permit)
    assert permit.under.clause == "0.9"


def test_an_urgent_clause_whose_conditions_fail_does_not_win() -> None:
    """An urgent clause that the alert does not meet leaves the alert to the routine one that it meets."""
    agreements = snapshot(document(grant("1.1", condition("severity", "Extreme"), lane="urgent"), grant("1.2")))
    permit = decisions(WARNING_OF_SQ, agreements)[NYSP]
    assert isinstance(permit, Permit)
    assert (permit.under.clause, permit.lane) == ("1.2", Lane.ROUTINE)


@pytest.mark.parametrize(
    ("addresses", "permitted"),
    [
        ([], {NYSP, DOH}),
        ([NYSP], {NYSP}),
        (["US-NY"], {NYSP, DOH}),
        (["US-NY", DOH], {NYSP, DOH}),
        ([VSP], set()),
        (["US-VT"], set()),
        (["somebody@example.org"], set()),
    ],
)
def test_addresses_narrow_and_never_widen(addresses: list[str], permitted: set[ParticipantId]) -> None:
    """Who is not addressed is denied as such; who is addressed needs a grant all the same."""
    found = codes(alert(info(), addresses=addresses), snapshot(document(grant())))
    assert {name for name, code in found.items() if code == Code.GRANTED} == permitted
    for name, code in found.items():
        addressed = not addresses or name in addresses or name[:5].upper() in addresses
        assert (code == Code.NOT_ADDRESSED) == (not addressed)


def test_an_agency_at_home_needs_a_grant_too() -> None:
    """Another agency of the sender's jurisdiction receives under a grant to its jurisdiction, and not else."""
    assert codes(WARNING_OF_SQ, snapshot(document(grant())))[MSP] == Code.NO_GRANT_AT_HOME
    assert codes(WARNING_OF_SQ, snapshot(document(grant(to=["CA-QC"]))))[MSP] == Code.GRANTED


def test_what_is_not_actual_passes_only_where_named() -> None:
    """An exercise reaches nobody under a grant for actual alerts, and the other way round."""
    both = snapshot(
        document(grant("1.1"), grant("1.2", conditions=[condition("status", "Exercise"), condition("tlp", "RED")]))
    )
    for status, clause in (("Actual", "1.1"), ("Exercise", "1.2")):
        permit = decisions(alert(info(), status=status), both)[NYSP]
        assert isinstance(permit, Permit)
        assert permit.under.clause == clause
    assert codes(alert(info(), status="Test"), both)[NYSP] == Code.CONDITIONS_UNMET


def test_the_order_of_what_is_given_does_not_matter() -> None:
    """Candidates and agreements in another order give the same decisions."""
    values = [document(grant("1.1")), document(grant("1.2", lane="urgent"), id="ca-qc.us-ny.other")]
    one = snapshot(*values)
    other = snapshot(*values[::-1], receivers=EVERYONE[::-1])
    assert decide(WARNING_OF_SQ, one, NOW, reached={}) == decide(WARNING_OF_SQ, other, NOW, reached={})


def test_a_clock_without_offset_is_refused() -> None:
    """``now`` must carry its offset: a local time would decide differently from one machine to the next."""
    with pytest.raises(TypeError):
        decide(WARNING_OF_SQ, snapshot(document(grant())), NOW.replace(tzinfo=None), reached={})


def test_decisions_are_values() -> None:
    """A decision is frozen data, equal to another with the same content."""
    agreements = snapshot(document(grant()))
    first, again = (decide(WARNING_OF_SQ, agreements, NOW, reached={}) for _ in range(2))
    assert first == again
    assert replace(first[0], recipient=SQ) != first[0]

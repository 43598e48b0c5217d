"""What holds of every decision, whatever the alert, the agreements, the thread and the instant."""

from __future__ import annotations

import random
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements.decide import decide
from agreements.explain import explain
from agreements.reasons import Code
from agreements.snapshot import Snapshot
from agreements.terms import at_least
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Deny, Permit
from schemas.ids import ParticipantId, home_of
from tests.unit.agreements.builders import Json
from tests.unit.agreements.strategies import (
    Parts,
    alerts,
    documents,
    instants,
    made,
    shuffled,
    snapshot_parts,
    snapshots,
    threads,
)

Thread = dict[ParticipantId, ClauseRef]
LOOKED_AT = frozenset({Code.CONDITIONS_UNMET, Code.CONSENT_NOT_GIVEN, Code.EXPIRED, Code.NOT_YET_IN_FORCE})
"""Denials for what clauses say, and not for there being none."""
SOME_TIME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SOME_TIME
@given(alerts(), snapshots(), instants(), threads())
def test_same_inputs_same_decisions(alert: Alert, agreements: Snapshot, now: datetime, reached: Thread) -> None:
    """A decision depends on its arguments alone: not on what was decided before, and it changes none of them."""
    before = dict(reached)
    first = decide(alert, agreements, now, reached=reached)
    fresh = Snapshot(
        agreements.candidates,
        agreements._clauses,
        agreements._bonds,
        agreements._turns,
        agreements._terms,
        agreements._versions,
    )
    assert decide(alert, agreements, now, reached=reached) == first
    assert decide(alert, fresh, now, reached=reached) == first
    assert reached == before
    assert fresh == agreements


@SOME_TIME
@given(alerts(), snapshots(), instants(), threads())
def test_one_decision_each_in_order(alert: Alert, agreements: Snapshot, now: datetime, reached: Thread) -> None:
    """Every candidate but the sender is decided once, in the order of ids, and as one of its own jurisdiction."""
    decisions = decide(alert, agreements, now, reached=reached)
    expected = sorted(name for name, _ in agreements.candidates if name != alert.sender)
    assert [decision.recipient for decision in decisions] == expected
    assert all(decision.jurisdiction == home_of(decision.recipient) for decision in decisions)


@SOME_TIME
@given(alerts(), snapshots(), instants(), threads())
def test_every_permit_is_borne_out_by_its_clause(
    alert: Alert, agreements: Snapshot, now: datetime, reached: Thread
) -> None:
    """A permit's clause is in force and names the recipient; status and ceiling hold, and all conditions if granted."""
    for decision in decide(alert, agreements, now, reached=reached):
        if not isinstance(decision, Permit):
            continue
        (clause,) = {
            each.ref: each for clauses in agreements._clauses.values() for each in clauses if each.ref == decision.under
        }.values()
        assert clause.term.governs(now)
        assert clause.term.outside(now) is None
        unmet = [condition for condition in clause.conditions if condition.unmet(alert) is not None]
        if decision.reason.code == Code.GRANTED:
            assert decision.recipient in clause.recipients
            assert unmet == []
        elif decision.reason.code == Code.COPIED:
            assert decision.recipient in clause.copies
            assert unmet == [] or alert.msgType in {"Update", "Cancel"}
        else:
            assert decision.recipient in clause.recipients | clause.copies
            assert decision.reason.code == Code.FOLLOWS_THREAD
            assert alert.msgType in {"Update", "Cancel"}
            assert reached[decision.recipient] == decision.under
            assert not any(condition.binds_thread for condition in unmet)


@SOME_TIME
@given(alerts(), snapshots(), instants(), threads())
def test_nobody_else_is_permitted(alert: Alert, agreements: Snapshot, now: datetime, reached: Thread) -> None:
    """Without agreements nobody receives; a Cancel goes to nobody new; addresses keep out whom they do not name."""
    alone = Snapshot.of(agreements.candidates, [])
    assert not any(isinstance(decision, Permit) for decision in decide(alert, alone, now, reached=reached))
    for decision in decide(alert, agreements, now, reached=reached):
        if isinstance(decision, Permit) and decision.recipient not in reached:
            assert alert.msgType != "Cancel"
            copied = decision.reason.code == Code.COPIED
            assert copied or not alert.addresses or {decision.recipient, decision.jurisdiction} & {*alert.addresses}


@SOME_TIME
@given(alerts(), snapshots(), instants(), threads())
def test_every_decision_explains_itself(alert: Alert, agreements: Snapshot, now: datetime, reached: Thread) -> None:
    """Every reason has a full sentence in each language, and a denial says which clauses were looked at."""
    for decision in decide(alert, agreements, now, reached=reached):
        considered = decision.considered if isinstance(decision, Deny) else ()
        for sentence in map(explain, [decision.reason, *(reason for _, reason in considered)]):
            for text in (sentence.fr, sentence.en):
                assert text.endswith(".")
                assert not {"{", "}"} & set(text)
        if isinstance(decision, Deny):
            assert bool(decision.considered) == (decision.reason.code in LOOKED_AT) or (
                decision.reason.code == Code.NOTHING_TO_COPY
            )


@SOME_TIME
@given(snapshot_parts(), alerts(), instants(), threads(), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    parts: Parts, alert: Alert, now: datetime, reached: Thread, shuffler: random.Random
) -> None:
    """In whatever order agreements, their clauses, obligations and candidates come, the decisions are the same."""
    receivers, documents = parts
    mixed = [*receivers], [shuffled(document, shuffler) for document in documents]
    shuffler.shuffle(mixed[0])
    shuffler.shuffle(mixed[1])
    assert decide(alert, made(mixed), now, reached=reached) == decide(alert, made(parts), now, reached=reached)


@SOME_TIME
@given(snapshot_parts(), documents(), alerts(), instants(), threads())
def test_another_agreement_never_loosens(
    parts: Parts, added: Json, alert: Alert, now: datetime, reached: Thread
) -> None:
    """Where one more agreement is in force, whoever was permitted still is, on terms that are at least as strict."""
    receivers, before = parts
    after = made((receivers, [*before, {**added, "id": "added"}]))
    stricter = {each.recipient: each for each in decide(alert, after, now, reached=reached)}
    for decision in decide(alert, made(parts), now, reached=reached):
        if isinstance(decision, Permit):
            other = stricter[decision.recipient]
            assert isinstance(other, Permit)
            assert at_least(other.terms, decision.terms)

"""Who must be told: the participants of ``copy-to``, where a clause lets an alert through to anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agreements.book import Book
from agreements.decide import decide
from agreements.reasons import Code
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Permit
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import (
    DOH,
    EVERYONE,
    MAINE,
    ME,
    MSP,
    NOW,
    NYSP,
    SQ,
    VSP,
    VT,
    Json,
    alert,
    candidates,
    condition,
    document,
    following,
    grant,
    info,
    ref,
    snapshot,
    step,
    verified,
)


def told(*participants: str) -> Json:
    """Return the obligation to tell some participants."""
    return {"obligation": "copy-to", "participants": list(participants)}


TO_POLICE = grant("1.1", condition("severity", "Severe"), to=[NYSP], obligations=[told(DOH)])


def decided(
    of: Alert, *clauses: Json, reached: dict[ParticipantId, ClauseRef] | None = None, now: datetime = NOW
) -> dict[ParticipantId, Decision]:
    """Decide under one agreement."""
    return {each.recipient: each for each in decide(of, snapshot(document(*clauses)), now, reached=reached or {})}


def codes(found: dict[ParticipantId, Decision], *names: ParticipantId) -> list[str]:
    """Return the codes of some decisions' reasons."""
    return [found[name].reason.code for name in names]


def test_who_must_be_told_is_told() -> None:
    """Where the clause lets an alert through, its copies go out under it, in its lane and on its terms."""
    clause = {**TO_POLICE, "obligations": [told(DOH), {"obligation": "retention", "days": 5}]}
    found = decided(alert(info()), clause)
    assert codes(found, NYSP, DOH, MSP) == [Code.GRANTED, Code.COPIED, Code.NO_GRANT_AT_HOME]
    police, health = found[NYSP], found[DOH]
    assert isinstance(police, Permit)
    assert isinstance(health, Permit)
    assert (health.under, health.lane, health.terms) == (police.under, police.lane, police.terms)


def test_what_goes_to_nobody_is_not_copied() -> None:
    """Where the clause's conditions are not met nobody is told, and the denial says why."""
    found = decided(alert(info(severity="Minor")), TO_POLICE)
    assert codes(found, NYSP, DOH) == [Code.CONDITIONS_UNMET, Code.NOTHING_TO_COPY]
    decision = found[DOH]
    assert not isinstance(decision, Permit)
    assert [(under, reason.code) for under, reason in decision.considered] == [(ref("1.1"), Code.SEVERITY_NOT_ALLOWED)]


def test_a_clause_without_a_candidate_copies_nothing() -> None:
    """Where nobody of those named in the clause may receive today, there is nothing to tell."""
    agreements = snapshot(document(TO_POLICE), receivers=(DOH,))
    (decision,) = decide(alert(info()), agreements, NOW, reached={})
    assert decision.reason.code == Code.NOTHING_TO_COPY


def test_addresses_do_not_keep_out_who_must_be_told() -> None:
    """An alert that names its recipients is copied too; one that names none of the clause's is not."""
    assert codes(decided(alert(info(), addresses=[NYSP]), TO_POLICE), NYSP, DOH) == [Code.GRANTED, Code.COPIED]
    assert codes(decided(alert(info(), addresses=[DOH]), TO_POLICE), NYSP, DOH) == [
        Code.NOT_ADDRESSED,
        Code.NOTHING_TO_COPY,
    ]


def test_the_sender_gets_no_copy() -> None:
    """A sender that a clause would have told of its own alert has no decision at all."""
    found = decided(alert(info()), grant(to=[NYSP], obligations=[told(SQ, MSP)]))
    assert SQ not in found
    assert codes(found, MSP) == [Code.COPIED]


def test_who_is_granted_is_not_copied() -> None:
    """Where a clause both names a candidate and has it told, it is granted; another clause may rule over a copy."""
    assert codes(decided(alert(info()), grant(obligations=[told(DOH)])), DOH) == [Code.GRANTED]
    lower = grant("1.0", to=[DOH])
    found = decided(alert(info()), TO_POLICE, lower)
    assert (found[DOH].reason.code, found[DOH]) == (Code.GRANTED, found[DOH])
    faster = {**TO_POLICE, "obligations": [told(DOH), {"obligation": "lane", "lane": "urgent"}]}
    assert codes(decided(alert(info()), faster, lower), DOH) == [Code.COPIED]


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
def test_a_copy_follows_its_thread(kind: str) -> None:
    """Who was told of an alert is told of its Update and its Cancel, whatever their info says."""
    found = decided(following(kind), TO_POLICE, reached={NYSP: ref("1.1"), DOH: ref("1.1")})
    assert codes(found, NYSP) == [Code.FOLLOWS_THREAD]
    assert isinstance(found[DOH], Permit)
    alone = decided(following(kind), TO_POLICE, reached={DOH: ref("1.1")})
    assert isinstance(alone[DOH], Permit)
    assert alone[DOH].reason.code == Code.FOLLOWS_THREAD


def test_an_update_that_follows_is_copied_and_a_cancel_goes_to_whom_it_reached() -> None:
    """A thread carried to its recipient is told to who was not told before, unless it is a Cancel."""
    assert codes(decided(following("Update"), TO_POLICE, reached={NYSP: ref("1.1")}), DOH) == [Code.COPIED]
    assert codes(decided(following("Cancel", info()), TO_POLICE, reached={NYSP: ref("1.1")}), DOH) == [Code.NOT_REACHED]


def test_a_lapsed_clause_copies_nothing() -> None:
    """Once the agreement is over, who was only told under it is told that it is over."""
    over = datetime(2027, 1, 1, tzinfo=UTC)
    assert codes(decided(alert(info()), TO_POLICE, now=over), NYSP, DOH) == [Code.EXPIRED, Code.EXPIRED]


def test_who_is_not_bound_is_not_told() -> None:
    """Neither before a jurisdiction accedes nor once it has withdrawn are its participants told of anything."""
    clause = {**TO_POLICE, "obligations": [told(DOH, MAINE, VSP)]}
    made = verified(document(clause, parties=["CA-QC", "US-NY", "US-VT"], accession=["US-ME"]))
    book = Book.of([made])
    joined = book.with_step(step("accession", ME, 1, of=made))
    left = joined.with_step(step("withdrawal", VT, 2, of=made))
    later = NOW + timedelta(minutes=5)
    expected = (
        (book, [Code.COPIED, Code.NOT_ACCEDED, Code.COPIED]),
        (joined, [Code.COPIED, Code.COPIED, Code.COPIED]),
        (left, [Code.COPIED, Code.COPIED, Code.ENDED]),
    )
    for after, found in expected:
        decisions = decide(alert(info()), Snapshot.under(candidates(*EVERYONE), after), later, reached={})
        assert codes({each.recipient: each for each in decisions}, DOH, MAINE, VSP) == found

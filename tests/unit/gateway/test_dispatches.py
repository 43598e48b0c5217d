"""A dispatch from committed to settled: every transition of ``gateway.store.dispatches``, and every non-event."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row

from gateway.backoff import Backoff
from gateway.store.dispatches import (
    DELIVERED,
    EXPIRED,
    OPEN,
    PENDING,
    PUBLISHED,
    REFUSED,
    ExpiryWriter,
    OutcomeWriter,
    Published,
    PublishedWriter,
    Reopened,
    Reopening,
    ReopenWriter,
    Route,
    Settled,
)
from gateway.store.due import due, next_due, overdue, pending_routes
from schemas.decisions import Lane
from schemas.ids import AlertId, DeliveryId, ParticipantId
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Refused
from tests.unit.gateway.ground import NYSP, START, VSP, Ground, acceptance, accepted, open_ground, permit

LASTS = 3600.0
PATIENCE_MS = 60_000
MARKS = PublishedWriter()
OUTCOMES = OutcomeWriter(Backoff(base=1.0, cap=60.0))
EXPIRIES = ExpiryWriter()
TAKEN = Delivered("http 204")
LATER = Deferred("http 503")
NEVER = Refused("http 410")


async def one(ground: Ground, identifier: str = "A-1", *, lane: Lane = Lane.ROUTINE) -> Row[Any]:
    """Store an alert for one recipient and return its dispatch."""
    (alert_id,) = await accepted(ground, acceptance(identifier, permit(NYSP, lane), lasts=LASTS))
    (row,) = [row for row in await ground.dispatches() if row.alert_id == alert_id]
    return row


async def publish(ground: Ground, row: Row[Any], attempt: int = 1) -> None:
    """Mark a dispatch as published."""
    await ground.committer.submit(
        MARKS, [Published(DeliveryId(row.delivery_id), attempt, ground.clock.ms + PATIENCE_MS)]
    )


def report(row: Row[Any], outcome: Outcome, *, attempt: int = 1, recipient: str = NYSP) -> OutcomeReport:
    """Return what an adapter reports of a dispatch."""
    return OutcomeReport(
        delivery_id=DeliveryId(row.delivery_id),
        alert_id=AlertId(row.alert_id),
        recipient=ParticipantId(recipient),
        attempt=attempt,
        at=START,
        outcome=outcome,
    )


async def tell(ground: Ground, row: Row[Any], outcome: Outcome, *, attempt: int = 1) -> Settled:
    """Report an outcome and return what it did."""
    settled = await ground.committer.submit(OUTCOMES, report(row, outcome, attempt=attempt))
    assert settled is not None
    return settled


async def state(ground: Ground, row: Row[Any]) -> tuple[str, int]:
    """Return a dispatch's state now and how often it was published."""
    now = await ground.dispatch(DeliveryId(row.delivery_id))
    return now.state, now.attempts


async def due_now(
    ground: Ground, *, recipient: ParticipantId = NYSP, lane: Lane = Lane.ROUTINE, limit: int = 10
) -> list[str]:
    """Return the deliveries of one route that are due now, in the order in which they would be published."""
    async with ground.store.reading() as connection:
        rows = await due(connection, Route(recipient, lane), now_ms=ground.clock.ms, limit=limit)
        return [row.delivery_id for row in rows]


async def test_a_mark_makes_a_dispatch_published(ground: Ground) -> None:
    """Published and counted, it is due no more."""
    row = await one(ground)
    assert await due_now(ground) == [row.delivery_id]
    await publish(ground, row)
    assert await state(ground, row) == (PUBLISHED, 1)
    assert await due_now(ground) == []


@pytest.mark.parametrize(
    ("outcome", "ends", "kind"), [(TAKEN, DELIVERED, "delivered"), (NEVER, REFUSED, "undeliverable")]
)
async def test_a_final_outcome_ends_a_delivery_with_evidence(
    ground: Ground, outcome: Outcome, ends: str, kind: str
) -> None:
    """Delivered or refused: a state, a time, and one entry that both jurisdictions may read."""
    row = await one(ground)
    await publish(ground, row)
    ground.clock.advance(2)
    settled = await tell(ground, row, outcome)
    assert (settled.state, settled.changed, settled.due_ms) == (ends, True, None)
    now = await ground.dispatch(DeliveryId(row.delivery_id))
    assert (now.state, now.settled_ms, now.detail) == (ends, ground.clock.ms, outcome.detail)
    evidence = (await ground.entries())[-1]
    assert (evidence["kind"], evidence["actor"]) == (kind, NYSP)
    assert evidence["jurisdictions"] == ["CA-QC", "US-NY"]
    assert evidence["content"] == {
        "delivery_id": row.delivery_id,
        "recipient": NYSP,
        "attempt": 1,
        "detail": outcome.detail,
    }


async def test_a_deferral_makes_it_due_again_later(ground: Ground) -> None:
    """Deferred, it is pending until its backoff is over, without an entry: the attempt is a row."""
    row = await one(ground)
    await publish(ground, row)
    settled = await tell(ground, row, LATER)
    assert settled.state == PENDING
    assert settled.due_ms is not None
    assert 500 <= settled.due_ms - ground.clock.ms <= 1000
    assert await state(ground, row) == (PENDING, 1)
    assert await due_now(ground) == []
    ground.clock.advance(1)
    assert await due_now(ground) == [row.delivery_id]
    assert await ground.kinds() == ["accepted", "routed"]


async def test_a_partner_s_own_wish_is_a_lower_bound(ground: Ground) -> None:
    """Retry-After beyond the backoff is when it is due."""
    row = await one(ground)
    await publish(ground, row)
    settled = await tell(ground, row, Deferred("http 429", retry_after=120.0))
    assert settled.due_ms == ground.clock.ms + 120_000


async def test_deferrals_back_off(ground: Ground) -> None:
    """Each further deferral doubles the interval that its retry is drawn from."""
    row = await one(ground)
    for attempt in range(1, 5):
        await publish(ground, row, attempt)
        settled = await tell(ground, row, LATER, attempt=attempt)
        assert settled.due_ms is not None
        upper = 1000 * 2 ** (attempt - 1)
        assert upper / 2 <= settled.due_ms - ground.clock.ms <= upper
    assert await state(ground, row) == (PENDING, 4)


@pytest.mark.parametrize(("outcome", "after"), [(TAKEN, DELIVERED), (NEVER, REFUSED), (LATER, PENDING)])
async def test_an_outcome_may_be_faster_than_its_mark(ground: Ground, outcome: Outcome, after: str) -> None:
    """The outcome counts although the publication was not marked yet, and the late mark changes nothing."""
    row = await one(ground)
    assert (await tell(ground, row, outcome)).state == after
    await publish(ground, row)
    assert await state(ground, row) == (after, 1)


@pytest.mark.parametrize("first", [TAKEN, NEVER])
@pytest.mark.parametrize("second", [TAKEN, NEVER, LATER])
async def test_a_settled_delivery_stays_as_it_is(ground: Ground, first: Outcome, second: Outcome) -> None:
    """A report that comes again, or late, or says otherwise, changes neither state nor log."""
    row = await one(ground)
    await publish(ground, row)
    ended = (await tell(ground, row, first)).state
    log = await ground.entries()
    again = await tell(ground, row, second)
    assert (again.state, again.changed) == (ended, False)
    assert await ground.entries() == log


async def test_the_same_deferral_twice_is_one(ground: Ground) -> None:
    """A deferral that the bus brings again does not move the retry that stands."""
    row = await one(ground)
    await publish(ground, row)
    first = await tell(ground, row, LATER)
    ground.clock.advance(0.1)
    again = await tell(ground, row, LATER)
    assert (again.changed, again.state, again.due_ms) == (False, PENDING, first.due_ms)


async def test_a_deferral_of_an_earlier_attempt_says_nothing_of_the_present_one(ground: Ground) -> None:
    """While the second attempt is on its way, the first one's deferral comes late and changes nothing."""
    row = await one(ground)
    await publish(ground, row)
    await tell(ground, row, LATER)
    await publish(ground, row, attempt=2)
    late = await tell(ground, row, LATER, attempt=1)
    assert (late.changed, late.state) == (False, PUBLISHED)
    assert await state(ground, row) == (PUBLISHED, 2)


@pytest.mark.parametrize(("outcome", "after"), [(TAKEN, DELIVERED), (NEVER, REFUSED)])
async def test_a_final_word_counts_whichever_attempt_it_is_of(ground: Ground, outcome: Outcome, after: str) -> None:
    """A partner that took, or refused, the first attempt has done so, although the second is on its way."""
    row = await one(ground)
    await publish(ground, row)
    await tell(ground, row, LATER)
    await publish(ground, row, attempt=2)
    assert (await tell(ground, row, outcome, attempt=1)).state == after
    assert await state(ground, row) == (after, 2)


async def test_a_mark_of_an_earlier_attempt_is_void(ground: Ground) -> None:
    """A mark that comes after its attempt was deferred does not undo the deferral."""
    row = await one(ground)
    await tell(ground, row, LATER)
    await publish(ground, row, attempt=1)
    assert await state(ground, row) == (PENDING, 1)
    await publish(ground, row, attempt=2)
    assert await state(ground, row) == (PUBLISHED, 2)


async def test_a_deferral_without_an_attempt_is_none(ground: Ground) -> None:
    """Attempts are counted from 1; a deferral of attempt 0 changes nothing."""
    row = await one(ground)
    assert not (await tell(ground, row, LATER, attempt=0)).changed


async def test_reports_of_one_delivery_in_one_batch_are_read_in_order(ground: Ground) -> None:
    """A deferral, a delivery and another deferral that are written together end as delivered, with one entry."""
    row = await one(ground)
    await publish(ground, row)
    settled = await asyncio.gather(
        *(ground.committer.submit(OUTCOMES, report(row, outcome)) for outcome in (LATER, TAKEN, LATER))
    )
    assert [each.state for each in settled if each] == [PENDING, DELIVERED, DELIVERED]
    assert [each.changed for each in settled if each] == [True, True, False]
    assert (await ground.kinds()).count("delivered") == 1
    assert (await state(ground, row))[0] == DELIVERED


async def test_a_report_of_an_unknown_delivery_is_nothing(ground: Ground) -> None:
    """A delivery that this exchange never made, or made to somebody else, is None and leaves no entry."""
    row = await one(ground)
    stranger = report(row, TAKEN, recipient=VSP)
    unknown = OutcomeReport(
        DeliveryId("01900000-0000-7000-8000-000000000000"), AlertId(row.alert_id), NYSP, 1, START, TAKEN
    )
    for each in (stranger, unknown):
        assert await ground.committer.submit(OUTCOMES, each) is None
    assert await state(ground, row) == (PENDING, 0)
    assert len(await ground.entries()) == 2


@pytest.mark.parametrize("published", [False, True])
async def test_an_overdue_delivery_expires_with_evidence(ground: Ground, *, published: bool) -> None:
    """At its deadline, and not a moment before, an open dispatch ends as expired; its entry names the deadline."""
    row = await one(ground)
    if published:
        await publish(ground, row)
    for seconds, expected in ((LASTS - 0.001, []), (0.001, [row.delivery_id])):
        ground.clock.advance(seconds)
        async with ground.store.reading() as connection:
            assert await overdue(connection, now_ms=ground.clock.ms, limit=10) == expected
    assert await due_now(ground) == []
    settled = await ground.committer.submit(EXPIRIES, DeliveryId(row.delivery_id))
    assert settled is not None
    assert (settled.state, settled.route) == (EXPIRED, Route(NYSP, Lane.ROUTINE))
    entry = (await ground.entries())[-1]
    assert (entry["kind"], entry["content"]["deadline"]) == ("expired", "2026-11-22T13:00:00.000Z")
    assert (await state(ground, row))[0] == EXPIRED


async def test_what_is_settled_or_not_overdue_does_not_expire(ground: Ground) -> None:
    """An expiry that comes too early, twice, or after the outcome changes nothing."""
    early, settled = await one(ground, "A-1"), await one(ground, "A-2")
    await tell(ground, settled, TAKEN)
    assert await ground.committer.submit(EXPIRIES, DeliveryId(early.delivery_id)) is None
    ground.clock.advance(LASTS)
    assert await ground.committer.submit(EXPIRIES, DeliveryId(settled.delivery_id)) is None
    twice = [ground.committer.submit(EXPIRIES, DeliveryId(early.delivery_id)) for _ in range(2)]
    results = await asyncio.gather(*twice)
    assert [result is None for result in results] == [False, True]
    assert (await ground.kinds()).count("expired") == 1


async def test_a_partner_that_took_an_expired_delivery_took_it(ground: Ground) -> None:
    """An expired delivery that the partner took after all is delivered, and the evidence says both."""
    row = await one(ground)
    await publish(ground, row)
    ground.clock.advance(LASTS)
    await ground.committer.submit(EXPIRIES, DeliveryId(row.delivery_id))
    assert (await tell(ground, row, TAKEN)).state == DELIVERED
    assert (await ground.kinds())[-2:] == ["expired", "delivered"]


@pytest.mark.parametrize("outcome", [NEVER, LATER])
async def test_an_expired_delivery_stays_expired(ground: Ground, outcome: Outcome) -> None:
    """No refusal and no deferral reopens what has expired."""
    row = await one(ground)
    await publish(ground, row)
    ground.clock.advance(LASTS)
    await ground.committer.submit(EXPIRIES, DeliveryId(row.delivery_id))
    settled = await tell(ground, row, outcome)
    assert (settled.state, settled.changed) == (EXPIRED, False)


@pytest.mark.parametrize("attempt", [3, 2**40])
async def test_a_report_on_an_attempt_that_was_never_made_changes_nothing(ground: Ground, attempt: int) -> None:
    """One attempt may be published and not marked yet; a report on any later one is nobody's, whatever its number."""
    row = await one(ground)
    await publish(ground, row)
    assert await ground.committer.submit(OUTCOMES, report(row, LATER, attempt=attempt)) is None
    assert await state(ground, row) == (PUBLISHED, 1)


async def test_a_restart_makes_due_what_was_on_its_way(ground: Ground) -> None:
    """What was published is due again, at once; what is settled is not, and an earlier retry keeps its time."""
    on_its_way, ended, deferred = [await one(ground, name) for name in ("A-1", "A-2", "A-3")]
    for row in (on_its_way, ended, deferred):
        await publish(ground, row)
    await tell(ground, ended, TAKEN)
    await tell(ground, deferred, Deferred("http 503", retry_after=600.0))
    ground.clock.advance(60)
    (reopened,) = await ground.committer.submit(ReopenWriter(), Reopening.ALL)
    assert reopened == Reopened(DeliveryId(on_its_way.delivery_id), Route(NYSP, Lane.ROUTINE))
    assert await due_now(ground) == [on_its_way.delivery_id]
    assert [await state(ground, row) for row in (on_its_way, ended, deferred)] == [
        (PENDING, 0),
        (DELIVERED, 1),
        (PENDING, 1),
    ]


async def test_what_nobody_reports_on_in_time_is_due_again(ground: Ground) -> None:
    """What is published is pending again once its time is over, for the same attempt, and a late report counts."""
    row = await one(ground)
    await publish(ground, row)
    assert await ground.committer.submit(ReopenWriter(), Reopening.DUE) == []
    ground.clock.advance(PATIENCE_MS / 1000)
    await ground.committer.submit(ReopenWriter(), Reopening.DUE)
    assert await state(ground, row) == (PENDING, 0)
    assert await due_now(ground) == [row.delivery_id]
    assert (await tell(ground, row, LATER)).due_ms is not None
    assert await state(ground, row) == (PENDING, 1)
    assert await ground.committer.submit(ReopenWriter(), Reopening.DUE) == []


async def test_due_dispatches_come_in_log_order_up_to_the_limit(ground: Ground) -> None:
    """Of those that have never been tried, the one that was accepted first is first."""
    rows = [await one(ground, f"A-{number}") for number in range(4)]
    assert await due_now(ground, limit=3) == [row.delivery_id for row in rows[:3]]


async def test_a_dispatch_that_is_deferred_again_and_again_blocks_no_other(ground: Ground) -> None:
    """What its partner defers comes after what was never tried, although it was accepted before."""
    first = await one(ground, "A-1")
    await publish(ground, first)
    await tell(ground, first, LATER)
    second = await one(ground, "A-2")
    ground.clock.advance(60)
    assert await due_now(ground, limit=1) == [second.delivery_id]


async def test_lanes_and_recipients_are_routes_of_their_own(ground: Ground) -> None:
    """What is due on one route is no other route's, and every route with something pending is known."""
    urgent, routine = await one(ground, "A-1", lane=Lane.URGENT), await one(ground, "A-2")
    assert await due_now(ground, lane=Lane.URGENT) == [urgent.delivery_id]
    assert await due_now(ground) == [routine.delivery_id]
    assert await due_now(ground, recipient=VSP) == []
    await publish(ground, routine)
    async with ground.store.reading() as connection:
        assert await pending_routes(connection) == [Route(NYSP, Lane.URGENT)]


async def test_the_next_retry_of_a_route_is_known(ground: Ground) -> None:
    """Of each route on which something waits for its time it is known when that is."""
    row = await one(ground)
    await publish(ground, row)
    settled = await tell(ground, row, LATER)
    async with ground.store.reading() as connection:
        assert await next_due(connection, after_ms=ground.clock.ms) == {Route(NYSP, Lane.ROUTINE): settled.due_ms}


@pytest.mark.parametrize("end", [TAKEN, NEVER, None])
async def test_one_thread_reaches_a_recipient_in_order(ground: Ground, end: Outcome | None) -> None:
    """An Update waits for the outcome of its Alert, in another lane too, however that ends; other recipients don't."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP, Lane.ROUTINE), lasts=60))
    await accepted(ground, acceptance("A-2", permit(NYSP, Lane.URGENT), permit(VSP, Lane.URGENT), thread=first))
    alert, update = [row for row in await ground.dispatches() if row.recipient == NYSP]
    assert await due_now(ground, lane=Lane.URGENT) == []
    assert len(await due_now(ground, recipient=VSP, lane=Lane.URGENT)) == 1
    await publish(ground, alert)
    await tell(ground, alert, LATER)
    ground.clock.advance(30)
    assert await due_now(ground, lane=Lane.URGENT) == []
    if end is None:
        ground.clock.advance(30)
        await ground.committer.submit(EXPIRIES, DeliveryId(alert.delivery_id))
    else:
        await tell(ground, alert, end)
    assert await due_now(ground, lane=Lane.URGENT) == [update.delivery_id]


EVENTS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 4)),
    st.tuples(st.sampled_from([TAKEN, NEVER, LATER]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["expire", "reopen", "wait"]), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(events=st.lists(EVENTS, max_size=15))
async def test_whatever_happens_in_whatever_order_the_evidence_is_one(
    events: list[tuple[Any, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any events there is at most one final outcome and one expiry in the log; the state is the last of them."""
    async with open_ground(tmp_path_factory.mktemp("events")) as ground:
        row = await one(ground)
        for event, attempt in events:
            match event:
                case "publish":
                    await publish(ground, row, attempt)
                case "expire":
                    await ground.committer.submit(EXPIRIES, DeliveryId(row.delivery_id))
                case "reopen":
                    await ground.committer.submit(ReopenWriter(), Reopening.ALL)
                case "wait":
                    ground.clock.advance(LASTS / 2)
                case _:
                    await ground.committer.submit(OUTCOMES, report(row, event, attempt=attempt))
        ends = (await ground.kinds())[2:]
        assert ends in ([], ["delivered"], ["undeliverable"], ["expired"], ["expired", "delivered"])
        now = await ground.dispatch(DeliveryId(row.delivery_id))
        states = {"delivered": DELIVERED, "undeliverable": REFUSED, "expired": EXPIRED}
        assert now.state == states[ends[-1]] if ends else now.state in OPEN
        assert (now.settled_ms is None) == (not ends)

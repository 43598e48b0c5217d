"""The relay, over the real in-process bus: what is due goes out once, in order, and no partner holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from bus.contract import BusUnavailableError, Received, Record, Subscription
from bus.embedded import EmbeddedBus
from bus.events import read_outcome, read_parcel
from bus.topics import OUTCOMES as OUTCOMES_TOPIC
from bus.topics import parcels_topics
from gateway.backoff import Backoff
from gateway.relaying.breaker import Breaker
from gateway.relaying.publishing import Claim
from gateway.relaying.relay import PATIENCE, Relay
from gateway.store.dispatches import (
    DELIVERED,
    EXPIRED,
    PENDING,
    PUBLISHED,
    REFUSED,
    OutcomeWriter,
    Reopening,
    ReopenWriter,
    Route,
    Settled,
)
from gateway.store.due import pending_routes, routes_since
from gateway.store.tables import dispatches
from gateway.trust.registry import CurrentRegistry
from schemas.decisions import Lane, Terms, Treatment, Withholding
from schemas.ids import AlertId, DeliveryId, ParticipantId
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Parcel, Refused
from schemas.signing.jws import ALERT, REDACTED_ALERT, read_compact, sign_compact
from schemas.tracing import fresh_traceparent
from tests.patience import GIVES_UP_AFTER
from tests.unit.gateway.ground import (
    COPIES,
    NYSP,
    ORIGIN,
    RECEIPT_KEY,
    START,
    VSP,
    Ground,
    acceptance,
    accepted,
    agreed,
    contents,
    permit,
    stolen_vehicle,
)

OUTCOMES = OutcomeWriter(Backoff(base=1.0, cap=60.0))
TAKEN = Delivered("http 204")
LATER = Deferred("http 503")


@dataclass(slots=True)
class Line:
    """A relay, its bus, and what each partner's adapter finds there."""

    ground: Ground
    bus: EmbeddedBus
    relay: Relay
    adapters: dict[ParticipantId, Subscription]

    @classmethod
    async def open(
        cls,
        ground: Ground,
        *,
        window: int = 128,
        sweep: float = 5.0,
        bus: EmbeddedBus | None = None,
        registry: CurrentRegistry | None = None,
    ) -> Line:
        """Set one up; nothing is published before ``look``."""
        bus = bus or EmbeddedBus()
        relay = Relay(
            store=ground.store,
            committer=ground.committer,
            bus=bus,
            contents=contents(),
            copies=COPIES,
            origin=ORIGIN,
            data_schema_base="https://gateway.example/v1/schemas",
            clock=ground.clock,
            registry=registry or agreed(),
            window=window,
            sweep=sweep,
        )
        adapters = {
            partner: await bus.subscribe(parcels_topics(partner), group=f"adapter.{partner}") for partner in (NYSP, VSP)
        }
        return cls(ground, bus, relay, dict(adapters))

    async def look(self) -> None:
        """Let the relay look at every route that has something pending, until nothing more goes out."""
        await self.relay._look_everywhere()
        while await self.publish():
            pass
        await self.relay._mark()

    async def publish(self) -> bool:
        """Let the relay look once at the routes it knows of, urgent ones first; say whether it published anything."""
        claims: list[Claim] = []
        for lane in Lane:
            await self.relay._look(lane, claims.append)
        await asyncio.gather(*(self.relay._publish(claim) for claim in claims))
        return bool(claims)

    async def parcels(self, partner: ParticipantId = NYSP) -> list[Parcel]:
        """Take all that a partner's adapter finds on the bus now."""
        taken: list[Parcel] = []
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0):
                    received: Received = await self.adapters[partner].receive()
                await self.adapters[partner].done(received)
                taken.append(read_parcel(received.record))
        return taken

    async def answer(self, parcel: Parcel, outcome: Outcome) -> Settled:
        """Record what a partner answered, and tell the relay."""
        report = OutcomeReport(
            parcel.delivery_id, parcel.alert_id, parcel.recipient, parcel.attempt, self.ground.clock(), outcome
        )
        settled = await self.ground.committer.submit(OUTCOMES, report)
        assert settled is not None
        self.relay.settled(settled)
        return settled


@pytest.fixture
async def line(ground: Ground) -> AsyncIterator[Line]:
    """Yield a relay on an empty store."""
    opened = await Line.open(ground)
    yield opened
    await opened.bus.close()


async def send(ground: Ground, count: int, *, partner: ParticipantId = NYSP, lane: Lane = Lane.ROUTINE) -> None:
    """Store alerts for one partner."""
    known = len(await ground.dispatches())
    await accepted(ground, *(acceptance(f"A-{known + number}", permit(partner, lane)) for number in range(count)))


async def states(ground: Ground) -> list[str]:
    """Return the states of every dispatch, in log order."""
    return [row.state for row in await ground.dispatches()]


async def test_a_parcel_says_all_that_its_adapter_may_know(line: Line) -> None:
    """The parcel is the submission byte for byte, with its delivery, thread, clause, lane, attempt and deadline."""
    item = acceptance("A-1", permit(NYSP, Lane.URGENT), lasts=60)
    (alert_id,) = await accepted(line.ground, item)
    await line.look()
    (parcel,) = await line.parcels()
    (row,) = await line.ground.dispatches()
    assert parcel.body == item.submission
    assert (parcel.delivery_id, parcel.alert_id, parcel.thread) == (row.delivery_id, alert_id, alert_id)
    assert (parcel.recipient, parcel.sender, parcel.lane, parcel.attempt) == (NYSP, "ca-qc.sq", Lane.URGENT, 1)
    assert str(parcel.under) == "ca-qc.us-ny.test/1#1.1"
    assert (parcel.deadline - parcel.sent_at).total_seconds() == 60
    assert not parcel.exercise
    assert row.state == PUBLISHED


WITHHELD = Terms((Withholding("/body/vehicle/plate/number", Treatment.REDACT, "", permit(NYSP).under),))


async def test_a_recipient_gets_the_copy_that_its_terms_leave(line: Line) -> None:
    """Beside one who gets the submission whole another gets what its own permit leaves, and no more."""
    document = orjson.dumps(stolen_vehicle("A-1"))
    signed = sign_compact(document, key=RECEIPT_KEY, profile=ALERT, iat=int(START.timestamp()))
    item = acceptance("A-1", replace(permit(NYSP), terms=WITHHELD), permit(VSP))
    await accepted(line.ground, replace(item, submission=signed))
    await line.look()
    ((less,), (all_of_it,)) = await line.parcels(NYSP), await line.parcels(VSP)
    assert (all_of_it.content_type, all_of_it.body) == ("application/jose", signed)
    assert less.content_type == "application/redacted-alert+jws"
    assert b"ABC 123" not in read_compact(less.body, REDACTED_ALERT).payload


async def test_where_no_copy_can_be_made_nothing_goes_out_and_the_dispatch_ends(line: Line) -> None:
    """The exchange reports so itself, in the place of an adapter: it is refused, and no one waits for it."""
    outcomes = await line.bus.subscribe([OUTCOMES_TOPIC], group="exchange")
    unreadable = acceptance("A-1", replace(permit(NYSP), terms=WITHHELD))
    await accepted(line.ground, unreadable)
    await line.look()
    assert await line.parcels() == []
    async with asyncio.timeout(GIVES_UP_AFTER):
        report = read_outcome((await outcomes.receive()).record)
    assert report.outcome == Refused("copy: cannot be made")
    settled = await line.ground.committer.submit(OUTCOMES, report)
    assert settled is not None
    assert settled.state == REFUSED
    assert await states(line.ground) == [REFUSED]


@pytest.mark.parametrize("terms", ["", "withheld", "[]", '{"withheld": 1}', '{"withheld": [{}]}', '{"onward": ""}'])
async def test_where_terms_can_not_be_read_nothing_goes_out_and_all_else_goes_on(line: Line, terms: str) -> None:
    """A dispatch whose terms somebody has altered ends as refused; the one beside it goes out."""
    outcomes = await line.bus.subscribe([OUTCOMES_TOPIC], group="exchange")
    await accepted(line.ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    async with line.ground.store.writer.begin() as connection:
        await connection.execute(update(dispatches).where(dispatches.c.recipient == NYSP).values(terms=terms))
    await line.look()
    refused, taken = await line.parcels(NYSP), await line.parcels(VSP)
    assert (len(refused), len(taken)) == (0, 1)
    async with asyncio.timeout(5):
        report = read_outcome((await outcomes.receive()).record)
    assert (report.recipient, report.outcome) == (NYSP, Refused("copy: terms cannot be read"))


async def test_what_is_published_is_not_published_again(line: Line) -> None:
    """However often the relay looks, a dispatch is on the bus once until it is answered for."""
    await send(line.ground, 3)
    for _ in range(3):
        await line.look()
    assert len(await line.parcels()) == 3


async def test_urgent_ones_go_first(line: Line) -> None:
    """An urgent dispatch that was accepted last is on the bus before the routine ones."""
    observer = await line.bus.subscribe([*parcels_topics(NYSP)[::-1], *parcels_topics(VSP)], group="observer")
    await send(line.ground, 2)
    await send(line.ground, 1, partner=VSP, lane=Lane.URGENT)
    await send(line.ground, 1, lane=Lane.URGENT)
    await line.look()
    sequence = [entry for queue in observer._queues for chain in queue._chains.values() for entry in chain.entries]
    lanes = [read_parcel(entry.record).lane for entry in sorted(sequence, key=lambda entry: entry.sequence)]
    assert lanes == [Lane.URGENT, Lane.URGENT, Lane.ROUTINE, Lane.ROUTINE]


async def test_no_route_has_more_than_its_window_on_the_way(ground: Ground) -> None:
    """Beyond the window dispatches wait in the database; each outcome lets the next one out; others are not held up."""
    line = await Line.open(ground, window=2)
    await send(ground, 5)
    await send(ground, 1, partner=VSP)
    await line.look()
    first = await line.parcels()
    assert (len(first), len(await line.parcels(VSP))) == (2, 1)
    await line.answer(first[0], TAKEN)
    await line.look()
    assert len(await line.parcels()) == 1
    assert await states(ground) == [DELIVERED, PUBLISHED, PUBLISHED, PENDING, PENDING, PUBLISHED]


async def test_an_outcome_may_come_before_the_mark(line: Line) -> None:
    """An adapter that is faster than the relay's own mark has its outcome stand, and nothing goes out twice."""
    await send(line.ground, 1)
    publishing = asyncio.create_task(line.look())
    received = await line.adapters[NYSP].receive()
    await line.answer(read_parcel(received.record), TAKEN)
    await publishing
    assert await states(line.ground) == [DELIVERED]
    await line.look()
    assert await line.parcels() == []


async def test_a_deferred_parcel_comes_again_when_it_is_due(line: Line) -> None:
    """Under the same delivery id, as the next attempt, and not before its backoff is over."""
    await send(line.ground, 1)
    await line.look()
    (first,) = await line.parcels()
    await line.answer(first, LATER)
    await line.look()
    assert await line.parcels() == []
    line.ground.clock.advance(1)
    await line.look()
    (second,) = await line.parcels()
    assert (second.delivery_id, second.attempt, second.body) == (first.delivery_id, 2, first.body)


async def test_a_partner_that_defers_everything_is_tried_with_one(ground: Ground) -> None:
    """After three deliveries were deferred none goes out until a retry is due, and then one alone tries the partner."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    for parcel in await line.parcels():
        await line.answer(parcel, LATER)
    await send(ground, 5)
    await line.look()
    assert await line.parcels() == []
    ground.clock.advance(1)
    await line.look()
    (probe,) = await line.parcels()
    await line.answer(probe, TAKEN)
    await line.look()
    assert len(await line.parcels()) == 7


async def test_one_parcel_tries_a_partner_whatever_its_lane(ground: Ground) -> None:
    """A partner that is tried gets one parcel, an urgent one where there is one, and none of its other lane beside."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    for parcel in await line.parcels():
        await line.answer(parcel, LATER)
    await send(ground, 2, lane=Lane.URGENT)
    ground.clock.advance(2)
    await line.look()
    (probe,) = await line.parcels()
    assert probe.lane is Lane.URGENT
    await line.answer(probe, TAKEN)
    await line.look()
    assert len(await line.parcels()) == 4


async def test_a_late_report_that_comes_twice_frees_no_other_attempt_s_place(ground: Ground) -> None:
    """While the second attempt is on its way, the first one's report again lets nothing more out."""
    line = await Line.open(ground, window=1)
    await send(ground, 2)
    await line.look()
    (first,) = await line.parcels()
    await line.answer(first, LATER)
    await line.look()
    (other,) = await line.parcels()
    await line.answer(other, TAKEN)
    ground.clock.advance(2)
    await line.look()
    (second,) = await line.parcels()
    assert (second.delivery_id, second.attempt) == (first.delivery_id, 2)
    await send(ground, 1)
    assert not (await line.answer(first, LATER)).changed
    await line.look()
    assert await line.parcels() == []
    await line.answer(second, TAKEN)
    await line.look()
    assert len(await line.parcels()) == 1


async def test_what_is_answered_for_during_a_look_is_not_published_again(ground: Ground) -> None:
    """An outcome recorded while other routes are read is not seen by that look, and its parcel goes out once."""
    line = await Line.open(ground)
    await send(ground, 1)
    await send(ground, 1, partner=VSP)
    routes = [Route(NYSP, Lane.ROUTINE), Route(VSP, Lane.ROUTINE)]
    line.relay.routed(routes)
    assert await line.publish()
    parcels = {partner: (await line.parcels(partner))[0] for partner in (NYSP, VSP)}
    await send(ground, 1)
    await send(ground, 1, partner=VSP)
    line.relay.routed(routes)
    claims: list[Claim] = []

    def begin(claim: Claim) -> None:
        """Take note of what goes out, and answer for the other partner's first parcel before its rows are read."""
        claims.append(claim)
        if len(claims) == 1:
            (other,) = {NYSP, VSP} - {claim.route.recipient}
            sent = parcels[other]
            line.relay.settled(
                Settled(sent.delivery_id, Route(other, Lane.ROUTINE), DELIVERED, changed=True, attempt=1)
            )

    await line.relay._look(Lane.ROUTINE, begin)
    assert [len(claim.parcels) for claim in claims] == [1, 1]
    assert not {sent.delivery_id for sent in parcels.values()} & {
        parcel.delivery_id for claim in claims for parcel in claim.parcels
    }


async def test_what_is_answered_for_at_once_needs_no_mark(line: Line) -> None:
    """A delivery that is over before its mark is written is not marked, and costs no transaction for it."""
    await send(line.ground, 2)
    line.relay.routed([Route(NYSP, Lane.ROUTINE)])
    assert await line.publish()
    for parcel in await line.parcels():
        await line.answer(parcel, TAKEN)
    line.ground.batches.clear()
    await line.relay._mark()
    assert line.ground.batches == []
    assert await states(line.ground) == [DELIVERED, DELIVERED]


async def test_what_nobody_reports_on_is_shown(line: Line) -> None:
    """Parcels on the bus for over a minute without a report are counted by recipient, until there is one."""
    await send(line.ground, 2)
    await send(line.ground, 1, partner=VSP)
    await line.look()
    parcels = await line.parcels()
    assert not line.relay.unanswered()
    line.ground.clock.advance(61)
    await line.answer(parcels[0], TAKEN)
    assert line.relay.unanswered() == {NYSP: 1, VSP: 1}


async def test_a_partner_that_is_down_holds_up_no_other(ground: Ground) -> None:
    """While one partner's breaker is open, the others' dispatches go out."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    for parcel in await line.parcels():
        await line.answer(parcel, LATER)
    await send(ground, 4)
    await send(ground, 2, partner=VSP)
    await line.look()
    assert (len(await line.parcels()), len(await line.parcels(VSP))) == (0, 2)


async def test_one_alert_that_a_partner_can_not_take_delays_none_of_its_others(ground: Ground) -> None:
    """However often one delivery is deferred, the breaker stays closed: what is accepted next goes out at once."""
    line = await Line.open(ground)
    await send(ground, 1)
    for _ in range(6):
        await line.look()
        (poison,) = await line.parcels()
        await line.answer(poison, LATER)
        ground.clock.advance(60)
    await send(ground, 1)
    await line.look()
    assert len(await line.parcels()) == 2


async def test_alerts_that_a_partner_can_not_take_do_not_starve_the_others(ground: Ground) -> None:
    """With the breaker open on three that are always deferred, a newer one is what tries the partner, and closes it."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    poison = await line.parcels()
    for parcel in poison:
        await line.answer(parcel, LATER)
    await send(ground, 2)
    ground.clock.advance(2)
    await line.look()
    (probe,) = await line.parcels()
    assert probe.delivery_id not in {parcel.delivery_id for parcel in poison}
    await line.answer(probe, TAKEN)
    await line.look()
    assert len(await line.parcels()) == 4


async def test_an_update_waits_for_its_alert(line: Line) -> None:
    """Within a thread the later parcel goes out when the earlier one's outcome is known, and not with it."""
    (first,) = await accepted(line.ground, acceptance("A-1", permit(NYSP)))
    await accepted(line.ground, acceptance("A-2", permit(NYSP, Lane.URGENT), thread=first))
    await line.look()
    (alert,) = await line.parcels()
    assert alert.alert_id == first
    await line.answer(alert, TAKEN)
    await line.look()
    (update,) = await line.parcels()
    assert (update.thread, update.lane) == (first, Lane.URGENT)


async def test_what_expires_frees_its_place_and_says_nothing_of_the_partner(ground: Ground) -> None:
    """An expiry lets the next one out, and neither trips nor closes a breaker."""
    line = await Line.open(ground, window=1)
    await send(ground, 2)
    await line.look()
    (parcel,) = await line.parcels()
    line.relay.settled(Settled(parcel.delivery_id, Route(NYSP, Lane.ROUTINE), EXPIRED, changed=True))
    await line.look()
    assert len(await line.parcels()) == 1


async def test_without_a_bus_dispatches_wait(line: Line) -> None:
    """A bus that is away loses nothing: the dispatch stays pending, and readiness says that the bus is away."""
    await send(line.ground, 2)
    await send(line.ground, 1, partner=VSP)
    await line.bus.close()
    await line.look()
    assert not line.relay.bus_available
    assert await states(line.ground) == [PENDING, PENDING, PENDING]


async def test_a_bus_that_is_back_gets_what_waited(ground: Ground) -> None:
    """What could not be published goes out under the same attempt once a bus is there again."""
    closed = await Line.open(ground)
    await closed.bus.close()
    await send(ground, 2)
    await closed.look()
    line = await Line.open(ground)
    await line.look()
    assert [parcel.attempt for parcel in await line.parcels()] == [1, 1]
    assert line.relay.bus_available


class Choosy(EmbeddedBus):
    """A bus that never takes one delivery, and none that comes with it."""

    never = ""

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Publish, unless that delivery is among them."""
        if self.never in [read_parcel(record).delivery_id for record in records]:
            raise BusUnavailableError
        await super().publish_all(records)


async def test_what_the_bus_never_takes_holds_back_nothing_else(ground: Ground) -> None:
    """A parcel that is refused by the bus waits by itself: those that were to go with it are on their way."""
    line = await Line.open(ground, bus=(bus := Choosy()))
    await send(ground, 3)
    bus.never = (await ground.dispatches())[1].delivery_id
    async with ground.store.reading() as connection:
        line.relay.routed(await pending_routes(connection))
    await line.publish()
    assert bus.never not in [parcel.delivery_id for parcel in await line.parcels()]
    await line.relay._mark()
    assert [row.state for row in await ground.dispatches()] == [PUBLISHED, PENDING, PUBLISHED]
    assert not line.relay.bus_available


class Stuck(EmbeddedBus):
    """A bus that is asked to take parcels of one partner, and neither takes nor refuses them before ``release``."""

    def __init__(self, partner: ParticipantId) -> None:
        super().__init__()
        self._topics = parcels_topics(partner)
        self.release = asyncio.Event()
        self.asked = 0
        self.began = asyncio.Semaphore(0)

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Publish, or wait and refuse."""
        if any(record.topic in self._topics for record in records):
            self.asked += 1
            self.began.release()
            await self.release.wait()
            raise BusUnavailableError
        await super().publish_all(records)


async def test_a_topic_that_the_bus_is_slow_with_delays_no_other_route(ground: Ground) -> None:
    """While the bus holds on to one partner's parcels, the others' go out, urgent and routine, and nothing is lost."""
    line = await Line.open(ground, bus=(bus := Stuck(VSP)))
    running = asyncio.create_task(line.relay.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        for lane in Lane:
            await send(ground, 2, partner=VSP, lane=lane)
            line.relay.routed([Route(VSP, lane)])
            await bus.began.acquire()
        for lane in Lane:
            await send(ground, 1, lane=lane)
            line.relay.routed([Route(NYSP, lane)])
            received = await line.adapters[NYSP].receive()
            assert read_parcel(received.record).lane is lane
        line.relay.stop()
        bus.release.set()
        await running
    assert await states(ground) == [PENDING] * 4 + [PUBLISHED] * 2
    assert not line.relay.bus_available


async def test_a_topic_that_the_bus_does_not_take_is_tried_less_and_less_often(ground: Ground) -> None:
    """Each refusal of a route doubles its rest, up to seconds; then everything that waited goes out, in order."""
    line = await Line.open(ground, bus=(bus := Stuck(VSP)))
    bus.release.set()
    await send(ground, 1, partner=VSP)
    asked: list[int] = []
    for _ in range(40):
        await line.look()
        asked.append(bus.asked)
        ground.clock.advance(0.5)
    assert asked[:8] == [1, 2, 3, 3, 4, 4, 4, 4]
    assert asked[-1] <= 8
    bus._topics = ()
    ground.clock.advance(5)
    await line.look()
    assert len(await line.parcels(VSP)) == 1
    assert line.relay.bus_available


async def test_a_new_alert_goes_out_although_one_of_its_route_is_never_taken(ground: Ground) -> None:
    """One parcel that the bus refuses again and again rests by itself: what is accepted later does not wait for it."""
    line = await Line.open(ground, bus=(bus := Choosy()))
    await send(ground, 2)
    bus.never = (await ground.dispatches())[0].delivery_id
    for _ in range(5):
        await line.look()
        ground.clock.advance(10)
    await send(ground, 1)
    await line.look()
    assert len(await line.parcels()) == 2


async def test_a_cancelled_relay_publishes_nothing_more(ground: Ground) -> None:
    """Once a term is over, what was about to be published is not."""
    line = await Line.open(ground, bus=(bus := Stuck(VSP)))
    await send(ground, 2, partner=VSP)
    running = asyncio.create_task(line.relay.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        await bus.began.acquire()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    bus.release.set()
    bus._topics = ()
    await asyncio.sleep(0.01)
    assert await line.parcels(VSP) == []
    assert bus.asked == 1


async def test_routes_of_what_was_accepted_lately(ground: Ground) -> None:
    """Of alerts accepted since the log had a size the routes are named, and of none before."""
    await send(ground, 1)
    size = len(await ground.entries())
    await send(ground, 2, partner=VSP)
    async with ground.store.reading() as connection:
        assert await routes_since(connection, size) == [Route(VSP, Lane.ROUTINE)]
        assert len(await routes_since(connection, 0)) == 2
        assert await routes_since(connection, len(await ground.entries())) == []


async def test_a_stopped_relay_marks_what_it_published(ground: Ground) -> None:
    """``stop`` lets ``run`` return, and what is on the bus by then is marked as published."""
    line = await Line.open(ground)
    await send(ground, 1)
    running = asyncio.create_task(line.relay.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        await line.adapters[NYSP].receive()
        line.relay.stop()
        await running
    assert [row.state for row in await ground.dispatches()] == [PUBLISHED]


async def test_a_restart_publishes_what_was_on_its_way(ground: Ground) -> None:
    """A new relay on a new bus sends again what was not answered for, under the same delivery id, and no more."""
    before = await Line.open(ground)
    await send(ground, 3)
    await before.look()
    parcels = await before.parcels()
    await before.answer(parcels[0], TAKEN)
    await ground.committer.submit(ReopenWriter(), Reopening.ALL)
    after = await Line.open(ground)
    await after.look()
    again = {parcel.delivery_id: parcel.attempt for parcel in await after.parcels()}
    assert again == {parcel.delivery_id: 1 for parcel in parcels[1:]}


async def test_a_parcel_that_is_lost_goes_out_again(line: Line) -> None:
    """What nobody reports on within its time is published again as the same attempt, then after twice that time."""
    await send(line.ground, 1)
    await line.look()
    (first,) = await line.parcels()
    for seconds in (PATIENCE, 2 * PATIENCE):
        line.ground.clock.advance(seconds - 1)
        await line.look()
        assert await line.parcels() == []
        line.ground.clock.advance(1)
        await line.look()
        assert await line.parcels() == [first]
    await line.answer(first, TAKEN)
    line.ground.clock.advance(8 * PATIENCE)
    await line.look()
    assert await line.parcels() == []


async def test_lost_parcels_free_their_window(ground: Ground) -> None:
    """A window full of lost records holds its route up for as long as they may take, and no longer."""
    line = await Line.open(ground, window=2)
    await send(ground, 3)
    await line.look()
    lost = await line.parcels()
    ground.clock.advance(PATIENCE)
    await line.look()
    again = await line.parcels()
    assert again[0].delivery_id not in {parcel.delivery_id for parcel in lost}  # what was never tried comes first
    assert again[1] == lost[0]
    await line.answer(again[0], TAKEN)
    await line.look()
    assert await line.parcels() == [lost[1]]


async def test_a_lost_probe_is_followed_by_another(ground: Ground) -> None:
    """Where the one parcel that tries a partner is lost, the partner is tried again, and so are both of its lanes."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    for parcel in await line.parcels():
        await line.answer(parcel, LATER)
    await send(ground, 1, lane=Lane.URGENT)
    ground.clock.advance(2)
    await line.look()
    (lost,) = await line.parcels()
    ground.clock.advance(PATIENCE)
    await line.look()
    (probe,) = await line.parcels()
    assert probe == lost
    await line.answer(probe, TAKEN)
    await line.look()
    assert len(await line.parcels()) == 3


async def test_a_thread_keeps_its_order_across_a_loss(line: Line) -> None:
    """While the first alert of a thread is lost and goes out again, its update waits, in another lane too."""
    (first,) = await accepted(line.ground, acceptance("A-1", permit(NYSP)))
    await accepted(line.ground, acceptance("A-2", permit(NYSP, Lane.URGENT), thread=first))
    await line.look()
    (lost,) = await line.parcels()
    line.ground.clock.advance(PATIENCE)
    await line.look()
    (again,) = await line.parcels()
    assert again == lost
    await line.answer(lost, LATER)  # the first record was only late
    line.ground.clock.advance(2)
    await line.look()
    (second,) = await line.parcels()
    assert (second.delivery_id, second.attempt) == (lost.delivery_id, 2)
    await line.answer(second, TAKEN)
    await line.look()
    (update,) = await line.parcels()
    assert (update.thread, update.lane) == (first, Lane.URGENT)


async def test_a_new_term_knows_what_is_on_its_way(ground: Ground) -> None:
    """What an earlier term published counts for the window of the next, and goes out again only when it is lost."""
    before = await Line.open(ground, window=2)
    await send(ground, 3)
    await before.look()
    after = await Line.open(ground, window=2)
    await after.relay.start()
    ground.clock.advance(61)
    await after.look()
    assert await after.parcels() == []
    assert after.relay.unanswered() == {NYSP: 2}
    ground.clock.advance(PATIENCE)
    await after.look()
    assert [parcel.attempt for parcel in await after.parcels()] == [1, 1]


async def test_a_new_term_knows_when_more_is_due(ground: Ground) -> None:
    """Where a route has something due and something to retry later, a new term publishes the latter at its time."""
    before = await Line.open(ground)
    await send(ground, 1)
    await before.look()
    (deferred,) = await before.parcels()
    await before.answer(deferred, LATER)
    await send(ground, 1)
    after = await Line.open(ground)
    await after.look()
    assert len(await after.parcels()) == 1
    ground.clock.advance(1)
    assert await after.publish()
    assert [parcel.delivery_id for parcel in await after.parcels()] == [deferred.delivery_id]


async def test_an_outcome_that_another_process_records_frees_its_place(ground: Ground) -> None:
    """What the database no longer shows as published is not held to be on its way, beyond the next sweep."""
    line = await Line.open(ground, window=1)
    await send(ground, 2)
    await line.look()
    (parcel,) = await line.parcels()
    taken = OutcomeReport(parcel.delivery_id, parcel.alert_id, NYSP, 1, ground.clock(), TAKEN)
    await ground.committer.submit(OUTCOMES, taken)
    await line.look()
    assert await line.parcels() == []
    ground.clock.advance(6)
    await line.look()
    assert len(await line.parcels()) == 1


async def test_a_running_relay_needs_no_telling(ground: Ground) -> None:
    """``run`` finds by itself what is pending when it starts, and publishes what it is told of at once."""
    line = await Line.open(ground)
    await send(ground, 1)
    running = asyncio.create_task(line.relay.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        first = await line.adapters[NYSP].receive()
        await send(ground, 1, partner=VSP)
        line.relay.routed([Route(VSP, Lane.ROUTINE)])
        second = await line.adapters[VSP].receive()
    running.cancel()
    assert read_parcel(first.record).recipient == NYSP
    assert read_parcel(second.record).recipient == VSP


async def test_what_nobody_told_of_is_found_all_the_same(ground: Ground) -> None:
    """A dispatch whose commit seemed to fail, or that another process stored, goes out at the next sweep."""
    line = await Line.open(ground, sweep=0.05)
    running = asyncio.create_task(line.relay.run())
    await asyncio.sleep(0)
    await send(ground, 1)
    async with asyncio.timeout(GIVES_UP_AFTER):
        received = await line.adapters[NYSP].receive()
    running.cancel()
    assert read_parcel(received.record).recipient == NYSP


def settled(state: str, delivery: int, *, due_ms: int | None = None) -> Settled:
    """Return what became of a delivery to New York."""
    return Settled(DeliveryId(str(delivery)), Route(NYSP, Lane.ROUTINE), state, changed=True, due_ms=due_ms)


@given(deferred=st.lists(st.integers(0, 5)), end=st.sampled_from([DELIVERED, REFUSED]))
def test_a_breaker_counts_deliveries_and_forgets_at_the_first_success(deferred: list[int], end: str) -> None:
    """It is tripped where three different deliveries were deferred, and by nothing less; any final answer closes it."""
    breaker = Breaker()
    for at, delivery in enumerate(deferred, 1):
        breaker.record(settled(PENDING, delivery, due_ms=at))
    assert breaker.tripped == (len(set(deferred)) >= 3)
    assert breaker.open_until_ms == (len(deferred) if breaker.tripped else 0)
    breaker.record(settled(end, 9))
    assert (breaker.tripped, breaker.open_until_ms) == (False, 0)


def test_a_delivery_s_trace_is_its_alert() -> None:
    """The trace context names the alert as the trace and the delivery as the parent (W3C Trace Context 3.2)."""
    alert, delivery = "01a201de-f0b4-7c8b-8a84-9f9261d631cf", "01a201de-f0b4-7c61-9685-af5a9a282606"
    assert (
        fresh_traceparent(AlertId(alert), DeliveryId(delivery))
        == "00-01a201def0b47c8b8a849f9261d631cf-9685af5a9a282606-01"
    )

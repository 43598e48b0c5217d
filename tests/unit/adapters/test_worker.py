"""The worker on the real in-process bus: what it reports, in which order, how many at once, and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from adapters.contract import Message
from adapters.formats import UntranslatableError, native
from adapters.worker import Partner, Worker, WorkerSettings
from bus.contract import Bus, BusUnavailableError, Received, Record, Subscription
from bus.embedded import EmbeddedBus
from bus.events import DEAD_REASON, read_outcome, write_parcel
from bus.topics import OUTCOMES, adapter_group, dead_topic, parcels_topics
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId, uuid7
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Parcel, Refused

ORIGIN = "exchange.example"
NYSP = ParticipantId("us-ny.state-police")
NOON = datetime(2026, 1, 17, 12, 0, 0, tzinfo=UTC)
SECRET = b"the body of a parcel, which no log line may repeat"
PATIENCE = 10.0
SETTINGS = WorkerSettings(origin=ORIGIN, first_pause=0.001, longest_pause=0.01)


def parcel(number: int, *, thread: int = 0, lane: Lane = Lane.ROUTINE) -> Parcel:
    """Return a small parcel; those with no thread given have one of their own."""

    def identifier(kind: int, value: int) -> str:
        return uuid7(at=NOON, randomness=(kind << 32 | value).to_bytes(10, "big"))

    return Parcel(
        delivery_id=DeliveryId(identifier(1, number)),
        alert_id=AlertId(identifier(2, number)),
        thread=AlertId(identifier(3, thread or 1000 + number)),
        recipient=NYSP,
        sender=ParticipantId("ca-qc.sq"),
        alert_type=AlertType("law-enforcement/stolen-vehicle/v1"),
        lane=lane,
        under=ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 2, "4.1"),
        attempt=1,
        sent_at=NOON,
        deadline=NOON + timedelta(hours=1),
        exercise=False,
        content_type="application/jose",
        data_schema="https://exchange.example/v1/schemas",
        traceparent="",
        body=SECRET,
    )


@dataclass
class Hands:
    """A transport that does as it is told and remembers what it was handed."""

    act: Callable[[Message], Awaitable[Outcome]]
    handed: list[DeliveryId] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    closed: int = 0

    async def deliver(self, message: Message) -> Outcome:
        """Act."""
        self.handed.append(message.parcel.delivery_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.act(message)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        """Count."""
        self.closed += 1


def answering(outcome: Outcome) -> Hands:
    """Return a transport that always has the same outcome."""

    async def act(_message: Message) -> Outcome:
        await asyncio.sleep(0)
        return outcome

    return Hands(act)


def stuck_on(*numbers: int) -> tuple[Hands, asyncio.Event]:
    """Return a transport that holds some parcels until the event is set, and delivers all others at once."""
    release, held = asyncio.Event(), {parcel(number).delivery_id for number in numbers}

    async def act(message: Message) -> Outcome:
        if message.parcel.delivery_id in held:
            await release.wait()
        return Delivered("http 200")

    return Hands(act), release


def raising(error: Exception) -> Hands:
    """Return a transport that is broken."""

    async def act(_message: Message) -> Outcome:
        await asyncio.sleep(0)
        raise error

    return Hands(act)


class Exchange:
    """The other side: publishes parcels, and reads what comes back."""

    def __init__(self, bus: Bus, outcomes: Subscription) -> None:
        self.bus = bus
        self._outcomes = outcomes

    async def send(self, *parcels: Parcel) -> None:
        """Put parcels on their topics."""
        for each in parcels:
            await self.bus.publish(write_parcel(each, origin=ORIGIN))

    async def reports(self, count: int) -> list[OutcomeReport]:
        """Return the next outcome reports."""
        async with asyncio.timeout(PATIENCE):
            received = [await self._outcomes.receive() for _ in range(count)]
        return [read_outcome(each.record) for each in received]

    async def nothing_left(self) -> bool:
        """Whether everything on the partner's topics is done: only a marker is due to the next worker."""
        marker = Record(parcels_topics(NYSP)[-1], b"marker", b"", ())
        return await self.left(marker) == [marker]

    async def left(self, marker: Record) -> list[Record]:
        """Return what is due to the partner's next worker, up to a marker."""
        subscription = await self.bus.subscribe(parcels_topics(NYSP), group=adapter_group(NYSP))
        await self.bus.publish(marker)
        found: list[Record] = []
        async with asyncio.timeout(PATIENCE):
            while marker not in found:
                found.append((await subscription.receive()).record)
        await subscription.close()
        return found


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Yield an exchange that has asked for outcomes, on a bus on which the partner's group is known."""
    bus = EmbeddedBus()
    await (await bus.subscribe(parcels_topics(NYSP), group=adapter_group(NYSP))).close()
    yield Exchange(bus, await bus.subscribe([OUTCOMES], group="exchange"))
    await bus.close()


@asynccontextmanager
async def working(
    bus: Bus, hands: Hands, *, settings: WorkerSettings = SETTINGS, now: datetime = NOON
) -> AsyncIterator[Worker]:
    """Run a worker, and see it stop in good order."""
    worker = Worker(Partner(NYSP, native, hands), bus=bus, settings=settings, now=lambda: now)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, and fail rather than wait for ever."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the condition is seen from outside, where no event is
            await asyncio.sleep(0.001)


# What it reports


@pytest.mark.parametrize("outcome", [Delivered("http 200"), Deferred("http 503", 30.0), Refused("http 404")])
async def test_what_the_transport_said_is_reported(exchange: Exchange, outcome: Outcome) -> None:
    """The report carries the transport's outcome, with the parcel's names and the worker's time; then all is done."""
    sent = replace(parcel(1), attempt=3)
    hands = answering(outcome)
    async with working(exchange.bus, hands):
        await exchange.send(sent)
        reports = await exchange.reports(1)
    assert reports == [OutcomeReport(sent.delivery_id, sent.alert_id, NYSP, 3, NOON, outcome)]
    assert await exchange.nothing_left()
    assert hands.closed == 1


async def test_the_report_says_where_it_comes_from(exchange: Exchange) -> None:
    """The outcome's event names the exchange and the partner's adapter as its source."""
    outcomes = await exchange.bus.subscribe([OUTCOMES], group="operator")
    async with working(exchange.bus, answering(Delivered("http 200"))):
        await exchange.send(parcel(1))
        await exchange.reports(1)
    received = await outcomes.receive()
    assert dict(received.record.headers)["ce_source"] == b"/exchange.example/adapters/us-ny.state-police"


async def test_the_message_is_in_the_partners_format(exchange: Exchange) -> None:
    """The transport gets what the partner's writer made of the parcel."""
    messages: list[Message] = []

    async def act(message: Message) -> Outcome:
        messages.append(message)
        return Delivered("http 200")

    async with working(exchange.bus, Hands(act)):
        await exchange.send(parcel(1))
        await exchange.reports(1)
    assert messages == [native(parcel(1))]


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1)])
async def test_after_its_deadline_nothing_is_handed_over(exchange: Exchange, late: timedelta) -> None:
    """A parcel whose deadline has come is reported, and its partner sees nothing of it."""
    hands = answering(Delivered("http 200"))
    async with working(exchange.bus, hands, now=parcel(1).deadline + late):
        await exchange.send(parcel(1))
        (report,) = await exchange.reports(1)
    assert report.outcome == Deferred("deadline passed")
    assert hands.handed == []


async def test_what_the_format_cannot_hold_is_refused(exchange: Exchange) -> None:
    """A parcel that can't be translated is Refused by the adapter, on its partner's behalf."""

    def write(_parcel: Parcel) -> Message:
        raise UntranslatableError("format: cannot be written as cap")

    hands = answering(Delivered("http 200"))
    worker = Worker(Partner(NYSP, write, hands), bus=exchange.bus, settings=SETTINGS, now=lambda: NOON)
    running = asyncio.create_task(worker.run())
    await exchange.send(parcel(1))
    (report,) = await exchange.reports(1)
    worker.stop()
    await running
    assert report.outcome == Refused("format: cannot be written as cap")
    assert hands.handed == []


@pytest.mark.parametrize(
    ("seconds_left", "settings"), [(3600.0, replace(SETTINGS, timeout=0.02)), (0.02, replace(SETTINGS, timeout=60.0))]
)
async def test_a_hand_over_has_its_time(exchange: Exchange, seconds_left: float, settings: WorkerSettings) -> None:
    """A transport that hangs is cut off after the worker's limit, or at the deadline if that comes first."""
    hands, _ = stuck_on(1)
    now = parcel(1).deadline - timedelta(seconds=seconds_left)
    async with working(exchange.bus, hands, settings=settings, now=now):
        await exchange.send(parcel(1))
        (report,) = await exchange.reports(1)
    assert report.outcome == Deferred("timed out")


async def test_a_broken_adapter_holds_nothing_back(exchange: Exchange) -> None:
    """A parcel on which the code itself breaks is Deferred, and the partner's others go on."""
    hands = raising(ValueError(SECRET.decode()))
    async with working(exchange.bus, hands):
        await exchange.send(parcel(1), parcel(2))
        reports = await exchange.reports(2)
    assert {report.outcome for report in reports} == {Deferred("adapter fault")}
    assert await exchange.nothing_left()


async def test_a_record_that_cannot_be_read_is_buried(exchange: Exchange) -> None:
    """A malformed record goes to the dead topic with its reason, is done, and holds back no parcel of its thread."""
    dead = await exchange.bus.subscribe([dead_topic(NYSP)], group="operator")
    broken = write_parcel(parcel(1, thread=1), origin=ORIGIN)
    broken = replace(broken, headers=tuple(header for header in broken.headers if header[0] != "ce_sender"))
    async with working(exchange.bus, answering(Delivered("http 200"))):
        await exchange.bus.publish(broken)
        await exchange.send(parcel(2, thread=1))
        (report,) = await exchange.reports(1)
        async with asyncio.timeout(PATIENCE):
            buried = (await dead.receive()).record
    assert report.delivery_id == parcel(2).delivery_id
    assert (buried.key, buried.value) == (broken.key, broken.value)
    assert dict(buried.headers)[DEAD_REASON] == b"ce_sender is missing"
    assert await exchange.nothing_left()


async def test_a_redelivery_is_handed_over_again(exchange: Exchange) -> None:
    """The same delivery id again is handed over again: it is the partner who deduplicates."""
    hands = answering(Delivered("http 200"))
    async with working(exchange.bus, hands):
        await exchange.send(parcel(1), parcel(1))
        await exchange.reports(2)
    assert hands.handed == [parcel(1).delivery_id] * 2


async def test_no_log_line_holds_a_payload(exchange: Exchange) -> None:
    """Each parcel leaves one line with its names and outcome, and neither body nor error message is in any."""
    with capture_logs() as lines:
        async with working(exchange.bus, raising(ValueError(SECRET.decode()))):
            await exchange.send(parcel(1))
            await exchange.reports(1)
    assert SECRET.decode() not in repr(lines)
    (line,) = [line for line in lines if line["event"] == "parcel_handled"]
    assert line == {
        "event": "parcel_handled",
        "log_level": "info",
        "participant": NYSP,
        "lane": "routine",
        "delivery_id": parcel(1).delivery_id,
        "alert_id": parcel(1).alert_id,
        "attempt": 1,
        "outcome": "deferred",
        "detail": "adapter fault",
    }


# In which order, and how many at once


async def test_a_thread_is_handed_over_in_order(exchange: Exchange) -> None:
    """A later parcel of a thread is not handed over before the earlier one's outcome is on the bus."""
    hands, release = stuck_on(1)
    async with working(exchange.bus, hands):
        await exchange.send(*(parcel(number, thread=7) for number in (1, 2, 3)))
        await exchange.send(parcel(4, thread=8))
        (first,) = await exchange.reports(1)
        assert first.delivery_id == parcel(4).delivery_id
        assert sorted(hands.handed) == sorted(parcel(number).delivery_id for number in (1, 4))
        release.set()
        rest = await exchange.reports(3)
    assert [report.delivery_id for report in rest] == [parcel(number).delivery_id for number in (1, 2, 3)]


async def test_threads_are_handed_over_side_by_side_within_bounds(exchange: Exchange) -> None:
    """As many parcels of a lane are in hand at once as there are places, and never more."""
    hands, release = stuck_on(*range(1, 13))
    async with working(exchange.bus, hands, settings=replace(SETTINGS, places=4)):
        await exchange.send(*(parcel(number) for number in range(1, 13)))
        await until(lambda: hands.at_once == 4)
        await asyncio.sleep(0.01)
        release.set()
        reports = await exchange.reports(12)
    assert hands.most_at_once == 4
    assert len({report.delivery_id for report in reports}) == 12


async def test_threads_that_are_finished_are_forgotten(exchange: Exchange) -> None:
    """However many threads pass, the worker remembers only those in hand."""
    async with working(exchange.bus, answering(Delivered("http 200"))) as worker:
        await exchange.send(*(parcel(number) for number in range(1, 51)))
        await exchange.reports(50)
    assert [lane._last_of for lane in worker._lanes] == [{}, {}]


async def test_an_urgent_parcel_never_waits_behind_routine_ones(exchange: Exchange) -> None:
    """With every routine place taken and more waiting, an urgent parcel is handed over at once."""
    hands, release = stuck_on(*range(1, 9))
    async with working(exchange.bus, hands, settings=replace(SETTINGS, places=2)):
        await exchange.send(*(parcel(number) for number in range(1, 9)))
        await until(lambda: hands.at_once == 2)
        await exchange.send(parcel(9, lane=Lane.URGENT))
        (report,) = await exchange.reports(1)
        assert report.delivery_id == parcel(9).delivery_id
        release.set()
        await exchange.reports(8)


# When the bus is away, and when it stops


@dataclass
class Outages:
    """A bus that is away for a number of calls of each kind, in front of one that is not."""

    inner: Bus
    publish_fails: int = 0
    subscribe_fails: int = 0
    receive_fails: int = 0
    done_fails: int = 0

    def _count(self, call: str) -> None:
        left = getattr(self, f"{call}_fails")
        if left:
            setattr(self, f"{call}_fails", left - 1)
            raise BusUnavailableError

    async def publish(self, record: Record) -> None:
        """Publish, or be away."""
        self._count("publish")
        await self.inner.publish(record)

    async def subscribe(self, topics: Sequence[str], *, group: str) -> Subscription:
        """Subscribe, or be away."""
        self._count("subscribe")
        return OutageSubscription(self, await self.inner.subscribe(topics, group=group))

    async def close(self) -> None:
        """Close nothing: the bus behind is closed by whoever opened it."""


@dataclass
class OutageSubscription:
    """A subscription of a bus with outages."""

    bus: Outages
    inner: Subscription

    async def receive(self) -> Received:
        """Receive, or be away."""
        self.bus._count("receive")
        return await self.inner.receive()

    async def done(self, received: Received) -> None:
        """Say done, or be away."""
        self.bus._count("done")
        await self.inner.done(received)

    async def close(self) -> None:
        """Close."""
        await self.inner.close()


@pytest.mark.parametrize("call", ["publish", "subscribe", "receive"])
async def test_an_outage_is_waited_out(exchange: Exchange, call: str) -> None:
    """While the bus is away the worker tries again, keeps the outcome in hand, and hands nothing over twice."""
    outages = Outages(exchange.bus)
    setattr(outages, f"{call}_fails", 5)
    hands = answering(Delivered("http 200"))
    async with working(outages, hands):
        await exchange.send(parcel(1))
        (report,) = await exchange.reports(1)
    assert report.outcome == Delivered("http 200")
    assert hands.handed == [parcel(1).delivery_id]
    assert await exchange.nothing_left()


async def test_a_done_that_is_not_taken_comes_again(exchange: Exchange) -> None:
    """Where the bus does not take done, the outcome is out already and the parcel comes again to the next worker."""
    async with working(Outages(exchange.bus, done_fails=1), answering(Delivered("http 200"))):
        await exchange.send(parcel(1))
        await exchange.reports(1)
    hands = answering(Delivered("http 200"))
    async with working(exchange.bus, hands):
        await exchange.reports(1)
    assert hands.handed == [parcel(1).delivery_id]


async def test_a_record_is_not_done_before_its_outcome_is_out(exchange: Exchange) -> None:
    """A worker that stops while the outcome can't be published leaves the parcel to the next one."""
    outages = Outages(exchange.bus, publish_fails=1_000_000)
    hands = answering(Delivered("http 200"))
    async with working(outages, hands, settings=replace(SETTINGS, grace=0.05)):
        await exchange.send(parcel(1))
        await until(lambda: outages.publish_fails < 1_000_000)
    again = answering(Delivered("http 200"))
    async with working(exchange.bus, again):
        (report,) = await exchange.reports(1)
    assert (hands.handed, again.handed) == ([parcel(1).delivery_id], [parcel(1).delivery_id])
    assert report.outcome == Delivered("http 200")


async def test_stopping_finishes_what_is_in_hand(exchange: Exchange) -> None:
    """A stopped worker takes nothing more, and reports what it had begun before it ends."""
    hands, release = stuck_on(1)
    async with working(exchange.bus, hands) as worker:
        await exchange.send(parcel(1))
        await until(lambda: hands.at_once == 1)
        worker.stop()
        await asyncio.sleep(0.01)
        await exchange.send(parcel(2))
        release.set()
    (report,) = await exchange.reports(1)
    assert report.delivery_id == parcel(1).delivery_id
    assert hands.handed == [parcel(1).delivery_id]
    assert hands.closed == 1


async def test_what_outlasts_the_grace_period_comes_again(exchange: Exchange) -> None:
    """A hand-over that does not end in time is left as it is, and its parcel goes to the next worker."""
    hands, _ = stuck_on(1)
    async with working(exchange.bus, hands, settings=replace(SETTINGS, grace=0.02)):
        await exchange.send(parcel(1), parcel(2))
        await exchange.reports(1)
    again = answering(Delivered("http 200"))
    async with working(exchange.bus, again):
        (report,) = await exchange.reports(1)
    assert again.handed == [parcel(1).delivery_id]
    assert report.delivery_id == parcel(1).delivery_id


async def test_a_worker_stops_while_the_bus_is_away(exchange: Exchange) -> None:
    """A worker that never got onto the bus stops at once when it is told to."""
    hands = answering(Delivered("http 200"))
    outages = Outages(exchange.bus, subscribe_fails=1_000_000)
    async with working(outages, hands, settings=replace(SETTINGS, longest_pause=60.0)):
        await until(lambda: outages.subscribe_fails < 1_000_000)
    assert hands.closed == 1


async def test_a_cancelled_worker_leaves_everything_to_the_next(exchange: Exchange) -> None:
    """Cancelling run ends it at once, leaves the group and closes the transport; nothing is lost."""
    hands, _ = stuck_on(1)
    worker = Worker(Partner(NYSP, native, hands), bus=exchange.bus, settings=SETTINGS, now=lambda: NOON)
    running = asyncio.create_task(worker.run())
    await exchange.send(parcel(1))
    await until(lambda: hands.at_once == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert hands.closed == 1
    again = answering(Delivered("http 200"))
    async with working(exchange.bus, again):
        await exchange.reports(1)
    assert again.handed == [parcel(1).delivery_id]


async def test_two_workers_share_a_partner(exchange: Exchange) -> None:
    """Several workers of one partner are one group: each parcel is handed over by one of them, each thread in order."""
    one, other = answering(Delivered("http 200")), answering(Delivered("http 200"))
    async with working(exchange.bus, one), working(exchange.bus, other):
        await exchange.send(*(parcel(number, thread=1 + number % 5) for number in range(1, 41)))
        reports = await exchange.reports(40)
    assert sorted([*one.handed, *other.handed]) == sorted(parcel(number).delivery_id for number in range(1, 41))
    for thread in range(5):
        expected = [parcel(number).delivery_id for number in range(1, 41) if number % 5 == thread]
        assert [report.delivery_id for report in reports if report.delivery_id in expected] == expected
    assert await exchange.nothing_left()

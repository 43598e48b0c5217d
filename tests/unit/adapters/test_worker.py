"""The worker on the real in-process bus: what it reports, in which order, and how many at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from adapters.contract import Message
from adapters.formats import UntranslatableError, native
from adapters.metrics import AdapterMetrics
from adapters.recalls import UNRECALLABLE
from adapters.worker import Partner, Worker, WorkerSettings
from bus.dead import DEAD_REASON
from bus.events import write_parcel
from bus.topics import OUTCOMES, dead_topic
from schemas.decisions import Lane
from schemas.ids import ParticipantId
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Parcel, Refused
from tests.unit.adapters.hands import (
    PATIENCE,
    SETTINGS,
    TAKEN,
    Exchange,
    Hands,
    answering,
    parcel,
    raising,
    stuck_on,
    until,
    working,
)
from tests.unit.bus.parcels import BODY, NOON, NYSP, ORIGIN


@pytest.mark.parametrize("outcome", [TAKEN, Deferred("http 503", 30.0), Refused("http 404")])
async def test_what_the_transport_said_is_reported(exchange: Exchange, outcome: Outcome) -> None:
    """The report carries the transport's outcome, the parcel's names and trace, the worker's time; then all is done."""
    sent = replace(parcel(1), attempt=3)
    hands = answering(outcome)
    async with working(exchange.bus, hands):
        await exchange.send(sent)
        reports = await exchange.reports(1)
    assert reports == [OutcomeReport(sent.delivery_id, sent.alert_id, NYSP, 3, NOON, outcome, sent.traceparent)]
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
    worker = Worker(Partner(NYSP, write, hands, UNRECALLABLE), bus=exchange.bus, settings=SETTINGS, now=lambda: NOON)
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
    hands = raising(ValueError(BODY.decode()))
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


async def test_a_record_on_which_the_worker_breaks_is_buried(exchange: Exchange) -> None:
    """What raises beside the transport buries its record, with the error's kind alone, and the next one goes on."""
    dead = await exchange.bus.subscribe([dead_topic(NYSP)], group="operator")

    class Broken(AdapterMetrics):
        def handled(self, parcel: Parcel, report: OutcomeReport, seconds: float) -> None:
            if parcel.delivery_id == poison.delivery_id:
                raise ArithmeticError(BODY.decode())
            super().handled(parcel, report, seconds)

    poison = parcel(1)
    metrics = Broken(registry := CollectorRegistry(), participants=[NYSP])
    partner = Partner(NYSP, native, answering(Delivered("http 200")), UNRECALLABLE)
    worker = Worker(partner, bus=exchange.bus, settings=SETTINGS, now=lambda: NOON, observer=metrics)
    running = asyncio.create_task(worker.run())
    await exchange.send(poison, parcel(2))
    (report,) = await exchange.reports(1)
    async with asyncio.timeout(PATIENCE):
        buried = (await dead.receive()).record
    worker.stop()
    await running
    assert report.delivery_id == parcel(2).delivery_id
    assert dict(buried.headers)[DEAD_REASON] == b"adapter fault: ArithmeticError"
    assert registry.get_sample_value("lacolle_records_dead_total", {"participant": NYSP}) == 1
    assert await exchange.nothing_left()


def test_dead_records_are_counted_from_nothing() -> None:
    """Each partner of the process has its count before any record dies, and only the one that has dead records counts.

    Prometheus takes a series that begins at 1 for no increase.
    """
    other = ParticipantId("us-vt.vsp")
    metrics = AdapterMetrics(registry := CollectorRegistry(), participants=[NYSP, other])
    counts = partial(registry.get_sample_value, "lacolle_records_dead_total")
    assert [counts({"participant": each}) for each in (NYSP, other)] == [0, 0]
    metrics.died(NYSP)
    assert [counts({"participant": each}) for each in (NYSP, other)] == [1, 0]


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
        async with working(exchange.bus, raising(ValueError(BODY.decode()))):
            await exchange.send(parcel(1))
            await exchange.reports(1)
    assert BODY.decode() not in repr(lines)
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

"""The worker when the bus is away, when it stops, and when there are several."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from adapters.formats import native
from adapters.recalls import UNRECALLABLE
from adapters.worker import Partner, Worker
from bus.contract import Bulletin, Bus, BusUnavailableError, Received, Record, Subscription
from schemas.parcels import Delivered
from tests.unit.adapters.hands import (
    SETTINGS,
    TAKEN,
    Exchange,
    answering,
    parcel,
    stuck_on,
    until,
    working,
)
from tests.unit.bus.parcels import NOON, NYSP


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

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Publish one after the other."""
        for record in records:
            await self.publish(record)

    async def subscribe(self, topics: Sequence[str], *, group: str) -> Subscription:
        """Subscribe, or be away."""
        self._count("subscribe")
        return OutageSubscription(self, await self.inner.subscribe(topics, group=group))

    def bulletin(self, topic: str) -> Bulletin:
        """Read what the bus behind has."""
        return self.inner.bulletin(topic)

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
    assert report.outcome == TAKEN
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
    assert report.outcome == TAKEN


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
    worker = Worker(Partner(NYSP, native, hands, UNRECALLABLE), bus=exchange.bus, settings=SETTINGS, now=lambda: NOON)
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

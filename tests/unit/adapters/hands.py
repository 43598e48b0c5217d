"""A worker's two sides for its tests: the exchange that sends and hears, and a transport that does as it is told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from adapters.contract import Message
from adapters.formats import native
from adapters.recalls import UNRECALLABLE, Recalls
from adapters.worker import Partner, Worker, WorkerSettings
from bus.contract import Bus, Record, Subscription
from bus.events import read_outcome, write_parcel
from bus.topics import adapter_group, parcels_topics
from schemas.decisions import Lane
from schemas.ids import DeliveryId
from schemas.parcels import Delivered, Outcome, OutcomeReport, Parcel
from tests.patience import GIVES_UP_AFTER
from tests.unit.bus import parcels
from tests.unit.bus.parcels import BODY, NOON, NYSP, ORIGIN

PATIENCE = GIVES_UP_AFTER
TAKEN = Delivered("http 200", hashlib.sha256(BODY).hexdigest())
"""What a worker reports of a parcel of these tests that its transport delivered."""
SETTINGS = WorkerSettings(origin=ORIGIN, first_pause=0.001, longest_pause=0.01)


def parcel(number: int, *, thread: int | None = None, lane: Lane = Lane.ROUTINE) -> Parcel:
    """Return a routine parcel, or one of another lane."""
    return parcels.parcel(number, thread=thread, lane=lane)


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

    async def send(self, *several: Parcel) -> None:
        """Put parcels on their topics."""
        for each in several:
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


@asynccontextmanager
async def working(
    bus: Bus,
    hands: Hands,
    *,
    settings: WorkerSettings = SETTINGS,
    now: datetime = NOON,
    recalls: Recalls = UNRECALLABLE,
) -> AsyncIterator[Worker]:
    """Run a worker, and see it stop in good order."""
    worker = Worker(Partner(NYSP, native, hands, recalls), bus=bus, settings=settings, now=lambda: now)
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

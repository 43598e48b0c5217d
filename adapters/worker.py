"""One partner's worker: take a parcel off the bus, translate it, hand it over, report what came of it.

Each lane has a subscription, and places in hand, of its own, so an urgent parcel never waits behind routine ones.
Within a lane, parcels of different threads are handled side by side, as many as there are places; those of one thread
one after the other, each after the report of the one before. (That a thread's parcels in *different* lanes keep their
order is the relay's doing: it publishes a later one once it has the earlier one's outcome.)

A record is done once its outcome is on the bus, never before. Whatever stops the worker between the two has the
parcel handed over again under the same delivery id, which is what a partner deduplicates on. So the worker keeps no
state, tries nothing twice of its own accord, and needs nothing from its last run.

=============================================  ====================================================
what happens                                   outcome
=============================================  ====================================================
the transport says                             what it says
the deadline has passed                        Deferred, ``deadline passed``; nothing is handed over
the exchange has recalled it                   Recalled, ``agreement lapsed``; nothing is handed over
the format can't hold the parcel               Refused, ``format: …``
the transport takes too long                   Deferred, ``timed out``
the writer or the transport breaks             Deferred, ``adapter fault``
=============================================  ====================================================

A record that can't be read, or on which the worker itself breaks, goes to the partner's dead topic with the reason: no
record ends the worker, for it would end the next one too. The bus being away is waited out, with the outcome in hand.
Whether a parcel was recalled is asked last, right before it is handed over; while nobody can say so, it waits.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

import structlog

from adapters.contract import Message, Transport
from adapters.formats import UntranslatableError, Writer
from adapters.recalls import Recalls
from bus.contract import Bus, BusUnavailableError, Received, Record, Subscription
from bus.dead import dead_record
from bus.events import read_parcel, write_outcome
from bus.headers import MalformedRecordError
from bus.topics import adapter_group, parcels_topic
from schemas.decisions import Lane
from schemas.ids import ParticipantId
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Parcel, Recalled, Refused
from schemas.tracing import UNTRACED, Tracing

T = TypeVar("T")

_log: Final = structlog.get_logger(__name__)


class Observer(Protocol):
    """Who counts what becomes of records."""

    def handled(self, parcel: Parcel, report: OutcomeReport, seconds: float) -> None:
        """Take note of what came of a parcel, and of the seconds that handing it over took."""
        ...

    def died(self, participant: ParticipantId) -> None:
        """Take note that a record goes to a participant's dead topic."""
        ...


class _Nobody:
    """Counts nothing."""

    def handled(self, parcel: Parcel, report: OutcomeReport, seconds: float) -> None:
        """Let it be."""

    def died(self, participant: ParticipantId) -> None:
        """Let it be."""


UNOBSERVED: Final[Observer] = _Nobody()


@dataclass(frozen=True, slots=True)
class Partner:
    """Whose parcels a worker handles, in which format and by which transport; the worker closes the transport.

    ``recalls`` says what must not be handed over to it any more.
    """

    participant: ParticipantId
    write: Writer
    transport: Transport
    recalls: Recalls


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How much a worker does at once and how long it waits; all times are in seconds.

    ``places`` is how many parcels of one lane may be in hand. ``timeout`` bounds one hand-over, whatever the
    transport's own limits are. ``grace`` is how long a stopped worker may take to finish. Between calls to a bus that
    is away it waits ``first_pause``, then twice as long each time, and at most ``longest_pause``.
    """

    origin: str
    places: int = 16
    timeout: float = 30.0
    grace: float = 10.0
    first_pause: float = 0.1
    longest_pause: float = 5.0


class Worker:
    """The worker of one partner, on one bus. ``now`` is the clock, in UTC."""

    def __init__(
        self,
        partner: Partner,
        *,
        bus: Bus,
        settings: WorkerSettings,
        now: Callable[[], datetime],
        tracing: Tracing = UNTRACED,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._lanes = tuple(
            _LaneWorker(partner, lane, bus=bus, settings=settings, now=now, tracing=tracing, observer=observer)
            for lane in Lane
        )
        self._transport = partner.transport
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more off the bus, and let ``run`` return once what is in hand is finished. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until ``stop`` is called, then finish within the grace period and close the transport.

        What the grace period does not suffice for is left as it is, and comes again to the next worker. To be called
        once. Raises an ``ExceptionGroup`` where the worker itself is at fault.
        """
        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in self._lanes:
                    lanes.create_task(lane.run(self._stopping))
        finally:
            await self._transport.close()


class _LaneWorker:
    """One lane of one partner: its subscription, and what is in hand of it."""

    def __init__(
        self,
        partner: Partner,
        lane: Lane,
        *,
        bus: Bus,
        settings: WorkerSettings,
        now: Callable[[], datetime],
        tracing: Tracing,
        observer: Observer,
    ) -> None:
        self._partner = partner
        self._topic = parcels_topic(partner.participant, lane)
        self._bus = bus
        self._settings = settings
        self._now = now
        self._tracing = tracing
        self._observer = observer
        self._subscription: Subscription | None = None
        self._places = asyncio.Semaphore(settings.places)
        self._last_of: dict[bytes, asyncio.Task[None]] = {}
        self._log = _log.bind(participant=partner.participant, lane=str(lane))

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(None) as grace, asyncio.TaskGroup() as in_hand:
                taking = in_hand.create_task(self._take(in_hand))
                await stopping.wait()
                taking.cancel()
                grace.reschedule(asyncio.get_running_loop().time() + self._settings.grace)
        except TimeoutError:
            self._log.warning("grace_over")
        finally:
            if self._subscription is not None:
                await self._subscription.close()

    async def _take(self, in_hand: asyncio.TaskGroup) -> None:
        subscription = self._subscription = await self._persistently(self._subscribe)
        while True:
            await self._places.acquire()
            received = await self._persistently(subscription.receive)
            thread = received.record.key
            task = in_hand.create_task(self._handle(subscription, received, after=self._last_of.get(thread)))
            self._last_of[thread] = task
            task.add_done_callback(partial(self._finished, thread))

    def _finished(self, thread: bytes, task: asyncio.Task[None]) -> None:
        self._places.release()
        if self._last_of.get(thread) is task:
            del self._last_of[thread]

    async def _handle(
        self, subscription: Subscription, received: Received, *, after: asyncio.Task[None] | None
    ) -> None:
        if after is not None:
            await asyncio.wait({after})
        reply = await self._reply_or_dead(received.record)
        await self._persistently(partial(self._bus.publish, reply))
        try:
            await subscription.done(received)
        except BusUnavailableError:
            self._log.warning("done_not_taken")  # so the record comes again, and the partner knows its delivery id

    async def _reply_or_dead(self, record: Record) -> Record:
        """Return what the bus is told of a record: the outcome of its parcel, or that it is dead."""
        try:
            return await self._reply_to(record)
        except MalformedRecordError as error:
            reason = error.reason
        except Exception as error:  # noqa: BLE001 - a record that ends the worker would end the next worker too
            reason = f"adapter fault: {type(error).__name__}"  # alone: a message may repeat the parcel
        self._log.error("record_dead", reason=reason)
        self._observer.died(self._partner.participant)
        return dead_record(record, participant=self._partner.participant, reason=reason)

    async def _reply_to(self, record: Record) -> Record:
        """Return the outcome of a record's parcel. Raises ``MalformedRecordError``."""
        parcel = read_parcel(record)
        began = asyncio.get_running_loop().time()
        with self._tracing.span("deliver", parent=parcel.traceparent, alert_id=parcel.alert_id) as traceparent:
            outcome = await self._hand_over(replace(parcel, traceparent=traceparent))
        seconds = asyncio.get_running_loop().time() - began
        self._log.info(
            "parcel_handled",
            delivery_id=parcel.delivery_id,
            alert_id=parcel.alert_id,
            attempt=parcel.attempt,
            outcome=type(outcome).__name__.lower(),
            detail=outcome.detail,
        )
        report = OutcomeReport(
            delivery_id=parcel.delivery_id,
            alert_id=parcel.alert_id,
            recipient=parcel.recipient,
            attempt=parcel.attempt,
            at=self._now(),
            outcome=outcome,
            traceparent=traceparent,
        )
        self._observer.handled(parcel, report, seconds)
        return write_outcome(report, origin=self._settings.origin)

    async def _hand_over(self, parcel: Parcel) -> Outcome:
        seconds_left = (parcel.deadline - self._now()).total_seconds()
        if seconds_left <= 0:
            return Deferred("deadline passed")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_left
        try:
            message = self._partner.write(parcel)
            async with asyncio.timeout_at(deadline):
                if await self._partner.recalls.recalled(parcel):
                    return Recalled("agreement lapsed")
            async with asyncio.timeout_at(min(deadline, loop.time() + self._settings.timeout)):
                return _with_digest(await self._partner.transport.deliver(message), message)
        except UntranslatableError as error:
            return Refused(str(error))
        except TimeoutError:
            return Deferred("timed out")
        except Exception as error:  # noqa: BLE001 - what breaks on one parcel must not hold back the partner's others
            # Its type alone: its message, or a traceback, may repeat the parcel.
            self._log.error("adapter_fault", delivery_id=parcel.delivery_id, error=type(error).__name__)
            return Deferred("adapter fault")

    async def _subscribe(self) -> Subscription:
        return await self._bus.subscribe([self._topic], group=adapter_group(self._partner.participant))

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what a call to the bus returns, and wait where the bus is away."""
        pause = self._settings.first_pause
        while True:
            try:
                return await call()
            except BusUnavailableError as error:
                self._log.warning("bus_unavailable", reason=str(error), pause=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._settings.longest_pause)


def _with_digest(outcome: Outcome, message: Message) -> Outcome:
    """Return the outcome, with the digest of the bytes where the partner took them: both sides can compare that."""
    if isinstance(outcome, Delivered):
        return replace(outcome, digest=hashlib.sha256(message.body).hexdigest())
    return outcome

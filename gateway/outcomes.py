"""From outcomes on the bus to states and evidence in the database.

A report is done on the bus only after its transaction; one that can't be read is logged and dropped, for the exchange
wrote the dispatch itself and its deadline still ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from bus.contract import Bus, BusUnavailableError, Received, Subscription
from bus.events import MalformedRecordError, read_outcome
from bus.topics import OUTCOMES
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import OutcomeWriter, Settled
from schemas.parcels import OutcomeReport

log = structlog.get_logger(__name__)

GROUP = "lacolle.exchange"
CONCURRENCY = 256
PAUSE = 1.0
"""Seconds until a bus that is away is tried again."""


class OutcomeRecorder:
    """Records the outcomes that adapters report."""

    def __init__(
        self,
        *,
        bus: Bus,
        committer: Committer,
        writer: OutcomeWriter,
        on_settled: Callable[[OutcomeReport, Settled], None],
    ) -> None:
        self._bus = bus
        self._committer = committer
        self._writer = writer
        self._on_settled = on_settled
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more off the bus; ``run`` returns when what is in hand is recorded. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Record until ``stop``, also where the bus is away for a while."""
        while not self._stopping.is_set():
            try:
                await self._record_all()
            except* BusUnavailableError:
                log.warning("bus_unavailable")
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    await self._stopping.wait()

    async def _record_all(self) -> None:
        """Record what comes; many reports wait for one transaction together. What is cut short comes again."""
        subscription = await self._bus.subscribe([OUTCOMES], group=GROUP)
        slots = asyncio.Semaphore(CONCURRENCY)
        try:
            async with asyncio.TaskGroup() as tasks:
                taking = tasks.create_task(self._take(subscription, slots, tasks))
                await self._stopping.wait()
                taking.cancel()
        finally:
            await subscription.close()

    async def _take(self, subscription: Subscription, slots: asyncio.Semaphore, tasks: asyncio.TaskGroup) -> None:
        while True:
            await slots.acquire()
            received = await subscription.receive()
            task = tasks.create_task(self._record(subscription, received))
            task.add_done_callback(lambda _task: slots.release())

    async def _record(self, subscription: Subscription, received: Received) -> None:
        try:
            report = read_outcome(received.record)
        except MalformedRecordError as error:
            log.warning("outcome_unreadable", reason=str(error))
            await subscription.done(received)
            return
        settled = await self._write(report)
        if settled is None:
            log.warning("outcome_of_unknown_delivery", delivery_id=report.delivery_id)
        else:
            log.info(
                "outcome_recorded",
                alert_id=report.alert_id,
                delivery_id=report.delivery_id,
                participant=report.recipient,
                state=settled.state,
            )
            self._on_settled(report, settled)
        try:
            await subscription.done(received)
        except BusUnavailableError:
            log.warning("bus_unavailable", delivery_id=report.delivery_id)

    async def _write(self, report: OutcomeReport) -> Settled | None:
        while True:
            try:
                return await self._committer.submit(self._writer, report)
            except LogUnavailableError as error:
                await asyncio.sleep(error.retry_after)

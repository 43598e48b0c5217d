"""From outcomes on the bus to states and evidence in the database.

A report is done on the bus only after its transaction; one that can't be read is logged and dropped, for the exchange
wrote the dispatch itself and its deadline still ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from bus.contract import Bus, BusUnavailableError, Received, Subscription
from bus.events import read_outcome
from bus.headers import MalformedRecordError
from bus.topics import OUTCOMES
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import OutcomeWriter, Settled
from gateway.store.recalled import RecalledWriter
from schemas.parcels import OutcomeReport, Recalled
from schemas.tracing import UNTRACED, Tracing

log = structlog.get_logger(__name__)

GROUP = "lacolle.exchange"
LIMIT = 256
"""Reports that are written together at most."""
GATHER = 0.025
"""Seconds that a report waits for others: a transaction costs much the same for one or for many."""
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
        recalled: RecalledWriter,
        on_settled: Callable[[OutcomeReport, Settled], None],
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._bus = bus
        self._committer = committer
        self._writer = writer
        self._recalled = recalled
        self._on_settled = on_settled
        self._tracing = tracing
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more off the bus; ``run`` returns when what is in hand is recorded. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Record until ``stop``, also where the bus is away for a while."""
        while not self._stopping.is_set():
            try:
                await self._record_all()
            except BusUnavailableError as error:
                log.warning("bus_unavailable", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    await self._stopping.wait()

    async def _record_all(self) -> None:
        """Record what comes; many reports wait for one transaction together. What is cut short comes again."""
        subscription = await self._bus.subscribe([OUTCOMES], group=GROUP)
        try:
            while gathered := await self._next(subscription):
                await self._record(subscription, gathered)
        finally:
            await subscription.close()

    async def _next(self, subscription: Subscription) -> Sequence[Received]:
        """Return what comes next; nothing where this is stopped and nothing is there any more."""
        receiving, stopping = asyncio.create_task(subscription.receive()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await _gathered(subscription, receiving.result()) if receiving.done() else ()
        finally:
            for each in (receiving, stopping):
                each.cancel()
            await asyncio.gather(receiving, stopping, return_exceptions=True)

    async def _record(self, subscription: Subscription, gathered: Sequence[Received]) -> None:
        reports = [_report_in(received) for received in gathered]
        await asyncio.gather(*(self._settle(report) for report in reports if report is not None))
        for received in gathered:
            await subscription.done(received)

    async def _settle(self, report: OutcomeReport) -> None:
        """Write a report and tell what it did; one that can't be written is set aside, for its deadline still ends it.

        What goes wrong with one report must end neither the recording of the others nor the exchange.
        """
        try:
            with self._tracing.span("record", parent=report.traceparent, alert_id=report.alert_id):
                settled = await self._write(report)
        except Exception as error:  # noqa: BLE001 - whatever a lone report raises is its own; storage that failed is not
            name = type(error).__name__  # alone: a message or a traceback may repeat the report
            log.error("outcome_set_aside", delivery_id=report.delivery_id, error=name)  # noqa: TRY400 - see above
            return
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

    async def _write(self, report: OutcomeReport) -> Settled | None:
        while True:
            try:
                if isinstance(report.outcome, Recalled):
                    return await self._committer.submit(self._recalled, report)
                return await self._committer.submit(self._writer, report)
            except LogUnavailableError as error:
                await asyncio.sleep(error.retry_after)


async def _gathered(subscription: Subscription, first: Received) -> Sequence[Received]:
    """Return a record, and those that come within a moment of it."""
    gathered = [first]
    with suppress(TimeoutError):
        async with asyncio.timeout(GATHER):
            while len(gathered) < LIMIT:
                gathered.append(await subscription.receive())
    return gathered


def _report_in(received: Received) -> OutcomeReport | None:
    try:
        return read_outcome(received.record)
    except MalformedRecordError as error:
        reason = error.reason
    except Exception as error:  # noqa: BLE001 - a record that ends this relay would end every standby after it
        reason = type(error).__name__  # alone: a message may repeat the report
    log.warning("outcome_unreadable", reason=reason)
    return None

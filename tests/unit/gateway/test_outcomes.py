"""Outcomes from the bus to the store, and the watch over deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from bus.contract import Record
from bus.embedded import EmbeddedBus
from bus.events import write_outcome
from bus.topics import OUTCOMES
from gateway.backoff import Backoff
from gateway.relaying.deadlines import DeadlineWatch
from gateway.relaying.outcomes import GATHER, GROUP, OutcomeRecorder
from gateway.store.acknowledgements import AcknowledgementWriter, SignedAcknowledgement
from gateway.store.committer import Batch
from gateway.store.dispatches import DELIVERED, EXPIRED, PENDING, OutcomeWriter, Settled
from gateway.store.recalled import RecalledWriter
from schemas.decisions import Terms
from schemas.evidence import Acknowledgement
from schemas.ids import AlertId, DeliveryId, ParticipantId
from schemas.parcels import Deferred, Delivered, OutcomeReport
from schemas.timestamps import utc_text
from tests.patience import GIVES_UP_AFTER
from tests.unit.gateway.ground import (
    KID,
    NYSP,
    ORIGIN,
    START,
    VSP,
    Ground,
    acceptance,
    accepted,
    agreed,
    contents,
    permit,
)


class Recording:
    """A recorder at work: what is published as an outcome, and what it tells of it."""

    def __init__(self, ground: Ground, bus: EmbeddedBus, *, writer: OutcomeWriter | None = None) -> None:
        self.bus = bus
        self.told: asyncio.Queue[Settled] = asyncio.Queue()
        self.recorder = OutcomeRecorder(
            bus=bus,
            committer=ground.committer,
            writer=(outcomes := writer or OutcomeWriter(Backoff())),
            recalled=RecalledWriter(agreed(), outcomes),
            on_settled=lambda _report, settled: self.told.put_nowait(settled),
        )

    async def report(self, report: OutcomeReport) -> None:
        """Publish what an adapter reports."""
        await self.bus.publish(write_outcome(report, origin=ORIGIN))

    async def next(self) -> Settled:
        """Return what the recorder tells next."""
        async with asyncio.timeout(GIVES_UP_AFTER):
            return await self.told.get()


@asynccontextmanager
async def recording(ground: Ground) -> AsyncIterator[Recording]:
    """Yield a recorder that runs."""
    bus = EmbeddedBus()
    opened = Recording(ground, bus)
    running = asyncio.create_task(opened.recorder.run())
    await asyncio.sleep(0)
    try:
        yield opened
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()


async def reports(ground: Ground, count: int) -> list[OutcomeReport]:
    """Store alerts and return the reports that they were delivered."""
    await accepted(ground, *(acceptance(f"A-{number}", permit(NYSP)) for number in range(count)))
    return [
        OutcomeReport(
            DeliveryId(row.delivery_id),
            AlertId(row.alert_id),
            ParticipantId(row.recipient),
            1,
            START,
            Delivered("http 204"),
        )
        for row in await ground.dispatches()
    ]


async def test_a_stopped_recorder_records_what_is_on_the_bus(ground: Ground) -> None:
    """Told to stop, it takes what adapters have reported by then, and ends."""
    bus = EmbeddedBus()
    opened = Recording(ground, bus)
    await (await bus.subscribe([OUTCOMES], group=GROUP)).close()
    for report in await reports(ground, 3):
        await opened.report(report)
    running = asyncio.create_task(opened.recorder.run())
    await asyncio.sleep(0)
    opened.recorder.stop()
    async with asyncio.timeout(GIVES_UP_AFTER):
        await running
    assert {row.state for row in await ground.dispatches()} == {DELIVERED}
    await bus.close()


async def test_a_report_becomes_a_state_and_evidence(ground: Ground) -> None:
    """What an adapter says on the bus is in the store and the log, and the relay is told."""
    (report,) = await reports(ground, 1)
    async with recording(ground) as at_work:
        await at_work.report(report)
        settled = await at_work.next()
    assert (settled.delivery_id, settled.state) == (report.delivery_id, DELIVERED)
    assert (await ground.kinds())[-1] == "delivered"


async def test_what_reading_breaks_on_is_dropped(ground: Ground) -> None:
    """A record that no reader was made for, as no bus of ours brings, ends neither this relay nor the next."""
    (report,) = await reports(ground, 1)
    null = replace(write_outcome(report, origin=ORIGIN), value=None)  # type: ignore[arg-type]  # what no bus of ours gives
    async with recording(ground) as at_work:
        await at_work.bus.publish(null)
        await at_work.report(report)
        assert (await at_work.next()).state == DELIVERED


async def test_reports_share_transactions(ground: Ground) -> None:
    """Many reports wait for one transaction together instead of one after the other."""
    before = await reports(ground, 40)
    async with recording(ground) as at_work:
        ground.batches.clear()
        for report in before:
            await at_work.report(report)
        for _ in before:
            await at_work.next()
    assert sum(ground.batches) == 40
    assert len(ground.batches) < 10


async def test_what_can_not_be_read_is_dropped_and_harms_nothing(ground: Ground) -> None:
    """A record that is no report, and one of a delivery that was never made, are passed over; the next one counts."""
    (report,) = await reports(ground, 1)
    async with recording(ground) as at_work:
        await at_work.bus.publish(Record(OUTCOMES, b"x", b"\xff not a report", ()))
        await at_work.report(replace(report, delivery_id=DeliveryId("01900000-0000-7000-8000-000000000000")))
        await at_work.report(replace(report, recipient=VSP))
        await at_work.report(report)
        assert (await at_work.next()).state == DELIVERED
        assert at_work.told.empty()


async def test_a_report_on_an_impossible_attempt_halts_nothing(ground: Ground) -> None:
    """A report whose attempt no column could hold is passed over, and the next one counts."""
    first, second = await reports(ground, 2)
    async with recording(ground) as at_work:
        await at_work.report(replace(first, attempt=2**40, outcome=Deferred("http 503")))
        await at_work.report(second)
        assert (await at_work.next()).delivery_id == second.delivery_id
    assert [row.state for row in await ground.dispatches()] == [PENDING, DELIVERED]


class Spoilt(OutcomeWriter):
    """A writer that breaks on the reports of one delivery."""

    def __init__(self, delivery_id: DeliveryId) -> None:
        super().__init__(Backoff())
        self._spoilt = delivery_id

    async def write(self, batch: Batch, items: Sequence[OutcomeReport]) -> Sequence[Settled | None]:
        """Break, or write."""
        if any(item.delivery_id == self._spoilt for item in items):
            raise LookupError
        return await super().write(batch, items)


async def test_a_report_that_can_not_be_written_ends_nothing(ground: Ground) -> None:
    """A report on which the writer itself breaks is set aside, alone or among others, and the others are recorded."""
    bad, *good = await reports(ground, 4)
    bus = EmbeddedBus()
    at_work = Recording(ground, bus, writer=Spoilt(bad.delivery_id))
    running = asyncio.create_task(at_work.recorder.run())
    await asyncio.sleep(0)
    await at_work.report(bad)
    await asyncio.sleep(2 * GATHER)
    for report in (bad, *good):
        await at_work.report(report)
    assert {(await at_work.next()).delivery_id for _ in good} == {report.delivery_id for report in good}
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
    assert [row.state for row in await ground.dispatches()] == [PENDING, DELIVERED, DELIVERED, DELIVERED]


async def test_a_bus_that_is_away_is_waited_out(ground: Ground) -> None:
    """Losing the bus, while it waits or from the start, does not end the recorder, and so not the exchange."""
    for closed_first in (False, True):
        bus = EmbeddedBus()
        if closed_first:
            await bus.close()
        running = asyncio.create_task(Recording(ground, bus).recorder.run())
        await asyncio.sleep(0)
        await bus.close()
        await asyncio.sleep(0.02)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_report_is_done_only_when_it_is_stored(ground: Ground) -> None:
    """A recorder that ends before its transaction leaves the report to the next one."""
    (report,) = await reports(ground, 1)
    bus = EmbeddedBus()
    async with ground.store.writer.begin():  # the writing connection is taken, so nothing can be committed
        first = Recording(ground, bus)
        running = asyncio.create_task(first.recorder.run())
        await asyncio.sleep(0)
        await first.report(report)
        await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    subscription = await bus.subscribe([OUTCOMES], group=GROUP)
    async with asyncio.timeout(GIVES_UP_AFTER):
        received = await subscription.receive()
    assert received.record == write_outcome(report, origin=ORIGIN)
    await bus.close()


def watching(
    ground: Ground,
    *,
    on_ended: Callable[[Settled], None] = lambda _settled: None,
    on_unacknowledged: Callable[[ParticipantId], None] = lambda _participant: None,
) -> DeadlineWatch:
    """Return the watch over a ground's deadlines."""
    return DeadlineWatch(
        store=ground.store,
        committer=ground.committer,
        clock=ground.clock,
        on_ended=on_ended,
        on_unacknowledged=on_unacknowledged,
    )


async def test_the_watch_ends_what_is_overdue_and_nothing_else(ground: Ground) -> None:
    """Each dispatch past its deadline expires once, and is told of; the others stay as they are."""
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP), lasts=10), acceptance("A-2", permit(NYSP)))
    expired: list[Settled] = []
    watch = watching(ground, on_ended=expired.append)
    assert await watch.look() == 0
    ground.clock.advance(10)
    assert await watch.look() == 2
    assert await watch.look() == 0
    assert {(each.route.recipient, each.state) for each in expired} == {(NYSP, EXPIRED), (VSP, EXPIRED)}
    assert sorted(row.state for row in await ground.dispatches()) == [EXPIRED, EXPIRED, PENDING]
    assert (await ground.kinds()).count("expired") == 2


async def test_a_running_watch_looks_by_itself(ground: Ground) -> None:
    """``run`` finds what is overdue without being told."""
    await accepted(ground, acceptance("A-1", permit(NYSP), lasts=1))
    ground.clock.advance(1)
    told: asyncio.Queue[Settled] = asyncio.Queue()
    watch = watching(ground, on_ended=told.put_nowait)
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        assert (await told.get()).state == EXPIRED
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


OWED = Terms(acknowledge_within=60)


async def test_an_acknowledgement_that_is_late_is_said_once(ground: Ground) -> None:
    """At its deadline, not before, the log says that it did not come; the sender's and recipient's homes are told."""
    await accepted(ground, acceptance("A-1", replace(permit(NYSP), terms=OWED), permit(VSP)))
    late: list[ParticipantId] = []
    watch = watching(ground, on_unacknowledged=late.append)
    ground.clock.advance(59.9)
    assert await watch.look() == 0
    ground.clock.advance(0.1)
    assert await watch.look() == 1
    assert await watch.look() == 0
    assert late == [NYSP]
    entry = (await ground.entries())[-1]
    assert (entry["kind"], entry["jurisdictions"]) == ("acknowledgement-overdue", ["CA-QC", "US-NY"])
    assert entry["content"]["deadline"] == "2026-11-22T12:01:00.000Z"
    assert {row.state for row in await ground.dispatches()} == {PENDING}


async def test_what_was_acknowledged_is_not_overdue(ground: Ground) -> None:
    """An acknowledgement in time settles what was owed; one that comes late is logged all the same."""
    alert_ids = await accepted(
        ground, *(acceptance(name, replace(permit(NYSP), terms=OWED)) for name in ("A-1", "A-2"))
    )
    early, tardy = [row.delivery_id for row in await ground.dispatches()]
    watch = watching(ground)
    await acknowledge(ground, alert_ids[0], early)
    ground.clock.advance(60)
    assert await watch.look() == 1
    assert (await ground.entries())[-1]["content"]["delivery_id"] == tardy
    await acknowledge(ground, alert_ids[1], tardy)
    assert (await ground.kinds())[-2:] == ["acknowledgement-overdue", "acknowledged"]
    assert await watch.look() == 0


async def test_nothing_is_owed_for_what_was_never_to_be_had(ground: Ground) -> None:
    """A delivery that expired says by itself that nobody will acknowledge it, and is not looked at again for that."""
    await accepted(ground, acceptance("A-1", replace(permit(NYSP), terms=OWED), lasts=30))
    watch = watching(ground)
    ground.clock.advance(60)
    assert await watch.look() == 1
    assert "acknowledgement-overdue" not in await ground.kinds()
    assert [row.owed_ms for row in await ground.dispatches()] == [None]


async def acknowledge(ground: Ground, alert_id: AlertId, delivery_id: str) -> None:
    """Store New York's word that it received an alert."""
    word = Acknowledgement.model_validate(
        {
            "alert_id": alert_id,
            "delivery_id": delivery_id,
            "participant": NYSP,
            "status": "received",
            "at": utc_text(ground.clock.now),
        }
    )
    signed = SignedAcknowledgement(word, KID, b"compact", bytes(32))
    await ground.committer.submit(AcknowledgementWriter(contents()), signed)

"""Recalls on a real Kafka: every process of a partner's adapter hears of each, also one that starts later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from adapters.formats import native
from adapters.recalls import RecallWatch
from adapters.worker import Partner, Worker, WorkerSettings
from bus.events import read_outcome, write_parcel
from bus.kafka import KafkaBus
from bus.recalls import write_recall
from bus.topics import OUTCOMES, RECALLED, dead_topic, parcels_topics
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, DeliveryId, ParticipantId
from schemas.parcels import Delivered, Parcel, Recall, Recalled
from tests.patience import GIVES_UP_AFTER
from tests.servers.kafka import settings_for
from tests.unit.adapters.hands import Hands, answering, parcel
from tests.unit.bus.parcels import NOON, ORIGIN

MANY = 12


@asynccontextmanager
async def process(kafka_address: str, recipient: ParticipantId, hands: Hands) -> AsyncIterator[RecallWatch]:
    """Run one partner's worker with a bus and a watch of its own, as a process of its own would."""
    bus = KafkaBus(settings_for(kafka_address), folder=Path())
    watch = RecallWatch(bus)
    partner = Partner(participant=recipient, write=native, transport=hands, recalls=watch)
    settings = WorkerSettings(origin=ORIGIN, places=1)
    worker = Worker(partner, bus=bus, settings=settings, now=lambda: datetime.now(tz=UTC))
    running = [asyncio.create_task(watch.run()), asyncio.create_task(worker.run())]
    try:
        yield watch
    finally:
        worker.stop()
        await running[1]
        running[0].cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await bus.close()


async def test_every_process_hears_of_a_recall(kafka_address: str) -> None:
    """Two processes share a partner, one parcel each in its hands: no other is handed over, and a third agrees."""
    name = f"x{uuid4().hex[:12]}"
    recipient, agreement = ParticipantId(f"us-ny.{name}"), AgreementId(f"test.{name}")
    release = asyncio.Event()

    async def act(_message: object) -> Delivered:
        await release.wait()
        return Delivered("http 200")

    def out(number: int, *, as_of: int = 7) -> Parcel:
        return replace(
            parcel(number),
            delivery_id=DeliveryId(parcel(number).delivery_id[:-12] + name[-12:][:-2] + f"{number:02}"),
            recipient=recipient,
            under=ClauseRef(agreement, 1, "1"),
            deadline=datetime(2200, 1, 1, tzinfo=UTC),
            as_of=as_of,
        )

    bus = KafkaBus(settings_for(kafka_address), folder=Path())
    await bus.create_topics([*parcels_topics(recipient), dead_topic(recipient), OUTCOMES, RECALLED])
    outcomes = await bus.subscribe([OUTCOMES], group=f"exchange.{recipient}")
    several = [Hands(act), Hands(act)]
    found: dict[DeliveryId, object] = {}

    async def reports(count: int) -> None:
        async with asyncio.timeout(GIVES_UP_AFTER):
            while len(found) < count:
                received = await outcomes.receive()
                await outcomes.done(received)
                if recipient.encode() in received.record.value:  # others' reports are on the shared topic as well
                    report = read_outcome(received.record)
                    found[report.delivery_id] = report.outcome

    await bus.publish_all([write_parcel(out(number), origin=ORIGIN) for number in range(MANY)])
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(process(kafka_address, recipient, each)) for each in several]
        async with asyncio.timeout(GIVES_UP_AFTER):
            while not any(each.handed for each in several):  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
        await bus.publish(write_recall(Recall(agreement, 1, None, as_of=8, at=NOON), origin=ORIGIN))
        async with asyncio.timeout(GIVES_UP_AFTER):
            for watch in watches:
                while not await watch.recalled(out(0)):  # noqa: ASYNC110 - nor does a watch
                    await asyncio.sleep(0.05)
        in_hand = {each for hands in several for each in hands.handed}
        release.set()
        await reports(MANY)
        assert {each for hands in several for each in hands.handed} == in_hand
    assert len(in_hand) <= len(several)
    ended = [found[each] for each in in_hand]
    assert [each.detail for each in ended if isinstance(each, Delivered)] == ["http 200"] * len(in_hand)
    assert [each for each in found.values() if each == Recalled("agreement lapsed")] == [
        Recalled("agreement lapsed")
    ] * (MANY - len(in_hand))
    await bus.publish_all(
        [write_parcel(out(number, as_of=as_of), origin=ORIGIN) for number, as_of in ((MANY, 8), (MANY + 1, 9))]
    )
    async with process(kafka_address, recipient, later := answering(Delivered("http 200"))):
        await reports(MANY + 2)
    assert later.handed == [out(MANY + 1).delivery_id]
    await bus.close()

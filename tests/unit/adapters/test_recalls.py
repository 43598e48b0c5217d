"""What was recalled is not handed over, and nothing is while nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from adapters.recalls import UNRECALLABLE, RecallWatch
from bus.contract import Bulletin, BusUnavailableError, Record
from bus.embedded import EmbeddedBus
from bus.recalls import write_recall
from bus.topics import RECALLED
from schemas.parcels import Delivered, Parcel, Recall, Recalled
from tests.unit.adapters.hands import PATIENCE, SETTINGS, TAKEN, Exchange, answering, parcel, stuck_on, until, working
from tests.unit.bus.parcels import NOON, ORIGIN

RECALLED_THEN = Recalled("agreement lapsed")


def out(number: int, *, as_of: int = 7) -> Parcel:
    """Return a parcel that a state of the registry let out."""
    return replace(parcel(number), as_of=as_of)


async def recall(bus: EmbeddedBus, *, as_of: int) -> None:
    """Recall what all parcels are under."""
    under = parcel(1).under
    await bus.publish(write_recall(Recall(under.agreement, under.version, None, as_of, at=NOON), origin=ORIGIN))


@asynccontextmanager
async def watching(bus: EmbeddedBus) -> AsyncIterator[RecallWatch]:
    """Run a watch."""
    watch = RecallWatch(bus, interval=0.001, pause=0.001)
    running = asyncio.create_task(watch.run())
    yield watch
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def known(watch: RecallWatch) -> None:
    """Wait until a watch knows of a recall."""
    async with asyncio.timeout(PATIENCE):
        while not await watch.recalled(out(1)):  # noqa: ASYNC110 - a watch tells nobody
            await asyncio.sleep(0.001)


class Faulty(EmbeddedBus):
    """A bus whose bulletins can't be read to their end while it is ``away``."""

    def __init__(self) -> None:
        super().__init__()
        self.away = True

    def bulletin(self, topic: str) -> Bulletin:  # type: ignore[override]  # narrower in the class above
        """Return a reader that fails while the bus is away."""
        return _Faulty(self, super().bulletin(topic))


class _Faulty:
    def __init__(self, bus: Faulty, whole: Bulletin) -> None:
        self._bus = bus
        self._whole = whole

    async def news(self) -> Sequence[Record]:
        if self._bus.away:
            raise BusUnavailableError("away")
        return await self._whole.news()

    async def close(self) -> None:
        await self._whole.close()


async def test_what_waits_in_the_adapter_is_recalled(exchange: Exchange) -> None:
    """Parcels behind one that its partner holds are reported as recalled; that one is in the partner's hands."""
    assert isinstance(exchange.bus, EmbeddedBus)
    hands, release = stuck_on(1)
    async with (
        watching(exchange.bus) as watch,
        working(exchange.bus, hands, settings=replace(SETTINGS, places=1), recalls=watch),
    ):
        await exchange.send(*(out(number) for number in range(1, 6)))
        await until(lambda: len(hands.handed) == 1)
        await recall(exchange.bus, as_of=8)
        await known(watch)
        release.set()
        reports = await exchange.reports(5)
    assert [each.outcome for each in reports] == [TAKEN, *[RECALLED_THEN] * 4]
    assert hands.handed == [parcel(1).delivery_id]
    assert await exchange.nothing_left()


async def test_a_restarted_adapter_knows_of_recalls_before_it(exchange: Exchange) -> None:
    """What was recalled before an adapter started stays recalled; what was let out afterwards is handed over."""
    assert isinstance(exchange.bus, EmbeddedBus)
    await exchange.send(out(1), out(2, as_of=9))
    await recall(exchange.bus, as_of=8)
    hands = answering(Delivered("http 200"))
    async with watching(exchange.bus) as watch, working(exchange.bus, hands, recalls=watch):
        reports = await exchange.reports(2)
    assert {each.delivery_id: each.outcome for each in reports} == {
        parcel(1).delivery_id: RECALLED_THEN,
        parcel(2).delivery_id: TAKEN,
    }
    assert hands.handed == [parcel(2).delivery_id]


async def test_an_older_recall_takes_nothing_back(exchange: Exchange) -> None:
    """A recall that is published again, or comes late, does not lift a newer one."""
    assert isinstance(exchange.bus, EmbeddedBus)
    async with watching(exchange.bus) as watch:
        for as_of in (8, 6):
            await recall(exchange.bus, as_of=as_of)
            await asyncio.sleep(0.01)
        assert await watch.recalled(out(1, as_of=8))
        assert not await watch.recalled(out(1, as_of=9))


async def test_nothing_is_handed_over_blindly() -> None:
    """While the recalls can't be read to their end a parcel waits; once they can, it goes, or was recalled."""
    bus = Faulty()
    async with watching(bus) as watch:
        asked = [asyncio.create_task(watch.recalled(each)) for each in (out(1), out(2, as_of=9))]
        await recall(bus, as_of=8)
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in asked)
        bus.away = False
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*asked) == [True, False]


async def test_a_dead_watch_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a watch knew when it died answers no later question."""
    monkeypatch.setattr("adapters.recalls.FRESH", 0.0)
    bus = EmbeddedBus()
    async with watching(bus) as watch:
        async with asyncio.timeout(PATIENCE):
            assert not await watch.recalled(out(1))
    asked = asyncio.create_task(watch.recalled(out(1)))
    await asyncio.sleep(0.05)
    assert not asked.done()
    asked.cancel()


async def test_what_is_no_recall_harms_nothing() -> None:
    """A forged or broken record is told of without its content, and the recalls after it count."""
    bus = EmbeddedBus()
    broken = [Record(RECALLED, b"1", b"secret", ()), Record(RECALLED, b"2", b"\xff", (("ce_type", b"\xff"),) * 2)]
    with capture_logs() as logs:
        async with watching(bus) as watch:
            await bus.publish_all(broken)
            await recall(bus, as_of=8)
            await known(watch)
    unreadable = [each for each in logs if each["event"] == "recall_unreadable"]
    assert len(unreadable) == 2
    assert "secret" not in str(unreadable)


async def test_a_partner_of_own_topics_has_it_already() -> None:
    """What is on a partner's own topic counts as delivered, and is never asked about."""
    assert not await UNRECALLABLE.recalled(out(1, as_of=0))

"""How far behind the relay is: by what it could have published, and by nothing that a partner holds up."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from gateway.relaying.lag import lag
from gateway.watching.metrics import RelayMetrics
from schemas.decisions import Lane
from tests.unit.gateway.ground import NYSP, Ground, acceptance, accepted, permit
from tests.unit.gateway.test_relay import LATER, TAKEN, Line, send


async def routine(line: Line) -> tuple[int, float]:
    """Return how much waits in the routine lane, and for how many seconds it could have been published."""
    found = await lag(line.relay, store=line.ground.store, now_ms=line.ground.clock.ms)
    return found[Lane.ROUTINE]


async def test_what_could_be_published_lags(ground: Ground) -> None:
    """A dispatch that is due and that nothing holds back lags since it was due, until it is published."""
    line = await Line.open(ground)
    await send(ground, 1, lane=Lane.URGENT)
    ground.clock.advance(7)
    found = await lag(line.relay, store=ground.store, now_ms=ground.clock.ms)
    assert found == {Lane.URGENT: (1, 7.0), Lane.ROUTINE: (0, 0.0)}
    await line.look()
    assert (await lag(line.relay, store=ground.store, now_ms=ground.clock.ms))[Lane.URGENT] == (0, 0.0)


async def test_what_the_bus_does_not_take_lags(ground: Ground) -> None:
    """Without a bus the lag grows."""
    line = await Line.open(ground)
    await send(ground, 1)
    await line.bus.close()
    await line.look()
    ground.clock.advance(30)
    assert await routine(line) == (1, 30.0)


async def test_what_a_partner_holds_up_does_not_lag(ground: Ground) -> None:
    """Behind an open breaker, however long, nothing lags; what could go out after it lags since it could."""
    line = await Line.open(ground)
    await send(ground, 3)
    await line.look()
    ground.clock.advance(300)
    for parcel in await line.parcels():
        await line.answer(parcel, LATER)
    await send(ground, 2)
    await line.look()
    assert await routine(line) == (5, 0.0)
    ground.clock.advance(2)
    assert await routine(line) == (5, 2.0)
    await line.look()
    assert await routine(line) == (4, 0.0)
    (probe,) = await line.parcels()
    await line.answer(probe, TAKEN)
    assert (await routine(line))[1] == 0.0


async def test_what_waits_for_room_or_for_its_thread_does_not_lag(ground: Ground) -> None:
    """Neither a full window nor an earlier alert of the thread is the relay's slowness."""
    line = await Line.open(ground, window=1)
    (first,) = await accepted(ground, acceptance("B-1", permit(NYSP, Lane.URGENT)))
    await accepted(ground, acceptance("B-2", permit(NYSP), thread=first))
    await send(ground, 2, lane=Lane.URGENT)
    await line.look()
    ground.clock.advance(60)
    found = await lag(line.relay, store=ground.store, now_ms=ground.clock.ms)
    assert found == {Lane.URGENT: (2, 0.0), Lane.ROUTINE: (1, 0.0)}


def test_a_relay_whose_term_is_over_lags_behind_nothing() -> None:
    """What it measured last is another's to measure now: its own figures are 0."""
    registry = CollectorRegistry()
    metrics = RelayMetrics(registry)
    metrics.active(now=True)
    metrics.waiting({Lane.URGENT: (3, 9.0)})
    metrics.active(now=False)
    for lane in Lane:
        assert registry.get_sample_value("lacolle_dispatches_oldest_seconds", {"lane": lane}) == 0
        assert registry.get_sample_value("lacolle_dispatches_pending", {"lane": lane}) == 0

"""How far behind a relay is: for how long it could have published what it has not.

What a breaker holds back, what waits behind its thread or for room in a window, lags behind nothing: that is a
partner's slowness, and shows as such. What the bus does not take does lag.
"""

from __future__ import annotations

import asyncio

from gateway.clock import Clock
from gateway.relaying.relay import Relay
from gateway.store.due import due_since_ms, waiting
from gateway.store.engine import Store
from gateway.watching.metrics import RelayMetrics
from schemas.decisions import Lane

INTERVAL = 5.0
"""Seconds between two measurements."""


async def keep_measuring(relay: Relay, *, store: Store, metrics: RelayMetrics, clock: Clock) -> None:
    """Measure again and again, until cancelled. Raises ``LogUnavailableError``."""
    while True:
        metrics.waiting(await lag(relay, store=store, now_ms=int(clock().timestamp() * 1000)))
        await asyncio.sleep(INTERVAL)


async def lag(relay: Relay, *, store: Store, now_ms: int) -> dict[Lane, tuple[int, float]]:
    """Return for each lane how many dispatches are pending, and for how many seconds one could have been published.

    Raises ``LogUnavailableError``.
    """
    counts, lags = dict.fromkeys(Lane, 0), dict.fromkeys(Lane, 0)
    async with store.reading() as connection:
        for route, (count, first_ms) in (await waiting(connection)).items():
            counts[route.lane] += count
            free_ms = relay.free_since_ms(route)
            if free_ms is None or now_ms - max(first_ms, free_ms) <= lags[route.lane]:
                continue  # it can't be sent, or lags less than another
            since_ms = await due_since_ms(connection, route, now_ms=now_ms)
            if since_ms is not None:
                lags[route.lane] = max(lags[route.lane], now_ms - max(since_ms, free_ms))
    return {lane: (counts[lane], lags[lane] / 1000) for lane in Lane}

"""The watch over what waits: nothing goes out under an agreement that has lapsed since it was decided.

A relay asks it of everything that it is about to publish, by the registry as it is at that moment; and whenever
something may have lapsed, because an agreement's time turned or a party spoke, all that waits is looked through, what
waits for its next attempt too. So a suspension holds from the moment that this process knows of it, and the evidence
follows within a second. What is on the bus already is recalled (``gateway.relaying.recalling``), and ends when its
adapter says that it did not hand it over; its deadline is no later than the agreement's end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import Row

from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.store.committer import Committer
from gateway.store.dispatches import Settled
from gateway.store.engine import Store
from gateway.store.withholding import Lapsed, Way, WithholdingWriter, waiting_on, waiting_ways, way_of
from gateway.trust.registry import CurrentRegistry, UnknownVersionError
from schemas.decisions import Reason
from schemas.ids import DeliveryId

log = structlog.get_logger(__name__)

TICK: Final = 0.1
"""Seconds between two looks whether something may have lapsed."""
LIMIT: Final = 500


class Withholder:
    """Ends dispatches whose clause lets nothing pass any more."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        store: Store,
        committer: Committer,
        clock: Clock,
        on_withheld: Callable[[Settled], None],
    ) -> None:
        self._registry = registry
        self._store = store
        self._committer = committer
        self._clock = clock
        self._writer = WithholdingWriter()
        self._on_withheld = on_withheld

    async def run(self) -> None:
        """Watch until cancelled, also where the database is away for a while."""
        seen: object = None
        while True:
            stretch = self._registry.stretch(self._clock())
            if stretch != seen:
                try:
                    await self.sweep()
                    seen = stretch
                except LogUnavailableError:
                    log.warning("withholding_waits_for_the_log")
            await asyncio.sleep(TICK)

    def passing(self, rows: Sequence[Row[Any]]) -> tuple[list[Row[Any]], list[Lapsed]]:
        """Return those of some due dispatches that may go out now, and those that never may.

        What is under an agreement that this process does not know is neither: it waits until somebody does.
        """
        may_go, lapsed = [], []
        for row in rows:
            try:
                reason = self._lapse(way_of(row))
            except UnknownVersionError:
                continue
            if reason is None:
                may_go.append(row)
            else:
                lapsed.append(Lapsed(DeliveryId(row.delivery_id), reason))
        return may_go, lapsed

    async def withhold(self, lapsed: Sequence[Lapsed]) -> int:
        """End dispatches; return how many of them were still pending. Raises ``LogUnavailableError``."""
        ended = 0
        for settled in await asyncio.gather(*(self._committer.submit(self._writer, each) for each in lapsed)):
            if settled is not None:
                ended += 1
                log.warning("delivery_withheld", delivery_id=settled.delivery_id, participant=settled.route.recipient)
                self._on_withheld(settled)
        return ended

    async def sweep(self) -> int:
        """End everything that waits and may go out no more; return how much. Raises ``LogUnavailableError``."""
        async with self._store.reading() as connection:
            ways = await waiting_ways(connection)
        ended = 0
        for way in ways:
            try:
                reason = self._lapse(way)
            except UnknownVersionError:
                log.warning("agreement_not_known", agreement=way.under.agreement, version=way.under.version)
                continue
            if reason is not None:
                ended += await self._withhold_on(way, reason)
        return ended

    async def _withhold_on(self, way: Way, reason: Reason) -> int:
        ended = 0
        while True:
            async with self._store.reading() as connection:
                found = await waiting_on(connection, way, limit=LIMIT)
            if not found:
                return ended
            ended += await self.withhold([Lapsed(each, reason) for each in found])

    def _lapse(self, way: Way) -> Reason | None:
        return self._registry.lapse(way.under, way.sender, way.recipient, self._clock())

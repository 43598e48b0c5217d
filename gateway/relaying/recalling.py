"""Recalling what is on the bus: under what has lapsed nothing goes out that was let out before.

Which versions have lapsed, and which parties have left one, is worked out from the registry alone, whenever it or the
time has turned, and at the beginning of each term: so a relay that dies between a suspension and its recall is made
good for by the next. What was told in this term is told again only if it lapsed anew. The same recall twice is one.

A recall names the state of the registry that it comes from (``CurrentRegistry.version``), and a parcel the state by
which it was let out. What the registry says is enough here, whatever the clock says: a suspension counts as soon as it
is known, and one that is lifted recalls nothing any more. That a version's time runs out needs no recall, for no
parcel's deadline is later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeAlias

import structlog

from agreements.life import State
from bus.contract import BusUnavailableError, Publisher
from bus.recalls import write_recall
from gateway.clock import Clock
from gateway.trust.registry import CurrentRegistry
from schemas.ids import AgreementId, JurisdictionCode
from schemas.parcels import Recall

log = structlog.get_logger(__name__)

TICK: Final = 0.1
"""Seconds between two looks whether something may have lapsed."""
PAUSE: Final = 1.0
"""Seconds until a bus that did not take a recall is asked again."""

Lapse: TypeAlias = tuple[AgreementId, int | None, JurisdictionCode | None, int]
"""An agreement, its version or all of them, whom it concerns, and which suspension it is where it is one."""


class Recaller:
    """Tells the adapters of everything that has lapsed."""

    def __init__(self, *, registry: CurrentRegistry, bus: Publisher, clock: Clock, origin: str) -> None:
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._origin = origin
        self._told: frozenset[Lapse] = frozenset()

    async def run(self) -> None:
        """Recall until cancelled, also where the bus is away for a while."""
        seen: object = None
        while True:
            stretch = self._registry.stretch(self._clock())
            if stretch != seen:
                try:
                    await self.recall()
                    seen = stretch
                except BusUnavailableError as error:
                    log.critical("recalls_wait_for_the_bus", reason=str(error))
                    await asyncio.sleep(PAUSE)
            await asyncio.sleep(TICK)

    async def recall(self) -> None:
        """Publish what has lapsed and was not told. Raises ``BusUnavailableError``; all of it is then told again."""
        now, as_of = self._clock(), self._registry.version
        found = frozenset(lapses(self._registry, now))
        fresh = sorted(found - self._told, key=str)
        recalls = [Recall(name, version, party, as_of, at=now) for name, version, party, _ in fresh]
        await self._bus.publish_all([write_recall(each, origin=self._origin) for each in recalls])
        self._told = found
        for each in recalls:
            log.warning(
                "recall_published", agreement=each.agreement, version=each.version, party=each.party, as_of=as_of
            )


def lapses(registry: CurrentRegistry, now: datetime) -> Iterator[Lapse]:
    """Yield what has lapsed by a registry, at an instant."""
    for name in registry.altered:
        yield name, None, None, 0
    for (name, version), chapter in registry.counting.chapters.items():
        life = chapter.life
        if life.ended is not None or registry.state((name, version), now) is State.REPLACED:
            yield name, version, None, 0
        elif life.open_suspension is not None:
            yield name, version, None, len(life.suspensions)
        else:
            for party, member in life.members.items():
                if member.until is not None:
                    yield name, version, party, 0

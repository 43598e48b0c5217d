"""What the exchange has recalled: asked before each hand-over, and never answered blindly.

One watch serves all workers of a process. It reads the whole bulletin of recalls over and over; each time that it comes
to the end it knows every recall that was published before it began to read. An answer rests on such a reading that
began at most ``FRESH`` seconds before the question. Where there is none yet, because the watch has only started, the
bus is away, or the watch is dead, the question waits: nobody hands over in the meantime.

A record that can't be read is told of and left alone: it recalls nothing, as nobody knows what it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import structlog

from bus.contract import Bulletin, Bus, BusUnavailableError, Record
from bus.headers import MalformedRecordError
from bus.recalls import read_recall
from bus.topics import RECALLED
from schemas.ids import AgreementId, JurisdictionCode, home_of
from schemas.parcels import Parcel, Recall

log = structlog.get_logger(__name__)

INTERVAL: Final = 0.2
"""Seconds between two readings."""
FRESH: Final = 0.5
"""Seconds before a question at which the reading that it is answered by may have begun."""
PAUSE: Final = 1.0
"""Seconds until a bus that is away is tried again."""

_Name: TypeAlias = tuple[AgreementId, int | None, JurisdictionCode | None]


class Recalls(Protocol):
    """Who knows what must not be handed over any more."""

    async def recalled(self, parcel: Parcel) -> bool:
        """Say whether a parcel was recalled, and wait until that is known."""
        ...


class _NoRecalls:
    """For a partner who has every parcel already."""

    async def recalled(self, parcel: Parcel) -> bool:  # noqa: ARG002 - whatever it is
        """Say that it was not: there is nothing left to hand over."""
        return False


UNRECALLABLE: Final[Recalls] = _NoRecalls()
"""For partners who read their own topics: what is on the bus is theirs, and counts as delivered."""


class RecallWatch:
    """Reads the recalls of a bus, for every worker of a process; see ``Recalls``."""

    def __init__(self, bus: Bus, *, interval: float = INTERVAL, pause: float = PAUSE) -> None:
        """Look every ``interval`` seconds, and try a bus that is away after each ``pause``."""
        self._bus = bus
        self._interval = interval
        self._pause = pause
        self._bulletin: Bulletin | None = None
        self._recalls: dict[_Name, Recall] = {}
        self._known_at = float("-inf")
        self._read = asyncio.Condition()

    async def run(self) -> None:
        """Read until cancelled, also where the bus is away for a while."""
        try:
            while True:
                try:
                    await self._look()
                except BusUnavailableError as error:
                    log.warning("recalls_not_known", reason=str(error), pause=self._pause)
                    await asyncio.sleep(self._pause)
                await asyncio.sleep(self._interval)
        finally:
            if self._bulletin is not None:
                await self._bulletin.close()

    async def recalled(self, parcel: Parcel) -> bool:
        """Say whether a parcel was recalled, by a reading that is fresh."""
        since = asyncio.get_running_loop().time() - FRESH
        if self._known_at < since:
            async with self._read:
                await self._read.wait_for(lambda: self._known_at >= since)
        return any(recall.covers(parcel) for recall in self._recalls_of(parcel))

    async def _look(self) -> None:
        if self._bulletin is None:
            self._bulletin = self._bus.bulletin(RECALLED)
        began = asyncio.get_running_loop().time()
        news = await self._bulletin.news()
        for record in news:
            self._take(record)
        async with self._read:
            self._known_at = began
            self._read.notify_all()

    def _take(self, record: Record) -> None:
        try:
            recall = read_recall(record)
        except MalformedRecordError as error:
            log.error("recall_unreadable", reason=error.reason)  # noqa: TRY400 - a traceback may repeat the record
            return
        name = recall.agreement, recall.version, recall.party
        known = self._recalls.get(name)
        if known is None or known.as_of < recall.as_of:
            self._recalls[name] = recall
            log.warning(
                "recall_known",
                agreement=recall.agreement,
                version=recall.version,
                party=recall.party,
                as_of=recall.as_of,
            )

    def _recalls_of(self, parcel: Parcel) -> Sequence[Recall]:
        """Return the recalls that may cover a parcel: of its agreement, its version, or one of its jurisdictions."""
        under = parcel.under
        parties = None, home_of(parcel.sender), home_of(parcel.recipient)
        names = [(under.agreement, version, party) for version in (None, under.version) for party in parties]
        return [self._recalls[name] for name in names if name in self._recalls]

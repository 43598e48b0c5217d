"""When a relay has to look at which route."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from gateway.store.dispatches import Route
from schemas.decisions import Lane
from schemas.ids import ParticipantId


class Agenda:
    """Routes by the instants at which something is due on them, in milliseconds since the Unix epoch."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, ParticipantId, Lane]] = []
        self._noted: set[tuple[int, ParticipantId, Lane]] = set()

    def add(self, route: Route, *, at_ms: int) -> None:
        """Note that something is due on a route at an instant; what is noted already, as by every sweep, is so once."""
        entry = at_ms, route.recipient, route.lane
        if entry not in self._noted:
            self._noted.add(entry)
            heapq.heappush(self._heap, entry)

    def take(self, now_ms: int) -> Iterator[Route]:
        """Yield the routes whose instants have come, and cross them out."""
        while self._heap and self._heap[0][0] <= now_ms:
            entry = heapq.heappop(self._heap)
            self._noted.discard(entry)
            yield Route(entry[1], entry[2])

"""What is between bus and outcome on each route, and how much more may join it.

A partner that is down is held back here and nowhere else: once it has deferred a few deliveries and taken none its
breaker opens, and one dispatch at a time tries it, whatever its lane. And no route has more than a window of parcels
between bus and outcome, so that what waits for it waits in the database and delays nobody else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.breaker import Breaker
from gateway.store.dispatches import EXPIRED, Published, Route, Settled
from schemas.decisions import Lane
from schemas.ids import DeliveryId, ParticipantId
from schemas.parcels import Parcel


@dataclass(frozen=True, slots=True)
class Sent:
    """A parcel between bus and outcome: which attempt, and since when, in milliseconds since the Unix epoch."""

    attempt: int
    since_ms: int


class Traffic:
    """Counts what is on its way. A ``window`` is how many parcels of one route may be."""

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._on_their_way: defaultdict[Route, dict[DeliveryId, Sent]] = defaultdict(dict)
        self._unmarked: dict[DeliveryId, Published] = {}
        self._breakers: defaultdict[ParticipantId, Breaker] = defaultdict(Breaker)

    def room(self, route: Route, now_ms: int) -> int:
        """Return how many parcels may go on their way: none while the breaker is open, one while it is being tried."""
        breaker = self._breakers[route.recipient]
        if breaker.open_until_ms > now_ms:
            return 0
        if breaker.tripped:
            return 0 if any(self._on_their_way[Route(route.recipient, lane)] for lane in Lane) else 1
        return max(0, self._window - len(self._on_their_way[route]))

    def is_tried(self, recipient: ParticipantId) -> bool:
        """Whether one parcel alone is to show if the recipient takes anything again."""
        return self._breakers[recipient].tripped

    def known(self, route: Route) -> frozenset[DeliveryId]:
        """Return what is on its way on a route now."""
        return frozenset(self._on_their_way[route])

    def unmarked_on(self, route: Route) -> int:
        """Return how many parcels of a route are on the bus, and pending in the database still."""
        return sum(delivery in self._unmarked for delivery in self._on_their_way[route])

    def claim(self, route: Route, parcels: Iterable[Parcel], now_ms: int) -> None:
        """Give parcels their places, before the bus is asked to take them."""
        self._on_their_way[route].update((each.delivery_id, Sent(each.attempt, now_ms)) for each in parcels)

    def taken(self, route: Route, parcels: Iterable[Parcel]) -> None:
        """Take note of what is on the bus, to be marked unless its outcome was faster."""
        on_their_way = self._on_their_way[route]
        for parcel in parcels:
            if parcel.delivery_id in on_their_way:
                self._unmarked[parcel.delivery_id] = Published(parcel.delivery_id, parcel.attempt)

    def not_taken(self, route: Route, parcels: Iterable[Parcel]) -> None:
        """Give back the places of what the bus did not take."""
        for parcel in parcels:
            self._on_their_way[route].pop(parcel.delivery_id, None)

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees a place in the route's window, and moves the breaker."""
        on_their_way = self._on_their_way[outcome.route]
        sent = on_their_way.get(outcome.delivery_id)
        if sent is not None and outcome.answers(sent.attempt):
            del on_their_way[outcome.delivery_id]
            self._unmarked.pop(outcome.delivery_id, None)
        if outcome.changed and outcome.state != EXPIRED:  # a deadline says nothing of the partner
            self._breakers[outcome.route.recipient].record(outcome)

    def marks(self) -> Sequence[Published]:
        """Return what is on the bus, and neither answered for nor marked."""
        return tuple(self._unmarked.values())

    def marked(self, marks: Iterable[Published]) -> None:
        """Take note that marks are written."""
        for mark in marks:
            if self._unmarked.get(mark.delivery_id) is mark:
                del self._unmarked[mark.delivery_id]

    def unanswered(self, before_ms: int) -> Counter[ParticipantId]:
        """Return how many parcels of each recipient are on their way since before an instant."""
        return Counter(
            route.recipient
            for route, on_their_way in self._on_their_way.items()
            for sent in on_their_way.values()
            if sent.since_ms < before_ms
        )

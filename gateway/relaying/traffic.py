"""What is between bus and outcome on each route, and how much more may join it.

A partner that is down is held back here and nowhere else: once it has deferred a few deliveries and taken none its
breaker opens, and one dispatch at a time tries it, whatever its lane. And no route has more than a window of parcels
between bus and outcome, so that what waits for it waits in the database and delays nobody else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.relaying.breaker import Breaker
from gateway.store.dispatches import EXPIRED, WITHHELD, Published, Route, Settled
from schemas.decisions import Lane
from schemas.ids import DeliveryId, ParticipantId
from schemas.parcels import Parcel


@dataclass(frozen=True, slots=True)
class Sent:
    """A parcel between bus and outcome: which attempt, and since when, in milliseconds since the Unix epoch."""

    attempt: int
    since_ms: int


class Traffic:
    """Counts what is on its way.

    A ``window`` is how many parcels of one route may be. Seconds of ``patience`` are given to the first publication of
    an attempt to be reported on, and twice as many to each further one.
    """

    def __init__(self, *, window: int, patience: float) -> None:
        self._window = window
        self._patience_ms = int(patience * 1000)
        self._publishing: set[Route] = set()
        self._lost: Counter[DeliveryId] = Counter()
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

    def is_publishing(self, route: Route) -> bool:
        """Whether the bus has been asked to take parcels of a route, and has not said that it did."""
        return route in self._publishing

    def adopt(self, route: Route, delivery_id: DeliveryId, sent: Sent) -> None:
        """Take note of a parcel that somebody else put on the bus, and marked."""
        self._on_their_way[route][delivery_id] = sent

    def claim(self, route: Route, parcels: Iterable[Parcel], now_ms: int) -> None:
        """Give parcels their places, before the bus is asked to take them."""
        self._publishing.add(route)
        self._on_their_way[route].update((each.delivery_id, Sent(each.attempt, now_ms)) for each in parcels)

    def published(self, route: Route, *, taken: Iterable[Parcel], refused: Iterable[Parcel], now_ms: int) -> None:
        """Take note of what the bus took, to be marked unless its outcome was faster, and what it did not take."""
        self._publishing.discard(route)
        on_their_way = self._on_their_way[route]
        for parcel in taken:
            if parcel.delivery_id in on_their_way:
                due_ms = now_ms + (self._patience_ms << self._lost[parcel.delivery_id])
                self._unmarked[parcel.delivery_id] = Published(parcel.delivery_id, parcel.attempt, due_ms)
        for parcel in refused:
            on_their_way.pop(parcel.delivery_id, None)

    def reopened(self, route: Route, delivery_id: DeliveryId) -> None:
        """Give back the place of a parcel that nobody reported on."""
        self._on_their_way[route].pop(delivery_id, None)
        self._lost[delivery_id] += 1

    def marked_before(self, before_ms: int) -> Sequence[tuple[Route, DeliveryId, Sent]]:
        """Return what has been on its way since before an instant, and is marked."""
        return [
            (route, delivery_id, sent)
            for route, on_their_way in self._on_their_way.items()
            if route not in self._publishing
            for delivery_id, sent in on_their_way.items()
            if sent.since_ms < before_ms and delivery_id not in self._unmarked
        ]

    def forget(self, route: Route, delivery_id: DeliveryId, sent: Sent) -> None:
        """Give back the place of a parcel that is not on its way any more, unless it is so anew."""
        if self._on_their_way[route].get(delivery_id) is sent:
            del self._on_their_way[route][delivery_id]
            self._lost.pop(delivery_id, None)

    def settled(self, outcome: Settled) -> None:
        """Take note of an outcome: it frees a place in the route's window, and moves the breaker."""
        on_their_way = self._on_their_way[outcome.route]
        sent = on_their_way.get(outcome.delivery_id)
        if sent is not None and outcome.answers(sent.attempt):
            del on_their_way[outcome.delivery_id]
            self._unmarked.pop(outcome.delivery_id, None)
        self._lost.pop(outcome.delivery_id, None)
        if outcome.changed and outcome.state not in (EXPIRED, WITHHELD):  # neither says nothing of the partner
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

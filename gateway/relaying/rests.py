"""Holding back what the bus does not take, so that it is tried again without pressing, and holds up nothing else.

A topic may be missing, or may not take us: then all of a route is refused, and the route *rests*. Or there is something
about one parcel alone: then it rests by itself, and those that were to go with it are on their way. Rests double.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.store.dispatches import Route
from schemas.ids import DeliveryId

FIRST_MS: Final = 250
LONGEST_MS: Final = 5_000
"""How long a route waits at most, in milliseconds, once its topic is there again."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A pause of a length, until an instant; both in milliseconds, the latter since the Unix epoch."""

    length_ms: int
    until_ms: int


class Rests:
    """Knows what rests, and until when."""

    def __init__(self) -> None:
        self._routes: dict[Route, Rest] = {}
        self._parcels: defaultdict[Route, dict[DeliveryId, Rest]] = defaultdict(dict)

    def __bool__(self) -> bool:
        """Whether there is anything that the bus did not take when it was last asked."""
        return bool(self._routes) or any(self._parcels.values())

    def rests(self, route: Route, now_ms: int) -> bool:
        """Whether nothing of a route is to be published now."""
        rest = self._routes.get(route)
        return rest is not None and rest.until_ms > now_ms

    def parcels(self, route: Route, now_ms: int) -> frozenset[DeliveryId]:
        """Return which parcels of a route are not to be published now."""
        return frozenset(delivery for delivery, rest in self._parcels[route].items() if rest.until_ms > now_ms)

    def met(self, route: Route, *, taken: Iterable[DeliveryId], refused: Iterable[DeliveryId], now_ms: int) -> None:
        """Take note of what became of parcels that went to the bus together."""
        alone, some_taken, refusals = self._parcels[route], False, tuple(refused)
        for delivery in taken:
            some_taken = True
            alone.pop(delivery, None)
        if some_taken:
            self._routes.pop(route, None)
        if some_taken or all(delivery in alone for delivery in refusals):
            alone.update((delivery, _longer(alone.get(delivery), now_ms)) for delivery in refusals)
        else:
            self._routes[route] = _longer(self._routes.get(route), now_ms)

    def ended(self, route: Route, delivery: DeliveryId) -> None:
        """Forget a parcel, for it is not to be published any more."""
        self._parcels[route].pop(delivery, None)

    def emptied(self, route: Route) -> None:
        """Forget that a route rested, for it has nothing to publish."""
        self._routes.pop(route, None)


def _longer(rest: Rest | None, now_ms: int) -> Rest:
    length = FIRST_MS if rest is None else min(2 * rest.length_ms, LONGEST_MS)
    return Rest(length, now_ms + length)

"""Places: how many connections one process holds, in all and of one address.

A place is taken when a connection is accepted, before its TLS handshake, so a client that never finishes one counts.
An IPv6 address counts by its /64, which is what one subscriber gets (RFC 6177). Many clients are behind a trusted
proxy, and behind a shared address (a balancer that passes TLS through, a network that translates): both are held to the
number in all alone, and only the proxy is believed when it says which certificate it was shown.

When all places are taken, who has rested longest between two requests gives way to whoever comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_SUBSCRIBER: Final = 64


class Reason(StrEnum):
    """Why a connection was not taken, or was ended."""

    FULL = "too-many-connections"
    FULL_FOR_ADDRESS = "too-many-connections-of-address"
    HANDSHAKE = "handshake-failed"
    HEAD = "head-too-slow"
    BODY = "body-too-slow"
    ANSWER = "answer-not-taken"
    MALFORMED = "malformed-request"
    HEAD_TOO_LONG = "head-too-long"
    GAVE_WAY = "idle-gave-way"
    PIPELINED = "request-before-the-last-answer"


class NoPlaceError(Exception):
    """The connection is one too many; ``reason`` says of which count."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Place:
    """One connection's place; ``proxy`` says whether a trusted proxy has it."""

    __slots__ = ("_key", "_places", "give_way", "proxy")

    def __init__(self, places: Places, key: str | None, *, proxy: bool) -> None:
        self._places: Places | None = places
        self._key = key
        self.give_way: Callable[[], None] | None = None
        """How to end the connection at once; called only while it rests, and only once."""
        self.proxy = proxy

    def rest(self) -> None:
        """Say that the connection waits for its next request, and may be ended for another's sake."""
        if self._places is not None:
            self._places.resting[self] = None

    def work(self) -> None:
        """Say that the connection is in use again."""
        if self._places is not None:
            self._places.resting.pop(self, None)

    def leave(self) -> None:
        """Give the place back. Idempotent."""
        self.work()
        places, self._places = self._places, None
        self.give_way = None
        if places is not None:
            places.give_back(self._key)


class Places:
    """The places of one process."""

    def __init__(
        self,
        *,
        total: int,
        per_address: int,
        trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
        shared: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._total = total
        self._per_address = per_address
        self._trusted = tuple(trusted_proxies)
        self._shared = tuple(shared)
        self._held: Counter[str | None] = Counter()
        self._taken = 0
        self.resting: dict[Place, None] = {}
        """Those who wait for a next request, in the order in which they began to."""

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._taken

    def take(self, host: str) -> Place:
        """Return a place for a connection from ``host``, an IP address in text. Raises ``NoPlaceError``."""
        address = _plain(host)
        proxy = any(address in network for network in self._trusted)
        of_many = proxy or any(address in network for network in self._shared)
        key = None if of_many else _counted_as(address)
        if key is not None and self._held[key] >= self._per_address:
            raise NoPlaceError(Reason.FULL_FOR_ADDRESS)
        if self._taken >= self._total and not self._make_room():
            raise NoPlaceError(Reason.FULL)
        self._taken += 1
        self._held[key] += 1
        return Place(self, key, proxy=proxy)

    def _make_room(self) -> bool:
        """Say whether one who rested gave way."""
        longest = next(iter(self.resting), None)
        if longest is None:
            return False
        give_way = longest.give_way
        longest.leave()
        if give_way is not None:
            give_way()
        return True

    def give_back(self, key: str | None) -> None:
        """Count one connection of ``key`` less; a place calls this once."""
        self._taken -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


def _plain(host: str) -> IPv4Address | IPv6Address:
    """Return an address without its zone, and an IPv4 one as itself where it came mapped into IPv6."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _counted_as(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _SUBSCRIBER), strict=False))

"""Which addresses an exchange connects to when it hands something over.

A partner's URL is a partner's word: behind its name may stand an address inside the exchange's own network. So a
host is used only where the authority statement lists it, and an address only where it is public or where the
statement lists the address itself. Listing a name never opens a private address, since whoever runs the name's DNS
could then point it anywhere (server-side request forgery by DNS rebinding).

Public is a list of what is, not of what is not:

* IPv4: what IANA's special-purpose registry calls globally reachable (RFC 6890), without multicast, reserved space,
  protocol assignments, the 6to4 relay's anycast prefix, and the one metadata address that lies in public space;
* IPv6: global unicast, 2000::/3, where that registry calls it globally reachable, without 6to4 (RFC 3056), which
  embeds an IPv4 address, and the documentation prefix 3fff::/20 (RFC 9637).

Loopback, private, link-local and shared (carrier-grade NAT) space, the unspecified address, IPv4-mapped IPv6, NAT64
and the clouds' metadata addresses all fall outside.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

Resolver: TypeAlias = Callable[[str, int], Awaitable[tuple[Address, ...]]]
"""Returns the addresses of a host and port, the preferred one first; raises ``OSError`` where there are none."""

_NOT_FOR_PARTNERS_4: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, of which some are reachable; Oracle's metadata lies here too
    IPv4Network("192.88.99.0/24"),  # 6to4 relay anycast, deprecated by RFC 7526
    IPv4Network("168.63.129.16/32"),  # Azure's metadata and DNS, the same address in every customer's network
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NOT_FOR_PARTNERS_6: Final = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))


class AddressNotAllowedError(Exception):
    """The authority statement does not allow this host, or what it resolves to."""


def is_public(address: Address) -> bool:
    """Whether anyone on the Internet is meant to reach this address."""
    match address:
        case IPv4Address():
            ordinary = address.is_global and not address.is_multicast and not address.is_reserved
            return ordinary and not any(address in network for network in _NOT_FOR_PARTNERS_4)
        case IPv6Address():
            ordinary = address.is_global and address in _GLOBAL_UNICAST
            return ordinary and not any(address in network for network in _NOT_FOR_PARTNERS_6)


@lru_cache(maxsize=1024)
def literal_address(host: str) -> Address | None:
    """Return the address that a host is, if it is written as one."""
    try:
        return ip_address(host)
    except ValueError:
        return None


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Return the addresses that the system's resolver gives for a host. Raises ``OSError`` where it gives none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is empty or too long (RFC 5891) never gets as far as the resolver
        raise OSError("no name") from None
    return tuple(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


class Remembering:
    """A resolver that asks another at most once in ``seconds`` for each name; those who ask meanwhile share the answer.

    A thousand messages a second to one partner are not a thousand look-ups. A failure is not remembered. For one event
    loop.
    """

    def __init__(self, resolve: Resolver, *, seconds: float = 1.0) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._asked: dict[tuple[str, int], asyncio.Task[tuple[Address, ...]]] = {}

    async def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the addresses of a host and port, at most ``seconds`` old; raises ``OSError`` as the other does."""
        name = host, port
        asked = self._asked.get(name)
        if asked is None:
            asked = self._asked[name] = asyncio.create_task(self._ask(host, port))
            asked.add_done_callback(_is_known)
        return await asyncio.shield(asked)  # who gives up waiting does not end the look-up for the others

    async def _ask(self, host: str, port: int) -> tuple[Address, ...]:
        try:
            found = await self._resolve(host, port)
        except BaseException:
            del self._asked[host, port]
            raise
        asyncio.get_running_loop().call_later(self._seconds, self._asked.pop, (host, port))
        return found


def _is_known(asked: asyncio.Task[tuple[Address, ...]]) -> None:
    """Take note of a failure, which asyncio would log where everybody has given up waiting for it."""
    if not asked.cancelled():
        asked.exception()


@dataclass(frozen=True, slots=True)
class AllowList:
    """The hosts of an authority statement: names, compared without regard to case, and literal addresses."""

    names: frozenset[str]
    addresses: frozenset[Address]

    @classmethod
    def of(cls, hosts: Iterable[str]) -> AllowList:
        """Return the allow-list of a statement's ``hosts``; an empty one allows nothing."""
        literals = {host: literal_address(host) for host in hosts}
        return cls(
            names=frozenset(host.lower() for host, address in literals.items() if address is None),
            addresses=frozenset(address for address in literals.values() if address is not None),
        )

    async def addresses_of(self, host: str, port: int, *, resolve: Resolver) -> tuple[Address, ...]:
        """Return the addresses at which a host may be reached now, the preferred one first.

        All that the name resolves to must be allowed: one private address among public ones is not an accident.
        Raises ``AddressNotAllowedError``, and ``OSError`` where the name has no address.
        """
        literal = literal_address(host)
        if literal is not None:
            self._require(literal in self.addresses)
            return (literal,)
        self._require(host.lower() in self.names)
        addresses = await resolve(host, port)
        self._require(all(is_public(address) or address in self.addresses for address in addresses))
        return addresses

    @staticmethod
    def _require(allowed: bool) -> None:  # noqa: FBT001 - the one thing that is asked
        if not allowed:
            raise AddressNotAllowedError

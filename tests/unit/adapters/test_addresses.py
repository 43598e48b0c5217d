"""Which addresses may be connected to: public ones, and private ones that the statement lists."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from adapters.transports.addresses import (
    Address,
    AddressNotAllowedError,
    AllowList,
    Remembering,
    is_public,
    literal_address,
    resolve,
)

PUBLIC = ip_address("93.184.215.14")
PRIVATE = ip_address("10.1.2.3")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "2a00::1"]
)
def test_public_addresses(address: str) -> None:
    """An address that anyone on the Internet may reach is public."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address, not a place to listen
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_all_others_are_private(address: str) -> None:
    """Loopback, private, shared, link-local, mapped, translated, reserved and metadata addresses are not public."""
    assert not is_public(ip_address(address))


async def no_look_up(_host: str, _port: int) -> tuple[Address, ...]:
    """Fail where a name is looked up that should not be."""
    pytest.fail("the name was looked up")


def found(*addresses: Address) -> AllowList:
    """Return an allow-list with one name and some addresses."""
    return AllowList.of(["Partner.Example", *(str(address) for address in addresses)])


async def test_a_listed_name_with_public_addresses_is_allowed() -> None:
    """A name is compared without regard to case, and its addresses keep the resolver's order."""
    other = ip_address("2606:4700::1111")

    async def resolve(host: str, port: int) -> tuple[Address, ...]:
        assert (host, port) == ("PARTNER.example", 8443)
        return (other, PUBLIC)

    assert await found().addresses_of("PARTNER.example", 8443, resolve=resolve) == (other, PUBLIC)


@pytest.mark.parametrize("host", ["other.example", "sub.partner.example", "partner.example.", "example", ""])
async def test_a_name_that_is_not_listed_is_not_even_looked_up(host: str) -> None:
    """A name must be the listed one, whole; what is refused leaves no trace in anybody's DNS."""
    with pytest.raises(AddressNotAllowedError):
        await found().addresses_of(host, 443, resolve=no_look_up)


async def test_a_private_address_behind_a_listed_name() -> None:
    """A listed name does not open a private address; listing the address does, for that address alone."""

    async def resolve(_host: str, _port: int) -> tuple[Address, ...]:
        return (PUBLIC, PRIVATE)

    with pytest.raises(AddressNotAllowedError):
        await found().addresses_of("partner.example", 443, resolve=resolve)
    with pytest.raises(AddressNotAllowedError):
        await found(ip_address("10.1.2.4")).addresses_of("partner.example", 443, resolve=resolve)
    assert await found(PRIVATE).addresses_of("partner.example", 443, resolve=resolve) == (PUBLIC, PRIVATE)


@pytest.mark.parametrize("host", ["93.184.215.14", "10.1.2.3", "::1", "2606:4700::1111"])
async def test_a_literal_address_must_be_listed(host: str) -> None:
    """A URL with an address in it needs the address in the statement, public or not, in whatever spelling."""
    with pytest.raises(AddressNotAllowedError):
        await found().addresses_of(host, 443, resolve=no_look_up)
    address = ip_address(host)
    assert await found(address).addresses_of(host, 443, resolve=no_look_up) == (address,)
    spelt_out = AllowList.of([address.exploded.upper()])
    assert await spelt_out.addresses_of(host, 443, resolve=no_look_up) == (address,)


@pytest.mark.parametrize("host", ["127.1", "0x7f.0.0.1", "2130706433", "017700000001", "[::1]", "localhost"])
def test_other_spellings_are_names(host: str) -> None:
    """What only some resolvers take for an address is a name: it must be listed, and what it resolves to counts."""
    assert literal_address(host) is None


async def test_an_empty_list_allows_nothing() -> None:
    """No hosts means nowhere."""
    for host in ("partner.example", "93.184.215.14"):
        with pytest.raises(AddressNotAllowedError):
            await AllowList.of([]).addresses_of(host, 443, resolve=no_look_up)


async def test_the_systems_resolver() -> None:
    """The system's resolver gives each address once, and an OSError for a name that can't be."""
    addresses = await resolve("localhost", 443)
    assert ip_address("127.0.0.1") in addresses or ip_address("::1") in addresses
    assert len(set(addresses)) == len(addresses)
    for name in ("partner.invalid", "partner..example", "x" * 64 + ".example"):
        with pytest.raises(OSError, match=r".+"):
            await resolve(name, 443)


async def test_a_look_up_is_shared_and_remembered_for_a_moment() -> None:
    """Those who ask together, or soon after, get one look-up's answer; later there is a new one."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> tuple[Address, ...]:
        asked.append(host)
        await asyncio.sleep(0)
        return (ip_address(f"203.0.114.{len(asked)}"),)

    remembering = Remembering(resolve, seconds=1.0)
    together = await asyncio.gather(*(remembering("partner.example", 443) for _ in range(5)))
    assert [*together, await remembering("partner.example", 443)] == [(ip_address("203.0.114.1"),)] * 6
    assert await remembering("other.example", 443) == (ip_address("203.0.114.2"),)
    await asyncio.sleep(1.1)
    assert await remembering("partner.example", 443) == (ip_address("203.0.114.3"),)


async def test_a_look_up_that_fails_is_not_remembered() -> None:
    """A name that could not be found is looked up again by the next message; who gives up disturbs no other."""
    release = asyncio.Event()
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> tuple[Address, ...]:
        await release.wait()
        asked.append(host)
        if len(asked) == 1:
            raise OSError("no such name")
        return (ip_address("203.0.114.1"),)

    remembering = Remembering(resolve)
    impatient, patient = (asyncio.create_task(remembering("partner.example", 443)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    release.set()
    with pytest.raises(OSError, match="no such name"):
        await patient
    assert await remembering("partner.example", 443) == (ip_address("203.0.114.1"),)

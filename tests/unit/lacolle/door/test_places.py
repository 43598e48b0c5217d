"""Places: so many in all, so many of an address, and each given back once."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lacolle.door.places import NoPlaceError, Places, Reason


def test_so_many_in_all() -> None:
    """One more than there are places is refused, until one is given back."""
    places = Places(total=2, per_address=2)
    first = places.take("192.0.2.1")
    places.take("192.0.2.2")
    with pytest.raises(NoPlaceError) as refused:
        places.take("192.0.2.3")
    assert refused.value.reason is Reason.FULL
    first.leave()
    first.leave()
    assert places.taken == 1
    places.take("192.0.2.3")


@pytest.mark.parametrize(
    ("held", "again"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff:2"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_so_many_of_an_address(held: str, again: str) -> None:
    """An address in another spelling, or another one of the same subscriber, counts with the first."""
    places = Places(total=9, per_address=1)
    places.take(held)
    with pytest.raises(NoPlaceError) as refused:
        places.take(again)
    assert refused.value.reason is Reason.FULL_FOR_ADDRESS
    assert not places.take("192.0.2.9").proxy


def test_a_trusted_proxy() -> None:
    """A proxy speaks for many: it is held to the number in all alone."""
    places = Places(total=3, per_address=1, trusted_proxies=[ip_network("10.0.0.0/8")])
    assert all(places.take("10.1.2.3").proxy for _ in range(3))
    with pytest.raises(NoPlaceError):
        places.take("10.1.2.3")


def test_a_shared_address() -> None:
    """Many clients behind one address are held to the number in all, and it is no proxy that is believed."""
    places = Places(total=3, per_address=1, shared=[ip_network("10.0.0.0/8")])
    assert not any(places.take("10.1.2.3").proxy for _ in range(3))
    with pytest.raises(NoPlaceError):
        places.take("10.1.2.3")


def test_who_rested_longest_gives_way() -> None:
    """When all places are taken, who has rested longest gives way, once, and who is in use never does."""
    places = Places(total=3, per_address=2)
    ended: list[int] = []
    first, second, third = (places.take(f"192.0.2.{number}") for number in range(3))
    for number, place in enumerate((first, second, third)):
        place.give_way = lambda number=number: ended.append(number)
        place.rest()
    first.work()
    first.rest()
    third.work()
    for newcomer in ("192.0.2.7", "192.0.2.8"):
        places.take(newcomer)
    assert (ended, places.taken) == ([1, 0], 3)
    second.leave()
    second.rest()
    with pytest.raises(NoPlaceError) as refused:
        places.take("192.0.2.9")
    assert (refused.value.reason, places.taken) == (Reason.FULL, 3)


def test_nobody_gives_way_in_vain() -> None:
    """An address that has all the places it may have takes none from others."""
    places = Places(total=2, per_address=1)
    places.take("192.0.2.1")
    places.take("192.0.2.2").rest()
    with pytest.raises(NoPlaceError) as refused:
        places.take("192.0.2.1")
    assert (refused.value.reason, places.taken) == (Reason.FULL_FOR_ADDRESS, 2)

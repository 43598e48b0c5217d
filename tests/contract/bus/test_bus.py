"""What every bus promises (``bus.contract``), tried on each implementation.

That something does *not* come is never shown by waiting: a marker is published after it, with the same key, and must
be the next to arrive.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bus.contract import Bulletin, Bus, BusUnavailableError, Received, Record, Subscription
from bus.embedded import EmbeddedBus
from tests.patience import GIVES_UP_AFTER

PATIENCE = GIVES_UP_AFTER


def record(topic: str, value: str, *, key: str = "key") -> Record:
    """Return a small record."""
    return Record(topic, key.encode(), value.encode(), (("ce_id", value.encode()),))


async def take(subscription: Subscription, count: int = 1) -> list[Received]:
    """Return the next ``count`` records, and fail rather than wait for ever."""
    async with asyncio.timeout(PATIENCE):
        return [await subscription.receive() for _ in range(count)]


def values(received: list[Received]) -> list[str]:
    """Return what the records say."""
    return [each.record.value.decode() for each in received]


async def test_a_record_arrives_as_it_was_published(bus: Bus, topic: str) -> None:
    """Topic, key, value and headers, with their order, are the publisher's, whatever bytes they hold."""
    sent = Record(topic, b"\x00\xffkey", b"\x00\xff" * 1000, (("b", b"\xff"), ("a", b""), ("c", "é".encode())))
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(sent)
    assert [each.record for each in await take(subscription)] == [sent]


async def test_records_of_one_key_arrive_in_order(bus: Bus, topic: str) -> None:
    """Order: however keys are mixed, those of one key arrive in the order in which they were published."""
    subscription = await bus.subscribe([topic], group="g")
    for number in range(60):
        await bus.publish(record(topic, f"{number:02}", key=f"key {number % 7}"))
    arrived = await take(subscription, 60)
    for key in {each.record.key for each in arrived}:
        of_key = [each.record.value for each in arrived if each.record.key == key]
        assert of_key == sorted(of_key)


async def test_every_group_receives_every_record(bus: Bus, topic: str) -> None:
    """Groups: what one group has done is still due to another."""
    one = await bus.subscribe([topic], group="one")
    other = await bus.subscribe([topic], group="other")
    for number in range(5):
        await bus.publish(record(topic, str(number)))
    for received in await take(one, 5):
        await one.done(received)
    assert values(await take(other, 5)) == ["0", "1", "2", "3", "4"]


async def test_within_a_group_each_record_goes_to_one_member(bus: Bus, topic: str) -> None:
    """Groups: two members share the records between them, none twice, and no key's out of order."""
    members = [await bus.subscribe([topic], group="g") for _ in range(2)]
    arrived: list[Record] = []
    complete = asyncio.Event()

    async def consume(subscription: Subscription) -> None:
        while True:
            received = await subscription.receive()
            arrived.append(received.record)
            if len(arrived) == 80:
                complete.set()
            await asyncio.sleep(0)
            await subscription.done(received)

    consumers = [asyncio.create_task(consume(member)) for member in members]
    for number in range(80):
        await bus.publish(record(topic, f"{number:02}", key=f"key {number % 9}"))
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await complete.wait()
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    assert Counter(each.value for each in arrived) == Counter(f"{number:02}".encode() for number in range(80))
    for key in {each.key for each in arrived}:
        of_key = [each.value for each in arrived if each.key == key]
        assert of_key == sorted(of_key)


async def test_a_key_stays_with_the_member_that_holds_it(bus: Bus, topic: str) -> None:
    """Order: a later record of a key never reaches another member while an earlier one is in hand."""
    members = [await bus.subscribe([topic], group="g") for _ in range(2)]
    await bus.publish(record(topic, "first"))
    waiting = [asyncio.create_task(member.receive()) for member in members]
    async with asyncio.timeout(PATIENCE):
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        holder = members[waiting.index(done.pop())]
        await bus.publish(record(topic, "second"))
        assert values(await take(holder)) == ["second"]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    assert all(task.cancelled() for task in others)


async def test_what_was_not_done_comes_again(bus: Bus, topic: str) -> None:
    """At least once: a subscription that closes gives back what it received, in order, before anything later."""
    first = await bus.subscribe([topic], group="g")
    for value in ("a", "b", "c"):
        await bus.publish(record(topic, value))
    assert values(await take(first, 2)) == ["a", "b"]
    await first.close()
    second = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "d"))
    assert values(await take(second, 4)) == ["a", "b", "c", "d"]


async def test_what_was_done_comes_no_more(bus: Bus, topic: str) -> None:
    """A record that is done is not delivered again to its group."""
    first = await bus.subscribe([topic], group="g")
    for value in ("a", "b"):
        await bus.publish(record(topic, value))
    for received in await take(first, 2):
        await first.done(received)
    await first.close()
    second = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "marker"))
    assert values(await take(second)) == ["marker"]


async def test_nothing_is_done_before_all_earlier_ones_are(bus: Bus, topic: str) -> None:
    """Done in any order: a record in hand comes again, and before whatever comes after it on its key."""
    first = await bus.subscribe([topic], group="g")
    for value in ("a", "b", "c", "d"):
        await bus.publish(record(topic, value))
    a, _b, c, d = await take(first, 4)
    for received in (d, a, c):
        await first.done(received)
    await first.close()
    second = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "marker"))
    arrived = values(await take(second))
    while arrived[-1] != "marker":
        arrived += values(await take(second))
    assert arrived[0] == "b"
    assert arrived == sorted(arrived)


async def test_a_done_that_was_given_back_counts_no_more(bus: Bus, topic: str) -> None:
    """A record that was done too early to be remembered is due again until it is done again."""
    first = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "a"))
    await bus.publish(record(topic, "b"))
    _, b = await take(first, 2)
    await first.done(b)
    await first.close()
    second = await bus.subscribe([topic], group="g")
    a, _ = await take(second, 2)
    await second.done(a)
    await second.close()
    third = await bus.subscribe([topic], group="g")
    assert values(await take(third)) == ["b"]


async def test_done_in_any_order_is_done_in_the_end(bus: Bus, topic: str) -> None:
    """Once every earlier record is done as well, none of them comes again."""
    first = await bus.subscribe([topic], group="g")
    for value in ("a", "b", "c"):
        await bus.publish(record(topic, value))
    for received in reversed(await take(first, 3)):
        await first.done(received)
    await first.close()
    second = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "marker"))
    assert values(await take(second)) == ["marker"]


async def test_done_twice_is_done_once(bus: Bus, topic: str) -> None:
    """Saying done again changes nothing, and never touches a later record of the key."""
    first = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "a"))
    (received,) = await take(first)
    await first.done(received)
    await bus.publish(record(topic, "b"))
    await first.done(received)
    await bus.publish(record(topic, "c"))
    assert values(await take(first, 2)) == ["b", "c"]
    await first.close()
    second = await bus.subscribe([topic], group="g")
    assert values(await take(second, 2)) == ["b", "c"]


async def test_an_earlier_topic_is_preferred(bus: Bus, topic: str, other_topic: str, travel: float) -> None:
    """Of two records that have both arrived, the one of the topic that was named first comes first."""
    subscription = await bus.subscribe([topic, other_topic], group="g")
    for value in ("routine 1", "routine 2", "routine 3"):
        await bus.publish(record(other_topic, value))
    for value in ("urgent 1", "urgent 2"):
        await bus.publish(record(topic, value))
    await asyncio.sleep(travel)
    assert values(await take(subscription, 3)) == ["urgent 1", "urgent 2", "routine 1"]
    await bus.publish(record(topic, "urgent 3"))
    await asyncio.sleep(travel)
    assert values(await take(subscription, 3)) == ["urgent 3", "routine 2", "routine 3"]


async def test_a_new_group_sees_what_the_bus_still_has(bus: Bus, topic: str) -> None:
    """What was published before anybody asked is there for a new group, unless the bus keeps nothing for nobody."""
    await bus.publish(record(topic, "before"))
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "after"))
    kept = [] if isinstance(bus, EmbeddedBus) else ["before"]
    assert values(await take(subscription, len(kept) + 1)) == [*kept, "after"]


async def test_what_comes_while_no_member_is_there_is_kept(bus: Bus, topic: str) -> None:
    """A group that has asked once misses nothing while its members come and go."""
    await (await bus.subscribe([topic], group="g")).close()
    await bus.publish(record(topic, "meanwhile"))
    subscription = await bus.subscribe([topic], group="g")
    assert values(await take(subscription)) == ["meanwhile"]


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancelled_receive_loses_nothing(bus: Bus, topic: str, turns: int) -> None:
    """Wherever a call to receive is cancelled, it has either returned the record or left it due."""
    subscription = await bus.subscribe([topic], group="g")
    arrived: list[str] = []
    for number in range(20):
        waiting = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0)
        await bus.publish(record(topic, f"{number:02}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        if isinstance(result, Received):
            arrived.append(result.record.value.decode())
    arrived += values(await take(subscription, 20 - len(arrived)))
    assert arrived == [f"{number:02}" for number in range(20)]


async def test_receive_waits_for_a_record(bus: Bus, topic: str) -> None:
    """A subscription may ask before there is anything, and is answered when there is."""
    subscription = await bus.subscribe([topic], group="g")
    waiting = asyncio.create_task(take(subscription))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await bus.publish(record(topic, "late"))
    assert values(await waiting) == ["late"]


async def test_many_may_publish_at_once(bus: Bus, topic: str) -> None:
    """Publishing from many tasks loses nothing and keeps each key's order."""
    subscription = await bus.subscribe([topic], group="g")

    async def publish(key: str) -> None:
        for number in range(10):
            await bus.publish(record(topic, f"{number}", key=key))

    await asyncio.gather(*(publish(f"key {number}") for number in range(10)))
    arrived = await take(subscription, 100)
    for number in range(10):
        of_key = [each.record.value for each in arrived if each.record.key == f"key {number}".encode()]
        assert of_key == [str(value).encode() for value in range(10)]


async def test_many_records_may_be_published_in_one_call(bus: Bus, topic: str, other_topic: str) -> None:
    """A batch arrives whole, each key's records in the order in which the call named them, on every topic."""
    subscription = await bus.subscribe([topic, other_topic], group="g")
    sent = [
        record(each, f"{number:03}", key=f"key {number % 7}") for number in range(150) for each in (topic, other_topic)
    ]
    await bus.publish_all(sent)
    await bus.publish_all([])
    arrived = [each.record for each in await take(subscription, 300)]
    assert Counter(arrived) == Counter(sent)
    for place in {(each.topic, each.key) for each in sent}:
        there = [each.value for each in arrived if (each.topic, each.key) == place]
        assert there == sorted(there)


async def test_a_closed_subscription_says_so(bus: Bus, topic: str) -> None:
    """After close nothing is received or done any more, a waiting call ends, and closing again is nothing."""
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(record(topic, "a"))
    (received,) = await take(subscription)
    waiting = asyncio.create_task(subscription.receive())
    await asyncio.sleep(0)
    await subscription.close()
    await subscription.close()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(BusUnavailableError):
            await waiting
        with pytest.raises(BusUnavailableError):
            await subscription.receive()
        with pytest.raises(BusUnavailableError):
            await subscription.done(received)


async def test_a_member_that_waits_gets_what_another_gives_back(bus: Bus, topic: str) -> None:
    """A live member need not ask anew: what a closing one returns goes to it."""
    leaving, staying = [await bus.subscribe([topic], group="g") for _ in range(2)]
    await bus.publish(record(topic, "a"))
    waiting = [asyncio.create_task(member.receive()) for member in (leaving, staying)]
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting[1].done():
            leaving, staying = staying, leaving
            waiting.reverse()
        await leaving.close()
        assert values([await waiting[1]]) == ["a"]


async def test_a_closed_bus_says_so(bus: Bus, topic: str) -> None:
    """After close every call says that the bus is not to be had, and closing again is nothing."""
    subscription = await bus.subscribe([topic], group="g")
    await bus.close()
    await bus.close()
    with pytest.raises(BusUnavailableError):
        await bus.publish(record(topic, "a"))
    with pytest.raises(BusUnavailableError):
        await bus.publish_all([record(topic, "a")])
    with pytest.raises(BusUnavailableError):
        await bus.subscribe([topic], group="g")
    with pytest.raises(BusUnavailableError):
        await subscription.receive()


async def read(bulletin: Bulletin) -> list[str]:
    """Return the values of a bulletin's news."""
    async with asyncio.timeout(PATIENCE):
        return [each.value.decode() for each in await bulletin.news()]


async def test_a_bulletin_is_read_whole_by_everybody(bus: Bus, topic: str) -> None:
    """Each reader gets what is there, what comes later, and nothing twice, whatever the others or groups read."""
    first, group = bus.bulletin(topic), await bus.subscribe([topic], group="g")
    assert await read(first) == []
    await bus.publish(record(topic, "a", key="a"))
    second = bus.bulletin(topic)
    assert await read(second) == ["a"]
    await bus.publish_all([record(topic, value, key="b") for value in "bcd"])
    for reader, missing in ((first, {"a", "d"}), (second, {"d"})):
        news = await read(reader)
        assert set(news) >= missing  # of one key perhaps the last alone
        assert [each for each in news if each in "bcd"] == sorted(set(news) - {"a"})
        assert await read(reader) == []
    assert sorted(values(await take(group, 4))) == ["a", "b", "c", "d"]


async def test_a_bulletin_knows_its_end(bus: Bus, topic: str) -> None:
    """What is published is among the news of the very next call, every time."""
    bulletin = bus.bulletin(topic)
    for number in range(20):
        await bus.publish(record(topic, f"{number}", key=f"key {number}"))
        assert await read(bulletin) == [f"{number}"]


async def test_a_closed_bulletin_says_so(bus: Bus, topic: str) -> None:
    """After close, of it or of the bus, there is no news, rather than none to report."""
    closed, cut_off = bus.bulletin(topic), bus.bulletin(topic)
    await read(cut_off)
    await closed.close()
    await closed.close()
    with pytest.raises(BusUnavailableError):
        await closed.news()
    await bus.close()
    with pytest.raises(BusUnavailableError):
        await cut_off.news()
    with pytest.raises(BusUnavailableError):
        bus.bulletin(topic)

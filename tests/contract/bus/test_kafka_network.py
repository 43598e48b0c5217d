"""The Kafka bus behind a bad network: every call ends in a bounded time, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from bus.contract import BusUnavailableError, Record
from bus.kafka import KafkaBus
from bus.kafka.publisher import _end
from tests.contract.bus.kafka_records import PATIENCE, bus_of, numbered, publish_persistently, read_until
from tests.patience import GIVES_UP_AFTER
from tests.servers.kafka import TestKafka, settings_for
from tests.servers.proxy import Proxy, proxying

REQUEST, DELIVERY = 1.0, 3.0
SLACK = 10.0
"""Seconds that a loaded machine may add; the bounds that stand where nobody sets one are longer."""


@pytest.fixture
async def proxy(kafka: TestKafka) -> AsyncIterator[Proxy]:
    """Yield a proxy in front of the broker; the one port that the broker sends its clients to is this test's alone."""
    with (kafka.folder / "proxy.lock").open("w") as turn:
        await asyncio.to_thread(fcntl.flock, turn, fcntl.LOCK_EX)
        async with proxying(port=kafka.proxy_port, target=kafka.addresses["PROXIED"]) as proxy:
            yield proxy


@pytest.fixture
async def bus(kafka: TestKafka, proxy: Proxy) -> AsyncIterator[KafkaBus]:
    """Yield a bus that reaches the broker through the proxy alone."""
    bus = bus_of(settings_for(f"127.0.0.1:{kafka.proxy_port}", request_timeout=REQUEST, delivery_timeout=DELIVERY))
    yield bus
    proxy.mend()
    await bus.close()


@pytest.fixture
async def topic(bus: KafkaBus, proxy: Proxy) -> str:
    """Return a topic of the test's own."""
    topic = f"network.{uuid4()}"
    async with asyncio.timeout(GIVES_UP_AFTER):
        while not await _created(bus, topic):
            pass
    assert proxy.connections
    return topic


async def _created(bus: KafkaBus, topic: str) -> bool:
    """Return whether a topic is there now: this bus gives a broker that is busy with other tests one second."""
    try:
        await bus.create_topics([topic])
    except BusUnavailableError:
        return False
    return True


async def refused_within(bus: KafkaBus, topic: str) -> float:
    """Return how many seconds it takes until a call is refused."""
    started = time.monotonic()
    with pytest.raises(BusUnavailableError):
        await bus.publish(numbered(topic, "lost", 0))
    return time.monotonic() - started


async def test_a_slow_network_is_slow_and_nothing_else(bus: KafkaBus, topic: str, proxy: Proxy) -> None:
    """With a tenth of a second each way records are published and received, in order."""
    subscription = await bus.subscribe([topic], group="g")
    proxy.delay = 0.1
    await bus.publish_all([numbered(topic, "key", number) for number in range(50)])
    arrived = await read_until(subscription, [(b"key", b"000049")])
    assert arrived[b"key"] == [f"{number:06}".encode() for number in range(50)]
    assert bus.available


@pytest.mark.parametrize("fault", ["silence", "refuse"])
async def test_a_call_ends_in_time_and_the_bus_recovers(bus: KafkaBus, topic: str, proxy: Proxy, fault: str) -> None:
    """Half-open or cut: publishing is refused within its time, subscribing too, and all goes on once it is mended."""
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(numbered(topic, "key", 0))
    await read_until(subscription, [(b"key", b"000000")])
    getattr(proxy, fault)()
    assert await refused_within(bus, topic) < DELIVERY + SLACK
    assert not bus.available
    started = time.monotonic()
    with pytest.raises(BusUnavailableError):
        await bus.subscribe([topic], group="another")
    assert time.monotonic() - started < DELIVERY + REQUEST + SLACK
    proxy.mend()
    for number in range(1, 20):
        await publish_persistently(bus, numbered(topic, "key", number))
    arrived = await read_until(subscription, [(b"key", b"000019")])
    assert arrived[b"key"] == sorted(arrived[b"key"])
    assert set(arrived[b"key"]) >= {f"{number:06}".encode() for number in range(1, 20)}
    assert bus.available


async def test_connections_that_are_cut_lose_nothing(bus: KafkaBus, topic: str, proxy: Proxy) -> None:
    """While connections are cut every now and then, what is acknowledged arrives and each key's order holds."""
    subscription = await bus.subscribe([topic], group="g")

    async def publish(key: str) -> None:
        for number in range(60):
            await publish_persistently(bus, numbered(topic, key, number))
            await asyncio.sleep(0.01)

    async def cut() -> None:
        for _ in range(5):
            await asyncio.sleep(0.3)
            proxy.cut()

    reading = asyncio.create_task(
        read_until(
            subscription, [(f"key {n}".encode(), f"{number:06}".encode()) for n in range(4) for number in range(60)]
        )
    )
    await asyncio.gather(cut(), *(publish(f"key {number}") for number in range(4)))
    for values in (await reading).values():
        assert list(dict.fromkeys(values)) == sorted(set(values))


async def test_closing_does_not_wait_for_a_broker_that_is_silent(bus: KafkaBus, topic: str, proxy: Proxy) -> None:
    """A bus whose broker has fallen silent closes within the time of a delivery and of a few requests."""
    await bus.subscribe([topic], group="g")
    await bus.publish(numbered(topic, "key", 0))
    proxy.silence()
    await refused_within(bus, topic)
    started = time.monotonic()
    await bus.close()
    assert time.monotonic() - started < DELIVERY + 4 * REQUEST + SLACK


async def values_on(bus: KafkaBus, topic: str) -> list[bytes]:
    """Return what is on a topic, up to a record that this puts there last."""
    await asyncio.sleep(1.0)  # in which whatever was still queued would have been sent
    subscription = await bus.subscribe([topic], group=f"reader.{uuid4()}")
    last = Record(topic, b"key", b"last", ())
    await publish_persistently(bus, last)
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        while last.value not in found:
            found.append((await subscription.receive()).record.value)
    return found


@pytest.mark.parametrize("fault", ["silence", "refuse"])
async def test_refused_records_do_not_pile_up(bus: KafkaBus, topic: str, proxy: Proxy, fault: str) -> None:
    """However often a record was refused while the broker was away, one copy of it at most appears once it is back."""
    await bus.publish(Record(topic, b"key", b"first", ()))
    getattr(proxy, fault)()
    for _ in range(3):
        await refused_within(bus, topic)
    proxy.mend()
    found = await values_on(bus, topic)
    assert found.count(numbered(topic, "lost", 0).value) <= 1


async def test_a_call_that_was_cancelled_is_not_sent_later(bus: KafkaBus, topic: str, proxy: Proxy) -> None:
    """Who lost the right to speak while the broker was away, and was cancelled, is not heard once it is back."""
    await bus.publish(numbered(topic, "key", 0))
    proxy.refuse()
    speaking = asyncio.create_task(bus.publish(numbered(topic, "key", 1)))
    await asyncio.sleep(0.2)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    proxy.mend()
    assert await values_on(bus, topic) == [numbered(topic, "key", 0).value, b"last"]


async def test_a_producer_that_is_given_up_leaves_no_connection(kafka: TestKafka, topic: str, proxy: Proxy) -> None:
    """Ended with a request under way that nobody answers, it is closed at once, with its connections."""
    address = f"127.0.0.1:{kafka.proxy_port}"
    patient = bus_of(settings_for(address, request_timeout=PATIENCE, delivery_timeout=2 * PATIENCE))
    await patient.publish(numbered(topic, "key", 0))
    current = patient._publisher._current
    assert current is not None
    proxy.silence()
    speaking = asyncio.create_task(patient.publish(numbered(topic, "lost", 0)))
    await asyncio.sleep(0.2)
    async with asyncio.timeout(PATIENCE / 2):
        await _end(current, flush_within=0)
    client = current.producer.client
    assert client._sync_task is None
    assert not any(connection.connected() for connection in client._conns.values())
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    proxy.mend()
    await patient.close()

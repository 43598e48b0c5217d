"""Dead topics on a real broker: whatever Kafka took can be buried."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from adapters.formats import native
from adapters.recalls import UNRECALLABLE
from adapters.worker import Partner, Worker, WorkerSettings
from bus.dead import DEAD_REASON
from bus.kafka import TopicSettings
from bus.topics import OUTCOMES, dead_topic, parcels_topics
from schemas.ids import ParticipantId
from schemas.parcels import Delivered
from tests.contract.bus.kafka_records import PATIENCE, bus_of, put_elsewhere
from tests.servers.kafka import settings_for
from tests.unit.adapters.hands import answering
from tests.unit.bus.parcels import ORIGIN

SMALL = TopicSettings(partitions=1, replication=1, min_insync=1, max_record_bytes=100_000)
HEADERS = 1_000
"""Of three bytes each on the wire: where they are counted for more, a record is held too large that is not."""
LARGEST = SMALL.max_record_bytes - 61 - 15 - 3 * HEADERS
"""Bytes of the value that fills a batch: less its header, the record's own framing with a key of three, the headers."""


def sized(topic: str, length: int) -> dict[str, Any]:
    """Return a record that is no parcel, with a value of so many bytes."""
    return {"topic": topic, "key": b"key", "value": b"x" * length, "headers": [("h", b"")] * HEADERS}


async def test_the_largest_record_can_be_buried(kafka_address: str) -> None:
    """A record without a byte to spare goes to the dead topic, whole, with the reason, and is handed out no more."""
    recipient = ParticipantId(f"us-ny.{uuid4().hex[:20]}")
    bus = bus_of(settings_for(kafka_address, topics=SMALL))
    urgent, _routine = topics = parcels_topics(recipient)
    await bus.create_topics([*topics, dead_topic(recipient), OUTCOMES])
    told = await asyncio.to_thread(put_elsewhere, kafka_address, sized(urgent, LARGEST + 1), sized(urgent, LARGEST))
    assert told == ["MSG_SIZE_TOO_LARGE", None]
    graveyard = await bus.subscribe([dead_topic(recipient)], group="operator")
    transport = answering(Delivered("http 200"))
    partner = Partner(participant=recipient, write=native, transport=transport, recalls=UNRECALLABLE)
    worker = Worker(partner, bus=bus, settings=WorkerSettings(origin=ORIGIN), now=lambda: datetime.now(tz=UTC))
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        buried = (await graveyard.receive()).record
    worker.stop()
    await running
    assert (buried.key, buried.value) == (b"key", b"x" * LARGEST)
    assert buried.headers[:HEADERS] == (("h", b""),) * HEADERS
    assert dict(buried.headers)[DEAD_REASON] == b"a header occurs twice"
    assert bus.refusal is None
    await bus.close()

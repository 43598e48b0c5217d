"""What a topic holds, read from its beginning to its end by nobody in particular: for an operator who looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, errors

from bus.contract import Record
from bus.kafka.connection import Connection
from bus.kafka.groups import stop_consumer
from bus.kafka.reader import record_of
from bus.kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Stored:
    """A record where Kafka keeps it; ``at_ms`` is when it was written, in milliseconds since the Unix epoch."""

    record: Record
    partition: int
    offset: int
    at_ms: int


async def contents(settings: KafkaSettings, topic: str, *, folder: Path) -> AsyncIterator[Stored]:
    """Yield the records that a topic holds by now, each partition's in order. Joins no group and commits nothing.

    Paths in ``settings`` are relative to ``folder``. Raises ``KafkaSettingsError`` and ``BusUnavailableError``.
    """
    connection = Connection(settings, folder)
    async with _told(connection), _consumer(connection, topic) as consumer:
        async with asyncio.timeout(settings.delivery_timeout):
            ends = await _ends(consumer)
        while ends:
            async with asyncio.timeout(settings.delivery_timeout):
                got = await _next(consumer, ends)
            for each in got:
                yield Stored(record_of(each), each.partition, each.offset, each.timestamp)
            async with asyncio.timeout(settings.delivery_timeout):
                ends = {place: end for place, end in ends.items() if await consumer.position(place) < end}


@asynccontextmanager
async def _told(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except (errors.KafkaError, TimeoutError) as error:
        raise await connection.explain(error) from error


@asynccontextmanager
async def _consumer(connection: Connection, topic: str) -> AsyncIterator[Any]:
    settings = connection.settings
    consumer = AIOKafkaConsumer(
        topic,
        **connection.arguments(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=settings.topics.largest_record(topic),
    )
    try:
        async with asyncio.timeout(settings.delivery_timeout):
            await consumer.start()
        yield consumer
    finally:
        await stop_consumer(consumer, within=settings.delivery_timeout)


async def _ends(consumer: Any) -> Mapping[Any, int]:  # noqa: ANN401 - aiokafka has no types
    """Return where each partition that holds anything ends now."""
    places: Collection[Any] = consumer.assignment()
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return {place: end for place, end in ends.items() if begins[place] < end}


async def _next(consumer: Any, ends: Mapping[Any, int]) -> Sequence[Any]:  # noqa: ANN401 - as above
    """Return some records that stand before the ends. Waits for them."""
    got: Mapping[Any, Sequence[Any]] = {}
    while not got:
        got = await consumer.getmany(*ends, timeout_ms=1000)
    return [each for place, records in got.items() for each in records if each.offset < ends[place]]

"""From records to a producer's batches, at little cost for each.

aiokafka makes a future for each record, and hashes keys in Python. A call that brings many records has them put into
batches here instead, one for each partition, with one future for each batch; a single record takes the producer's own
way, which joins it to whatever else is waiting for its partition.

The partition is CRC-32 of the key, modulo their number, as librdkafka's clients choose it; Java's use Murmur2. Only
our own processes write to our topics, and all choose alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeAlias
from zlib import crc32

from aiokafka import errors
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bus.contract import Record

Sent: TypeAlias = "list[asyncio.Future[Any]]"

_SLACK: Final = 16 * 1024
"""More than key and headers ever take: they are counted only where it may matter."""


async def send(producer: Any, topic: str, records: Sequence[Record], sent: Sent, *, limit: int) -> None:  # noqa: ANN401 - aiokafka has no types
    """Queue records of one topic, in order, and add the futures of what was queued to ``sent``.

    ``limit`` is the largest record's size in bytes. Raises ``KafkaError``; what was queued before that stays queued.
    """
    count = len(await producer.partitions_for(topic))
    for record in records:
        _refuse_larger(record, limit)
    if len(records) == 1:
        (record,) = records
        place = crc32(record.key) % count
        sent.append(await producer.send(topic, record.value, record.key, partition=place, headers=list(record.headers)))
        return
    batches: dict[int, Any] = {}
    for record in records:
        place = crc32(record.key) % count
        batch = batches.get(place)
        if batch is None or not _append(batch, record):
            if batch is not None:
                sent.append(await producer.send_batch(batch, topic, partition=place))
            batch = batches[place] = producer.create_batch()
            _append(batch, record)  # an empty batch takes a record of any size
    for place, batch in batches.items():
        sent.append(await producer.send_batch(batch, topic, partition=place))


def _append(batch: Any, record: Record) -> bool:  # noqa: ANN401 - aiokafka has no types
    return batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is not None


def _refuse_larger(record: Record, limit: int) -> None:
    if len(record.value) + _SLACK <= limit:
        return
    # as the broker counts it, to within some bytes: a record that was taken once must not be too large to be buried
    if DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers)) > limit:
        raise errors.MessageSizeTooLargeError

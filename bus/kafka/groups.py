"""Where a group begins on a topic.

A group is to see what is published after its first ``subscribe`` and nothing before. Kafka would let each partition
begin when a member first reads it, which may be long after, in another process; so before the first member joins, the
end of every partition is committed as the group's beginning. A partition that is added later has no such commit and is
read from its first record (``auto_offset_reset=earliest``).

That is the contract's rule, for groups that nobody prepared. ``lacolle ops kafka`` lets the exchange's own groups begin
with their topics, and a partner's begin at the first record that is still there: an alert for it is never too old.

Two processes may do so at the same time. The ends are looked up before the commits are looked at: whoever finds no
commit has ends that are no later than any ``subscribe`` that returned since, so overwriting another's commit can repeat
records and never skip one. Once the group has members, Kafka refuses the commit, and theirs stand.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from bus.kafka.connection import Connection


def kafka_group(group: str, topic: str) -> str:
    """Return the name that Kafka knows a group of the contract by, on one topic."""
    return f"{group}/{topic}"


async def begin_group(connection: Connection, *, topic: str, kafka_group: str, from_first: bool) -> None:
    """Commit the ends of a topic's partitions for a group that has no commit there. Raises ``KafkaError``.

    ``from_first`` commits nothing, so the group begins at the first record; the topic must be there all the same.
    """
    consumer: Any = AIOKafkaConsumer(**connection.arguments(), group_id=kafka_group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])  # makes start() look the topic up
    try:
        await consumer.start()
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        if from_first:
            return
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            if await consumer.committed(partition) is not None:
                return
        consumer.assign(partitions)
        await consumer.commit(ends)
    except errors.CommitFailedError:
        return  # the group has members, and what they began with stands
    finally:
        await stop_consumer(consumer, within=connection.settings.request_timeout)


async def stop_consumer(consumer: Any, *, within: float) -> None:  # noqa: ANN401 - aiokafka has no types
    """Leave the group, for so many seconds at most, and disconnect."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping], timeout=within)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return
    # aiokafka's fetcher is cancelled by its own close() where it pauses after an error, and leaves the rest undone
    stopping.cancel()
    await consumer._client.close()  # noqa: SLF001 - see above

"""Where a group begins on a topic.

A group is to see what is published after its first ``subscribe`` and nothing before. Kafka would let each partition
begin when a member first reads it, which may be long after, in another process; so before the first member joins, the
end of every partition is committed as the group's beginning. A partition that is added later has no such commit and is
read from its first record (``auto_offset_reset=earliest``).

Two processes may do so at the same time. The ends are looked up before the commits are looked at: whoever finds no
commit has ends that are no later than any ``subscribe`` that returned since, so overwriting another's commit can repeat
records and never skip one. Once the group has members, Kafka refuses the commit, and theirs stand.
"""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from bus.kafka.connection import Connection


async def begin_group(connection: Connection, *, topic: str, kafka_group: str) -> None:
    """Commit the ends of a topic's partitions for a group that has no commit there. Raises ``KafkaError``."""
    consumer: Any = AIOKafkaConsumer(**connection.arguments(), group_id=kafka_group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])  # makes start() look the topic up
    try:
        await consumer.start()
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            if await consumer.committed(partition) is not None:
                return
        consumer.assign(partitions)
        await consumer.commit(ends)
    except errors.CommitFailedError:
        return  # the group has members, and what they began with stands
    finally:
        await consumer.stop()

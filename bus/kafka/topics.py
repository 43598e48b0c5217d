"""Creating topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bus.contract import BusUnavailableError
from bus.kafka.connection import Connection, meaning

_CREATED: Final = (0, errors.TopicAlreadyExistsError.errno)


async def create_topics(connection: Connection, topics: Iterable[str]) -> None:
    """Create those of ``topics`` that do not exist, as the settings say; others stay as they are.

    Raises ``BusUnavailableError``.
    """
    settings = connection.settings.topics
    wanted = [
        NewTopic(
            name=topic,
            num_partitions=settings.partitions,
            replication_factor=settings.replication,
            topic_configs=settings.configuration(topic),
        )
        for topic in dict.fromkeys(topics)
    ]
    administrator = AIOKafkaAdminClient(**connection.arguments())
    try:
        await administrator.start()
        answer = await administrator.create_topics(wanted)
    except (errors.KafkaError, TimeoutError) as error:
        raise await connection.explain(error) from error
    finally:
        await administrator.close()
    for topic, code, *_ in answer.topic_errors:
        if code not in _CREATED:
            raise BusUnavailableError(f"{topic} was not created: {meaning(errors.for_code(code)())}")

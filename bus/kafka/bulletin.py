"""A topic read whole, by a consumer of no group: from the first record that the brokers still have to the last.

Each call asks the brokers where the topic ends, and reads up to there: so its answer is also the proof that the reader
is alive and knows everything. A consumer that fails in any way is dropped, and the next one begins at the beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, errors

from bus.contract import BusUnavailableError, Record
from bus.kafka.connection import Connection
from bus.kafka.groups import stop_consumer
from bus.kafka.reader import record_of

_POLL_MS: Final = 100


class KafkaBulletin:
    """A reader of a whole topic; see ``bus.contract.Bulletin``. ``told_of`` hears what the brokers refuse."""

    def __init__(
        self, connection: Connection, topic: str, *, told_of: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._settings = connection.settings
        self._topic = topic
        self._told_of = told_of
        self._consumer: Any = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def news(self) -> Sequence[Record]:
        """Return what the topic has got since the last call, up to where it ends now."""
        with self._told_of():
            async with self._turn:
                if self._closed:
                    raise BusUnavailableError("the bulletin is closed")
                try:
                    async with asyncio.timeout(self._settings.delivery_timeout):
                        return await self._read()
                except (errors.KafkaError, TimeoutError) as error:
                    await self._drop()
                    raise await self._connection.explain(error) from error
                except BaseException:  # what was read and not returned must be read again
                    await self._drop()
                    raise

    async def close(self) -> None:
        """Read no more, and disconnect."""
        self._closed = True
        async with self._turn:
            await self._drop()

    async def _read(self) -> Sequence[Record]:
        if self._consumer is None:
            await self._start()
        consumer = self._consumer
        places = consumer.assignment()
        if not places:
            raise errors.UnknownTopicOrPartitionError
        ends = await consumer.end_offsets(places)
        found: list[Record] = []
        while behind := [place for place in places if await self._is_behind(place, ends[place])]:
            for records in (await consumer.getmany(*behind, timeout_ms=_POLL_MS)).values():
                found.extend(map(record_of, records))
        return found

    async def _is_behind(self, place: Any, end: int) -> bool:  # noqa: ANN401 - aiokafka has no types
        position = await self._consumer.position(place)
        if position <= end:
            return bool(position < end)
        # The topic was made anew, or its end was lost: what is there now was never read.
        await self._consumer.seek_to_beginning(place)
        return await self._consumer.position(place) < end  # type: ignore[no-any-return]  # aiokafka has no types

    async def _start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            self._topic,
            **self._connection.arguments(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=self._settings.topics.largest_record(self._topic),
        )
        await self._consumer.start()

    async def _drop(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stop_consumer(consumer, within=self._settings.request_timeout)

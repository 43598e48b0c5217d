"""The producing side: one idempotent producer, replaced where it can't go on.

A batch that failed after the producer had numbered it leaves a gap in the partition's sequence, and the broker would
refuse every later one (KIP-98); so whatever error a *batch* ends with is fatal to its producer. Then everything that
producer still holds is failed, its connections are closed, and the next call opens a new one: nothing of the old can
reach the broker after something of the new. Errors that pass by themselves (no leader, too few replicas in sync) are
waited out inside the producer, for as long as the call allows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer, errors

from bus.contract import BusUnavailableError, Record
from bus.kafka.batching import Sent, send
from bus.kafka.connection import Connection

_log: Final = structlog.get_logger(__name__)

_BATCH_BYTES: Final = 512 * 1024
"""How much one request may carry for one partition."""
_PASSING: Final = (
    errors.KafkaTimeoutError,
    errors.MessageSizeTooLargeError,
    errors.UnknownTopicOrPartitionError,
    errors.TopicAuthorizationFailedError,
)
"""Errors of a record that no batch took: the producer goes on."""


@dataclass(slots=True, eq=False)
class _Open:
    """A producer, and whether it can't go on."""

    producer: AIOKafkaProducer
    broken: bool = False


class KafkaPublisher:
    """Publishes on Kafka; see ``bus.contract.Publisher``. Opened by its first call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._settings = connection.settings
        self._current: _Open | None = None
        self._opening = asyncio.Lock()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closed = False
        self.available = True
        """Whether the last call came through."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Put records on their topics and return once all in-sync replicas have each.

        Raises ``BusUnavailableError``.
        """
        try:
            async with asyncio.timeout(self._settings.delivery_timeout):
                await self._publish(records)
        except TimeoutError as error:
            self.available = False
            raise BusUnavailableError("no acknowledgement in time") from error
        except BusUnavailableError:
            self.available = False
            raise
        self.available = True

    async def close(self) -> None:
        """Wait for what was published, for one delivery timeout at most, and disconnect. Idempotent."""
        self._closed = True
        async with self._opening:
            current, self._current = self._current, None
            if current is not None:
                await self._end(current, flush_within=self._settings.delivery_timeout)

    async def _publish(self, records: Sequence[Record]) -> None:
        by_topic: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        opened = await self._opened()
        sent: Sent = []
        try:
            sending = [self._send(opened, *each, sent) for each in by_topic.items()]
            unsent = [await sending[0]] if len(sending) == 1 else await asyncio.gather(*sending)
            if sent:
                await asyncio.wait(sent)
        finally:
            for future in sent:
                if not future.done():
                    future.add_done_callback(_look_at)
        failed = [error for future in sent if (error := future.exception()) is not None]
        refused = [error for error in unsent if error is not None]
        if failed or not all(isinstance(error, _PASSING) for error in refused):
            opened.broken = True
        for error in (*failed, *refused):
            raise await self._connection.explain(error) from error

    async def _send(self, opened: _Open, topic: str, records: Sequence[Record], sent: Sent) -> errors.KafkaError | None:
        """Queue records of one topic; say which error ended that. Calls take turns, so that no later one goes first."""
        limit = self._settings.topics.max_record_bytes
        async with self._turns[topic]:
            try:
                await send(opened.producer, topic, records, sent, limit=limit)
            except errors.KafkaError as error:
                return error
        return None

    async def _opened(self) -> _Open:
        async with self._opening:
            if self._closed:
                raise BusUnavailableError("the bus is closed")
            if self._current is not None and self._current.broken:
                _log.warning("producer_rebuilt")
                broken, self._current = self._current, None
                await self._end(broken, flush_within=0)
            if self._current is None:
                self._current = await self._start()
            return self._current

    async def _start(self) -> _Open:
        producer = AIOKafkaProducer(
            **self._connection.arguments(),
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
            max_request_size=self._settings.topics.max_record_bytes,
        )
        try:
            await producer.start()
        except errors.KafkaError as error:
            await producer.stop()
            raise await self._connection.explain(error) from error
        except asyncio.CancelledError:  # the time for the call is over
            await producer.stop()
            raise
        return _Open(producer)

    async def _end(self, opened: _Open, *, flush_within: float) -> None:
        stopping = asyncio.ensure_future(opened.producer.stop())
        await asyncio.wait([stopping], timeout=flush_within)
        if not stopping.done():
            # An idempotent producer retries for ever, and its stop() waits for that: nothing public ends it.
            opened.producer._message_accumulator.fail_all(errors.KafkaError("closed"))  # noqa: SLF001 - see above
        await stopping


def _look_at(future: asyncio.Future[Any]) -> None:
    """Look at a future's error, where it has one: asyncio complains of errors that nobody looked at."""
    if not future.cancelled():
        future.exception()

"""The producing side: one idempotent producer, replaced where it can't go on.

A batch that failed after the producer had numbered it leaves a gap in the partition's sequence, and the broker would
refuse every later one (KIP-98); so whatever error a *batch* ends with is fatal to its producer. Then everything that
producer still holds is failed, its connections are closed, and the next call opens a new one: nothing of the old can
reach the broker after something of the new. Errors that pass by themselves (no leader, too few replicas in sync) are
waited out inside the producer, for as long as the call allows.

A call that ends before its records are acknowledged, out of time or cancelled, ends its producer too, at once: left in
the queue they would be sent whenever the brokers come back, once for each time that the caller had tried, and also for
a caller that has lost the right to speak since. What was on its way by then can't be called back.
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
from bus.kafka.settings import DEAD_ROOM

_log: Final = structlog.get_logger(__name__)

_BATCH_BYTES: Final = 512 * 1024
"""How much one request may carry for one partition."""
_STOPS_WITHIN: Final = 1.0
"""Seconds that a producer with nothing left to send may take to stop."""
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
        self._ending: asyncio.Task[None] | None = None
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
            ending, self._ending = self._ending, None
            if current is not None:
                await _end(current, flush_within=self._settings.delivery_timeout)
            if ending is not None:
                await ending

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
            if not all(future.done() for future in sent):
                self._give_up(opened)
            for future in sent:
                future.add_done_callback(_look_at)
        failed = [error for future in sent if (error := future.exception()) is not None]
        refused = [error for error in unsent if error is not None]
        if failed or not all(isinstance(error, _PASSING) for error in refused):
            opened.broken = True
        for error in (*failed, *refused):
            raise await self._connection.explain(error) from error

    async def _send(self, opened: _Open, topic: str, records: Sequence[Record], sent: Sent) -> errors.KafkaError | None:
        """Queue records of one topic; say which error ended that. Calls take turns, so that no later one goes first."""
        limit = self._settings.topics.largest_record(topic)
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
                self._give_up(self._current)
            if self._ending is not None:
                await asyncio.shield(self._ending)  # also where the call that began it has run out of time
                self._ending = None
            if self._current is None:
                self._current = await self._start()
            return self._current

    def _give_up(self, opened: _Open) -> None:
        """End a producer, with all it holds; the next call waits for that and opens another."""
        opened.broken = True
        if self._current is not opened:
            return  # another call has ended it
        _log.warning("producer_given_up")
        _drop_all(opened.producer)
        self._current = None
        self._ending = asyncio.create_task(_end(opened, flush_within=0))

    async def _start(self) -> _Open:
        largest = self._settings.topics.max_record_bytes
        producer = AIOKafkaProducer(
            **self._connection.arguments(),
            acks="all",
            enable_idempotence=True,
            max_batch_size=min(_BATCH_BYTES, largest),  # Kafka's limit is on a batch
            max_request_size=largest + DEAD_ROOM,  # for all topics alike; what each takes is looked at before
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


async def _end(opened: _Open, *, flush_within: float) -> None:
    """Close a producer, and wait so many seconds for what it still holds; the rest fails."""
    producer = opened.producer
    stopping = asyncio.ensure_future(producer.stop())
    try:
        await asyncio.wait([stopping], timeout=flush_within)
        if not stopping.done():
            # An idempotent producer retries for ever, and its stop() waits for that: nothing public ends it.
            _drop_all(producer)
            await producer.client.close()  # which ends what is on its way: nobody waits for its answer any more
            await asyncio.wait([stopping], timeout=_STOPS_WITHIN)
        if not stopping.done():  # it waits for a batch that was lost count of, and would for ever
            await _cut_off(producer, stopping)
    finally:
        await producer.client.close()  # stop() does not reach it where a request of a dropped batch ends in an error
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        _log.info("producer_stopped_halfway", error=type(error).__name__)


async def _cut_off(producer: AIOKafkaProducer, stopping: asyncio.Future[None]) -> None:
    """Cancel a producer's stop, and the task that sends: nothing of it may go out after something of the next one."""
    _log.warning("producer_cut_off")
    sending = producer._sender.sender_task  # noqa: SLF001 - what stop() would have ended
    tasks = [stopping] if sending is None else [stopping, sending]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=_STOPS_WITHIN)


def _drop_all(producer: AIOKafkaProducer) -> None:
    """Fail what a producer holds, and have it send none of that any more."""
    accumulator = producer._message_accumulator  # noqa: SLF001 - nothing public drops what is queued
    accumulator.fail_all(errors.KafkaError("closed"))
    accumulator._batches.clear()  # noqa: SLF001 - a batch that failed is sent all the same while it is queued


def _look_at(future: asyncio.Future[Any]) -> None:
    """Look at a future's error, where it has one: asyncio complains of errors that nobody looked at."""
    if not future.cancelled():
        future.exception()

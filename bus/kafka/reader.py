"""The consuming side: one topic, read by one member of a group.

A pump moves records from the consumer into a short queue, from which ``take`` hands them out; what was done is
committed every now and then, when partitions are taken away, and at the end. When the group's members change, Kafka
takes all partitions away and gives them out anew: nothing is handed out from then on, what is in hand is waited for,
and what is still not done then comes again from whoever has the partition next.

A reader that stalls must be heard of: whatever the consumer or a task of its own ends with, it is told to ``receive``,
and a new consumer takes over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.abc import ConsumerRebalanceListener

from bus.contract import BusUnavailableError, Received, Record
from bus.kafka.connection import Connection
from bus.kafka.groups import kafka_group, stop_consumer
from bus.kafka.progress import PartitionProgress

_log: Final = structlog.get_logger(__name__)

_QUEUE: Final = 256
"""Records that wait for ``take``; more stay with the consumer, which then asks the broker for no more."""
_POLL_MS: Final = 1000
_NEVER_MS: Final = 2**31 - 1
_PAUSE: Final = 1.0
"""Seconds before a consumer that failed is replaced."""


class TopicReader:
    """A member of a group on one topic. ``wake`` is called whenever ``take`` may have something new."""

    def __init__(self, connection: Connection, *, topic: str, group: str, wake: Callable[[], None]) -> None:
        self._connection = connection
        self._settings = connection.settings
        self._topic = topic
        self._kafka_group = kafka_group(group, topic)
        self._wake = wake
        self._consumer: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._queue: deque[Any] = deque()
        self._room = asyncio.Event()
        self._progress: dict[int, PartitionProgress] = {}
        self._fetched: dict[TopicPartition, int] = {}
        self._handing = False
        self._settled = asyncio.Event()
        self._committing = asyncio.Lock()
        self._log = _log.bind(topic=topic, group=group)
        self.failure: BusUnavailableError | None = None
        """Why nothing comes at the moment, where that is known."""
        self.ended: BusUnavailableError | None = None
        """Why nothing ever comes again."""

    async def open(self) -> None:
        """Join the group and return once the membership stands. Raises ``BusUnavailableError``."""
        try:
            async with asyncio.timeout(self._settings.delivery_timeout):
                await self._join()
        except (errors.KafkaError, TimeoutError) as error:
            raise await self._connection.explain(error) from error
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._commit_regularly())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def take(self) -> Received | None:
        """Return the next record that is due, if any is here."""
        if not self._queue:
            return None
        got = self._queue.popleft()
        if len(self._queue) < _QUEUE:
            self._room.set()
        progress = self._progress[got.partition]
        if not progress.precedes(got.offset):
            # The topic was made anew, or its end was lost: what was in hand of the old one counts for nothing here.
            progress.lost = True
            progress = self._progress[got.partition] = PartitionProgress()
        progress.handed_out(got.offset)
        self._settled.clear()
        return Received(record_of(got), (self, progress, got.offset))

    def done(self, progress: PartitionProgress, offset: int) -> None:
        """Say that a record is done. Raises ``BusUnavailableError`` where its partition was taken away."""
        if progress.lost:
            raise BusUnavailableError("the partition has changed hands")
        progress.done(offset)
        self._look_whether_settled()

    async def close(self) -> None:
        """Commit what was done and leave the group. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._consumer is not None:
            await self._commit()
        self._give_up()
        await self._leave()

    def lag(self) -> int:
        """Return how many records this member's partitions hold that it has not handed out, as far as it knows."""
        consumer = self._consumer
        if consumer is None:
            return 0
        behind = 0
        for partition, next_offset in self._fetched.items():
            if partition in consumer.assignment():
                behind += max(0, (consumer.highwater(partition) or 0) - next_offset)
        return behind + len(self._queue)

    async def _join(self) -> None:
        settings = self._settings
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            group_id=self._kafka_group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.heartbeat * 1000),
            rebalance_timeout_ms=int((settings.drain + settings.session_timeout) * 1000),
            max_poll_interval_ms=_NEVER_MS,  # a member whose places are all taken for long is alive all the same
            max_partition_fetch_bytes=settings.topics.max_record_bytes,
            fetch_max_bytes=4 * settings.topics.max_record_bytes,
        )
        consumer.subscribe([self._topic], listener=_Listener(self))
        try:
            await consumer.start()
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer, within=self._settings.delivery_timeout)

    async def _pump(self) -> None:
        while True:
            try:
                await self._fill()
            except Exception as error:  # noqa: BLE001 - whatever a consumer ends with, a reader that stalls is worse
                self.failure = await self._connection.explain(error)
                self._log.warning("consumer_failed", error=type(error).__name__)
                self._wake()
                await self._replace()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Fail the reader where one of its tasks ends by itself; it is then to be closed, as the process is told."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._log.error("reader_ended", error=type(error).__name__)
        self.ended = BusUnavailableError(f"the reader has ended: {type(error).__name__}")
        self._wake()

    async def _fill(self) -> None:
        self._room.clear()
        if len(self._queue) >= _QUEUE:
            await self._room.wait()
        fetching = self._consumer._fetcher.error_future  # noqa: SLF001 - getmany would wait for a dead fetcher for ever
        if fetching.done():
            raise errors.KafkaError("the fetcher has ended")
        got = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_QUEUE)
        # No await stands between getting records and queueing them, and none of a partition that is not ours stays.
        for partition, records in got.items():
            self._fetched[partition] = records[-1].offset + 1
            if self._handing and partition.partition in self._progress:
                self._queue.extend(records)
        if got:
            self.failure = None
            self._wake()

    async def _replace(self) -> None:
        self._give_up()
        await self._leave()
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                async with asyncio.timeout(self._settings.delivery_timeout):
                    await self._join()
            except Exception as error:  # noqa: BLE001 - as in _pump
                self.failure = await self._connection.explain(error)
                self._wake()
            else:
                self.failure = None
                return

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.commit_interval)
            if self._consumer is not None:
                await self._commit()

    async def _commit(self) -> None:
        """Commit what was done; where that can't be, it stays to be committed, or comes again."""
        async with self._committing:
            offsets = {
                TopicPartition(self._topic, number): progress.committable
                for number, progress in self._progress.items()
                if progress.committable is not None
            }
            if not offsets:
                return
            try:
                async with asyncio.timeout(self._settings.request_timeout):
                    await self._consumer.commit(offsets)
            except Exception as error:  # noqa: BLE001 - what could not be committed comes again
                self._log.warning("commit_failed", error=type(error).__name__)
                return
            for partition, offset in offsets.items():
                if partition.partition in self._progress:
                    self._progress[partition.partition].committed(offset)

    async def revoked(self) -> None:
        """Hand nothing out any more, wait for what is in hand, and commit."""
        self._handing = False
        self._queue.clear()
        self._room.set()
        self._look_whether_settled()
        try:
            async with asyncio.timeout(self._settings.drain):
                await self._settled.wait()
        except TimeoutError:
            self._log.warning("in_hand_when_partitions_changed_hands")
        await self._commit()
        self._give_up()

    def assigned(self, partitions: Iterable[int]) -> None:
        """Begin anew with the partitions that are ours now."""
        self._give_up()
        self._progress = {number: PartitionProgress() for number in partitions}
        self._handing = True

    def _give_up(self) -> None:
        self._queue.clear()
        for progress in self._progress.values():
            progress.lost = True
        self._progress = {}
        self._settled.set()
        self._room.set()

    def _look_whether_settled(self) -> None:
        if all(progress.settled for progress in self._progress.values()):
            self._settled.set()


def record_of(got: Any) -> Record:  # noqa: ANN401 - aiokafka has no types
    """Return the contract's record, which has no nulls; on Kafka key, value and a header's value may be null."""
    headers = tuple((name, b"" if value is None else value) for name, value in got.headers)
    return Record(topic=got.topic, key=got.key or b"", value=got.value or b"", headers=headers)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells a reader which partitions it has."""

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """See ``TopicReader.revoked``."""
        if revoked:
            await self._reader.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """See ``TopicReader.assigned``."""
        self._reader.assigned(each.partition for each in assigned)

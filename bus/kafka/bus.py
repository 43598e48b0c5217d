"""The bus on Apache Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bus.contract import BusUnavailableError, Received, Record
from bus.kafka.bulletin import KafkaBulletin
from bus.kafka.connection import Connection
from bus.kafka.errors import KafkaRefusedError
from bus.kafka.progress import PartitionProgress
from bus.kafka.publisher import KafkaPublisher
from bus.kafka.reader import TopicReader
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import create_topics
from schemas.bilingual import Bilingual


class KafkaBus:
    """A process's way to Kafka; see ``bus.contract.Bus``. For one event loop.

    Connects when it is first used, so it can be made while Kafka is away. Paths in ``settings`` are relative to
    ``folder``. Raises ``KafkaSettingsError``.
    """

    def __init__(self, settings: KafkaSettings, *, folder: Path) -> None:
        self._connection = Connection(settings, folder)
        self._publisher = KafkaPublisher(self._connection)
        self._subscriptions: set[KafkaSubscription] = set()
        self._bulletins: list[KafkaBulletin] = []
        self._refusals: dict[str, Bilingual] = {}
        self._closed = False

    @property
    def refusal(self) -> Bilingual | None:
        """Why the brokers refuse what was last asked of them, where they do: somebody has to act."""
        return next(iter(self._refusals.values()), None)

    @property
    def available(self) -> bool:
        """Whether what was last published came through; True before anything was."""
        return self._publisher.available

    async def create_topics(self, topics: Iterable[str]) -> None:
        """Create those topics that do not exist, as the settings say. Raises ``BusUnavailableError``."""
        self._refuse_if_closed()
        await create_topics(self._connection, topics)

    async def publish(self, record: Record) -> None:
        """Put a record on its topic and return once all in-sync replicas have it."""
        with self._told_of("publish"):
            await self._publisher.publish((record,))

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Put records on their topics and return once all in-sync replicas have each."""
        with self._told_of("publish"):
            await self._publisher.publish(records)

    async def subscribe(self, topics: Sequence[str], *, group: str) -> KafkaSubscription:
        """Join ``group`` on ``topics``, most urgent first, and return once the membership stands."""
        self._refuse_if_closed()
        subscription = KafkaSubscription(self._connection, dict.fromkeys(topics), group=group)
        self._subscriptions.add(subscription)
        try:
            with self._told_of(f"subscribe {group} {topics}"):
                await subscription.open()
        except BaseException:
            self._subscriptions.discard(subscription)
            await subscription.close()
            raise
        return subscription

    def bulletin(self, topic: str) -> KafkaBulletin:
        """Return a reader of a whole topic, which needs the right to read it and no group's."""
        self._refuse_if_closed()
        bulletin = KafkaBulletin(self._connection, topic, told_of=lambda: self._told_of(f"bulletin {topic}"))
        self._bulletins.append(bulletin)
        return bulletin

    def lags(self) -> Mapping[tuple[str, str], int]:
        """Return for each group and topic read here how many records wait, as far as this process knows."""
        lags: dict[tuple[str, str], int] = {}
        for subscription in self._subscriptions:
            for topic, lag in subscription.lags():
                key = subscription.group, topic
                lags[key] = lags.get(key, 0) + lag
        return lags

    async def close(self) -> None:
        """Flush what was published, leave every group and disconnect. Idempotent."""
        self._closed = True
        readers = (*(each.close() for each in self._subscriptions), *(each.close() for each in self._bulletins))
        await asyncio.gather(self._publisher.close(), *readers)
        self._subscriptions.clear()
        self._bulletins.clear()

    @contextmanager
    def _told_of(self, call: str) -> Iterator[None]:
        try:
            yield
        except KafkaRefusedError as error:
            self._refusals[call] = error.reason
            raise
        self._refusals.pop(call, None)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BusUnavailableError("the bus is closed")


class KafkaSubscription:
    """One member of a group; see ``bus.contract.Subscription``."""

    def __init__(self, connection: Connection, topics: Iterable[str], *, group: str) -> None:
        self.group = group
        self._arrival = asyncio.Event()
        self._topics = tuple(topics)
        self._readers = tuple(
            TopicReader(connection, topic=topic, group=group, wake=self._arrival.set) for topic in self._topics
        )
        self._closed = False

    async def open(self) -> None:
        """Join on every topic. Raises ``BusUnavailableError``; the subscription is then to be closed."""
        results = await asyncio.gather(*(reader.open() for reader in self._readers), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    def lags(self) -> Iterable[tuple[str, int]]:
        """Yield each topic and how many of its records wait."""
        return ((topic, reader.lag()) for topic, reader in zip(self._topics, self._readers, strict=True))

    async def receive(self) -> Received:
        """Return the next record, of the first topic of which one has arrived."""
        while True:
            if self._closed:
                raise BusUnavailableError("the subscription is closed")
            # No await stands between taking a record and returning it, so a cancelled call has taken none.
            for reader in self._readers:
                if (received := reader.take()) is not None:
                    return received
            for reader in self._readers:
                if reader.ended is not None:
                    raise reader.ended
                if reader.failure is not None:
                    failure, reader.failure = reader.failure, None
                    raise failure
            self._arrival.clear()
            await self._arrival.wait()

    async def done(self, received: Received) -> None:
        """Say that a record needs no further delivery; that is committed a moment later."""
        if self._closed:
            raise BusUnavailableError("the subscription is closed")
        match received.position:
            case (TopicReader() as reader, PartitionProgress() as progress, int() as offset):
                reader.done(progress, offset)
            case _:
                raise TypeError("the record was received from another bus")

    async def close(self) -> None:
        """Commit what was done and leave the group."""
        self._closed = True
        self._arrival.set()
        await asyncio.gather(*(reader.close() for reader in self._readers))

"""What every bus promises, and its users rely on.

Two implementations: ``bus.embedded`` (one process, forgets on restart) and, for many processes, Apache Kafka. The
contract suite in ``tests/contract`` runs over each.

Promises, whatever the bus:

* *order*: records of one topic with one key reach a group in the order in which they were published;
* *at least once*: a record stays due until ``done`` was called for it; a subscription that closes or dies before
  that has it delivered again to the next subscription of its group;
* *groups*: each group receives every record; within one group each record goes to one live subscription at a time;
* *nothing missed*: a group sees what is published after its first ``subscribe``, also what comes while no subscription
  of it is open. A bus that outlives its processes keeps that across a restart, and shows a new group what it still has;
* *bulletins*: whoever reads a topic as a bulletin reads all of it, from the first record that the bus still has, and
  knows when it has come to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """A message on a topic.

    ``key`` orders, ``value`` is opaque, ``headers`` are CloudEvents attributes in Kafka's binary mode (names in
    lower case, values UTF-8).
    """

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """A record as a subscription got it; ``position`` is the bus's own and only ``done`` reads it."""

    record: Record
    position: object


class BusUnavailableError(Exception):
    """The bus can't be reached now; the call had no effect that is known, and may be made again.

    What was closed raises it from every later call, and from a ``receive`` that was waiting.
    """


class Publisher(Protocol):
    """The side that puts records on the bus."""

    async def publish(self, record: Record) -> None:
        """Put a record on its topic, and return once the bus has it as durably as it ever will.

        Calling again after an error may put the record there twice: consumers deduplicate. Safe to call from
        many tasks; calls for one key are ordered as they were made. Raises ``BusUnavailableError``.
        """
        ...

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Put records on their topics, in order, and return once the bus has every one as durably as it ever will.

        Cheaper than as many calls of ``publish``, and promises the same. Where it raises ``BusUnavailableError``, any
        of the records may or may not be there.
        """
        ...


class Subscription(Protocol):
    """The side that takes records off the bus, as a member of one group."""

    async def receive(self) -> Received:
        """Return the next record that is due, waiting for one.

        Where topics were named in an order, a record of an earlier topic is preferred to one of a later topic; on a bus
        that is far away, among the records that have arrived here. Cancelling the call loses nothing. Raises
        ``BusUnavailableError``.
        """
        ...

    async def done(self, received: Received) -> None:
        """Say that a record needs no further delivery to this group.

        May be called in any order; the bus remembers no record as done before all earlier ones of its partition
        are. Idempotent. Raises ``BusUnavailableError``; the record may then come again.
        """
        ...

    async def close(self) -> None:
        """Leave the group. What was received and not done goes to another subscription, in order. Idempotent."""
        ...


class Bulletin(Protocol):
    """A topic that its reader reads whole, beside all others who do; nothing of it is ever done."""

    async def news(self) -> Sequence[Record]:
        """Return what is on the topic and was not returned before, to its end.

        Whatever ``publish`` had put there when this was called is among it, or was returned before; of several records
        with one key perhaps the last alone. Records with one key come in order, and may come again. The first call
        returns what the bus still has: a bus that forgets on restart keeps it of ``bus.topics.BULLETINS`` alone. One
        call at a time. Raises ``BusUnavailableError`` where the end can't be reached now; a later call goes on.
        """
        ...

    async def close(self) -> None:
        """Read no more. Idempotent."""
        ...


class Bus(Publisher, Protocol):
    """A bus: publish, subscribe to topics as a group, and read bulletins."""

    async def subscribe(self, topics: Sequence[str], *, group: str) -> Subscription:
        """Join ``group`` on ``topics``, most urgent first, and return once the membership stands.

        Raises ``BusUnavailableError``.
        """
        ...

    def bulletin(self, topic: str) -> Bulletin:
        """Return a reader of a whole topic. Raises ``BusUnavailableError`` where the bus is closed."""
        ...

    async def close(self) -> None:
        """Flush what was published and release every connection. Idempotent."""
        ...

"""The bus of one process: queues in memory, for the embedded exchange.

What each group has still to see of a topic is kept key by key. The records of one key form a *chain*: they are
handed out in the order in which they were published, and a chain belongs to the one subscription that holds records
of it until all of them are done, which is what a partition is to a Kafka consumer. Where a subscription closes, its
chains go back to what was last known as done, and anyone in the group may take them.

Of a bulletin the last record of each key is kept, for whoever may come to read it.

It forgets on restart: whoever publishes must be able to publish again. It has no bound of its own either: the relay
bounds what is in flight, and a group that is never joined again keeps what is published for it. For one event loop;
nothing here is safe to call from another thread.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bus.contract import BusUnavailableError, Received, Record
from bus.topics import BULLETINS


@dataclass(slots=True, eq=False)
class _Entry:
    """One record as one group sees it: its place in the order of publishing, and whether it is done."""

    sequence: int
    record: Record
    done: bool = False


@dataclass(slots=True, eq=False)
class _Chain:
    """The records of one key that a group has not done with; the first ``handed_out`` are held by ``holder``."""

    entries: deque[_Entry] = field(default_factory=deque)
    handed_out: int = 0
    holder: EmbeddedSubscription | None = None

    @property
    def waiting(self) -> bool:
        return self.handed_out < len(self.entries)

    def hand_out(self) -> _Entry:
        entry = self.entries[self.handed_out]
        self.handed_out += 1
        return entry

    def forget_done(self) -> None:
        """Drop the records that are done and have none before them that is not: only those are done for good."""
        while self.entries and self.entries[0].done:
            self.entries.popleft()
            self.handed_out -= 1

    def give_back(self) -> None:
        """Make every record due again that is not done for good."""
        for entry in self.entries:
            entry.done = False
        self.handed_out = 0
        self.holder = None


class _Due:
    """Chains that have a record to hand out, the one that was published first at the head."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, _Chain]] = []

    def add(self, chain: _Chain) -> None:
        heapq.heappush(self._heap, (chain.entries[chain.handed_out].sequence, chain))

    def first(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def take(self) -> _Chain:
        return heapq.heappop(self._heap)[1]


class _Queue:
    """What one group has still to see of one topic."""

    def __init__(self) -> None:
        self._chains: dict[bytes, _Chain] = {}
        self._unheld = _Due()
        self._held: dict[EmbeddedSubscription, _Due] = {}

    def members(self) -> tuple[EmbeddedSubscription, ...]:
        return tuple(self._held)

    def join(self, subscription: EmbeddedSubscription) -> None:
        self._held[subscription] = _Due()

    def put(self, sequence: int, record: Record) -> None:
        chain = self._chains.setdefault(record.key, _Chain())
        was_waiting = chain.waiting
        chain.entries.append(_Entry(sequence, record))
        if not was_waiting:
            self._due_for(chain).add(chain)
        for subscription in self._held:
            subscription.wake()

    def take(self, subscription: EmbeddedSubscription) -> Received | None:
        """Hand out the record that was published first among those that this subscription may have."""
        held, unheld = self._held[subscription].first(), self._unheld.first()
        if held is None and unheld is None:
            return None
        from_unheld = held is None or (unheld is not None and unheld < held)
        chain = (self._unheld if from_unheld else self._held[subscription]).take()
        chain.holder = subscription
        entry = chain.hand_out()
        if chain.waiting:
            self._held[subscription].add(chain)
        return Received(entry.record, (self, chain, entry))

    def done(self, subscription: EmbeddedSubscription, chain: _Chain, entry: _Entry) -> None:
        if entry.done or chain.holder is not subscription:
            return
        entry.done = True
        chain.forget_done()
        if not chain.entries:
            del self._chains[entry.record.key]

    def leave(self, subscription: EmbeddedSubscription) -> None:
        if self._held.pop(subscription, None) is None:
            return
        for chain in self._chains.values():
            if chain.holder is subscription:
                chain.give_back()
                self._unheld.add(chain)
        for other in self._held:
            other.wake()

    def _due_for(self, chain: _Chain) -> _Due:
        return self._unheld if chain.holder is None else self._held[chain.holder]


class EmbeddedSubscription:
    """One member of a group; see ``bus.contract.Subscription``. Once closed, it raises ``BusUnavailableError``."""

    def __init__(self, queues: Iterable[_Queue]) -> None:
        self._queues = tuple(queues)
        self._arrival = asyncio.Event()
        self._closed = False
        for queue in self._queues:
            queue.join(self)

    async def receive(self) -> Received:
        """Return the next record that is due, of the first topic that has one."""
        while True:
            self._refuse_if_closed()
            # No await stands between taking a record and returning it, so a cancelled call has taken none.
            for queue in self._queues:
                if (received := queue.take(self)) is not None:
                    return received
            self._arrival.clear()
            await self._arrival.wait()

    async def done(self, received: Received) -> None:
        """Say that a record needs no further delivery to this group."""
        self._refuse_if_closed()
        match received.position:
            case (_Queue() as queue, _Chain() as chain, _Entry() as entry):
                queue.done(self, chain, entry)
            case _:
                raise TypeError("the record was received from another bus")

    async def close(self) -> None:
        """Leave the group and give back what was not done."""
        self._closed = True
        for queue in self._queues:
            queue.leave(self)
        self.wake()

    def wake(self) -> None:
        """Let every waiting ``receive`` look again."""
        self._arrival.set()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BusUnavailableError("the subscription is closed")


class EmbeddedBulletin:
    """A reader of a whole topic; see ``bus.contract.Bulletin``."""

    def __init__(self, board: dict[bytes, _Entry]) -> None:
        self._board = board
        self._seen = -1
        self._closed = False

    async def news(self) -> Sequence[Record]:
        """Return the last record of each key that has one which was not returned before."""
        if self._closed:
            raise BusUnavailableError("the bulletin is closed")
        latest_first = itertools.takewhile(lambda entry: entry.sequence > self._seen, reversed(self._board.values()))
        news = [*latest_first][::-1]
        if news:
            self._seen = news[-1].sequence
        return [entry.record for entry in news]

    async def close(self) -> None:
        """Read no more."""
        self._closed = True


class EmbeddedBus:
    """The bus of one process; see ``bus.contract.Bus``. Durable for as long as the process lives, and no longer."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._by_topic: dict[str, list[_Queue]] = {}
        self._boards: dict[str, dict[bytes, _Entry]] = {topic: {} for topic in BULLETINS}
        """Each in the order of publishing."""
        self._bulletins: list[EmbeddedBulletin] = []
        self._sequence = itertools.count()
        self._closed = False

    async def publish(self, record: Record) -> None:
        """Put a record in the queue of every group that has ever asked for its topic."""
        self._refuse_if_closed()
        sequence = next(self._sequence)
        for queue in self._by_topic.get(record.topic, ()):
            queue.put(sequence, record)
        if (board := self._boards.get(record.topic)) is not None:
            board.pop(record.key, None)  # what replaces another comes last
            board[record.key] = _Entry(sequence, record)

    async def publish_all(self, records: Sequence[Record]) -> None:
        """Put records in the queues of every group that has ever asked for their topics."""
        for record in records:
            await self.publish(record)

    async def subscribe(self, topics: Sequence[str], *, group: str) -> EmbeddedSubscription:
        """Join ``group`` on ``topics``, most urgent first."""
        self._refuse_if_closed()
        return EmbeddedSubscription(self._queue(topic, group) for topic in dict.fromkeys(topics))

    def bulletin(self, topic: str) -> EmbeddedBulletin:
        """Return a reader of a whole topic; one that is not among ``BULLETINS`` is kept from now on."""
        self._refuse_if_closed()
        bulletin = EmbeddedBulletin(self._boards.setdefault(topic, {}))
        self._bulletins.append(bulletin)
        return bulletin

    async def close(self) -> None:
        """Close every subscription and bulletin, and refuse all further calls."""
        self._closed = True
        for bulletin in self._bulletins:
            await bulletin.close()
        for queue in self._queues.values():
            for subscription in queue.members():
                await subscription.close()

    def _queue(self, topic: str, group: str) -> _Queue:
        queue = self._queues.get((topic, group))
        if queue is None:
            queue = self._queues[topic, group] = _Queue()
            self._by_topic.setdefault(topic, []).append(queue)
        return queue

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BusUnavailableError("the bus is closed")

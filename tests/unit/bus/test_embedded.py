"""The in-process bus against a model of its promises, over any sequence of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from bus.contract import Received, Record
from bus.embedded import EmbeddedBus, EmbeddedSubscription

T = TypeVar("T")

GROUPS = ("one", "other")
TOPICS = ("urgent", "routine")


@dataclass(eq=False)
class Member:
    """A subscription and its group."""

    group: str
    subscription: EmbeddedSubscription


@dataclass
class Chain:
    """What the model knows of one key in one group: every record, what is done for good, what is handed out."""

    records: list[Record] = field(default_factory=list)
    done: list[bool] = field(default_factory=list)
    handed_out: int = 0
    holder: Member | None = None

    @property
    def done_for_good(self) -> int:
        """Return how many records are done with none before them that is not."""
        return self.done.index(False) if False in self.done else len(self.done)

    def give_back(self) -> None:
        """Make every record due again that is not done for good."""
        self.handed_out = self.done_for_good
        self.done[self.handed_out :] = [False] * (len(self.done) - self.handed_out)
        self.holder = None


class EmbeddedBusMachine(RuleBasedStateMachine):
    """Publish, receive, say done, close and join in any order; every record handed out must be the one that is due."""

    members = Bundle("members")
    in_hand = Bundle("in_hand")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bus = EmbeddedBus()
        self.published = 0
        self.chains: dict[tuple[str, str, bytes], Chain] = {}
        self.open: set[Member] = set()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Return what an asynchronous call returns."""
        return self.loop.run_until_complete(call)

    @initialize()
    def groups_exist(self) -> None:
        """Let both groups ask once, so that both see everything."""
        for group in GROUPS:
            self.run(self.run_join(group).subscription.close())
        self.open.clear()

    def run_join(self, group: str) -> Member:
        """Return a new member of a group."""
        member = Member(group, self.run(self.bus.subscribe(TOPICS, group=group)))
        self.open.add(member)
        return member

    @rule(target=members, group=st.sampled_from(GROUPS))
    def join(self, group: str) -> Member:
        """Let one more member join."""
        return self.run_join(group)

    @rule(topic=st.sampled_from(TOPICS), key=st.sampled_from([b"a", b"b", b"c"]))
    def publish(self, topic: str, key: bytes) -> None:
        """Publish, for both groups."""
        self.published += 1
        record = Record(topic, key, str(self.published).encode(), ())
        self.run(self.bus.publish(record))
        for group in GROUPS:
            chain = self.chains.setdefault((group, topic, key), Chain())
            chain.records.append(record)
            chain.done.append(False)

    def due(self, member: Member) -> list[tuple[int, int, Chain]]:
        """Return what a member may have next: by topic, then by the order of publishing."""
        return sorted(
            (TOPICS.index(topic), int(chain.records[chain.handed_out].value), chain)
            for (group, topic, _), chain in self.chains.items()
            if group == member.group and chain.handed_out < len(chain.records) and chain.holder in (None, member)
        )

    @rule(target=in_hand, member=members)
    def receive(self, member: Member) -> Any:  # noqa: ANN401 - the type of Hypothesis's own multiple()
        """Receive the record that is due, or none where none is."""
        if member not in self.open:
            return multiple()
        due = self.due(member)
        received = self.run(_receive_now(member.subscription))
        if not due:
            assert received is None
            return multiple()
        chain = due[0][2]
        index = chain.handed_out
        assert received is not None
        assert received.record == chain.records[index]
        chain.handed_out += 1
        chain.holder = member
        return (member, chain, index, received)

    @rule(held=in_hand)
    def done(self, held: tuple[Member, Chain, int, Received]) -> None:
        """Say that any record in hand is done, perhaps again."""
        member, chain, index, received = held
        if member not in self.open:
            return
        self.run(member.subscription.done(received))
        chain.done[index] = True
        if chain.done_for_good == len(chain.done):
            chain.holder = None

    @rule(member=consumes(members))
    def leave(self, member: Member) -> None:
        """Let a member leave and give back what it has not done."""
        self.run(member.subscription.close())
        self.open.discard(member)
        for chain in self.chains.values():
            if chain.holder is member:
                chain.give_back()

    def teardown(self) -> None:
        """Whatever happened, a last member of each group gets all that is not done, and nothing else."""
        for member in list(self.open):
            self.leave(member)
        for group in GROUPS:
            last = self.run_join(group)
            while self.due(last):
                self.receive(last)
            self.receive(last)
        self.run(self.bus.close())
        self.loop.close()
        super().teardown()


async def _receive_now(subscription: EmbeddedSubscription) -> Received | None:
    waiting = asyncio.ensure_future(subscription.receive())
    await asyncio.sleep(0)
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    await asyncio.wait([waiting])
    return None


TestEmbeddedBus = EmbeddedBusMachine.TestCase
TestEmbeddedBus.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_a_record_of_another_bus_is_not_taken() -> None:
    """A position that the bus did not make is a mistake of the program, and says so."""
    bus = EmbeddedBus()
    subscription = await bus.subscribe(["topic"], group="g")
    with pytest.raises(TypeError):
        await subscription.done(Received(Record("topic", b"", b"", ()), position=1))
    await bus.close()

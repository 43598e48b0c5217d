"""The committer: items gather into transactions, in order, and what one of them does never harms another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from audit.entry import Draft
from gateway.errors import GatewayError, LogUnavailableError, NotFoundError
from gateway.store.committer import Batch
from gateway.store.entries import EntryWriter
from tests.unit.gateway.ground import Ground, draft, open_ground


@dataclass(slots=True)
class Scripted:
    """Writes an entry for each item, but answers ``refuse…`` with an error and breaks on ``break…``."""

    seen: list[list[str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, batch: Batch, items: Sequence[str]) -> Sequence[int | GatewayError]:
        """Write the items."""
        self.seen.append(list(items))
        self.begun.set()
        results: list[int | GatewayError] = []
        for item in items:
            if item.startswith("break"):
                raise ValueError(item)
            results.append(NotFoundError() if item.startswith("refuse") else batch.log.append(draft(item)))
        return results


async def together(ground: Ground, writer: Scripted, *items: str) -> list[int | BaseException]:
    """Submit items at once and return each one's result or error."""
    return await asyncio.gather(*(ground.committer.submit(writer, item) for item in items), return_exceptions=True)


async def test_what_comes_together_is_one_transaction(ground: Ground) -> None:
    """Items that wait together are written together, in the order in which they came."""
    assert await together(ground, Scripted(), "a", "b", "c") == [0, 1, 2]
    assert ground.batches == [3]


async def test_a_lone_item_does_not_wait(ground: Ground) -> None:
    """One item is a transaction of its own, written without another to keep it company."""
    writer = Scripted()
    assert [await ground.committer.submit(writer, item) for item in "ab"] == [0, 1]
    assert ground.batches == [1, 1]


async def test_a_batch_forms_while_another_is_written(ground: Ground) -> None:
    """What arrives during a transaction is the next one, whole."""
    writer = Scripted()
    first = asyncio.create_task(ground.committer.submit(writer, "first"))
    await writer.begun.wait()
    assert await together(ground, writer, "b", "c", "d") == [1, 2, 3]
    assert await first == 0
    assert ground.batches == [1, 3]


async def test_no_batch_is_larger_than_its_limit(tmp_path: Path) -> None:
    """More items than a transaction may hold are several transactions, still in order."""
    async with open_ground(tmp_path, max_batch=4) as ground:
        assert await together(ground, Scripted(), *"abcdefghij") == list(range(10))
        assert ground.batches == [4, 4, 2]


async def test_each_kind_of_write_sees_its_own_items_together(ground: Ground) -> None:
    """Two writers' items that came mixed reach each writer in one call, and the indices follow the order of writing."""
    one, other = Scripted(), Scripted()
    results = await asyncio.gather(
        *(
            ground.committer.submit(writer, name)
            for writer, name in ((one, "a"), (other, "b"), (one, "c"), (other, "d"))
        )
    )
    assert (one.seen, other.seen) == ([["a", "c"]], [["b", "d"]])
    assert results == [0, 2, 1, 3]
    assert [entry["content"]["problem"] for entry in await ground.entries()] == ["a", "c", "b", "d"]


async def test_an_error_of_one_item_is_its_callers_alone(ground: Ground) -> None:
    """A writer that answers an error for one item has its neighbours stored, without a gap."""
    first, refused, last = await together(ground, Scripted(), "a", "refused", "b")
    assert (first, last) == (0, 1)
    assert isinstance(refused, NotFoundError)


async def test_a_poisonous_item_does_not_fail_its_neighbours(ground: Ground) -> None:
    """An item that breaks the whole batch fails alone: each of the others gets a transaction of its own."""
    results = await together(ground, Scripted(), "a", "break", "b")
    assert [results[0], results[2]] == [0, 1]
    assert isinstance(results[1], ValueError)
    assert await ground.kinds() == ["refused", "refused"]
    assert ground.committer.failure is None


async def test_nothing_of_a_broken_transaction_stays(ground: Ground) -> None:
    """What a broken batch appended before it broke never had an index: the next entry gets it."""
    (broken,) = await together(ground, Scripted(), "break")
    assert isinstance(broken, ValueError)
    assert await ground.committer.submit(Scripted(), "a") == 0


async def test_what_the_database_refuses_is_not_to_be_tried_again(ground: Ground) -> None:
    """A lone item that breaks a rule of the database gets that as its error, for it would break it again."""

    class Breaking:
        async def write(self, batch: Batch, items: Sequence[str]) -> Sequence[int]:
            await batch.connection.execute(text("INSERT INTO registry_head VALUES (2, 0)"))
            return [0] * len(items)

    with pytest.raises(IntegrityError):
        await ground.committer.submit(Breaking(), "a")
    assert await ground.committer.submit(Scripted(), "b") == 0


async def test_a_cancelled_caller_takes_nobody_with_it(ground: Ground) -> None:
    """Whoever stops waiting leaves its item to be written all the same, and its neighbours to be answered."""
    writer = Scripted()
    leaving = asyncio.create_task(ground.committer.submit(writer, "a"))
    staying = asyncio.create_task(ground.committer.submit(writer, "b"))
    await writer.begun.wait()
    leaving.cancel()
    assert await staying == 1
    assert leaving.cancelled()
    assert len(await ground.entries()) == 2


async def test_what_follows_a_commit_happens_although_nobody_waits(ground: Ground) -> None:
    """What is to happen in memory once a transaction stands happens before any caller hears, cancelled or not."""
    happened: list[str] = []
    writing = asyncio.Event()

    class Following:
        async def write(self, batch: Batch, items: Sequence[str]) -> Sequence[int]:
            batch.after_commit.append(lambda: happened.append("stands"))
            writing.set()
            return [batch.log.append(draft(item)) for item in items]

    leaving = asyncio.create_task(ground.committer.submit(Following(), "a"))
    await writing.wait()
    leaving.cancel()
    assert happened == []
    await ground.committer.submit(EntryWriter(), draft("b"))
    assert happened == ["stands"]


async def test_what_follows_a_commit_never_has_it_written_again(ground: Ground) -> None:
    """Where memory can't follow a commit it is brought up to date; callers have answers, and the writer goes on."""

    class Forgetful:
        async def write(self, batch: Batch, items: Sequence[str]) -> Sequence[int]:
            batch.after_commit.append(_forgets)
            return [batch.log.append(draft(item)) for item in items]

    class Follower:
        version, refreshed = 0, 0

        async def refresh(self, _connection: AsyncConnection) -> None:
            self.refreshed += 1

    happened: list[str] = []
    ground.committer.standing = follower = Follower()

    class Mindful(EntryWriter):
        async def write(self, batch: Batch, items: Sequence[Draft]) -> Sequence[int]:
            batch.after_commit.append(lambda: happened.append("stands"))
            return await super().write(batch, items)

    with capture_logs() as logs:
        results = await asyncio.gather(
            *(ground.committer.submit(Forgetful(), item) for item in "ab"),
            ground.committer.submit(Mindful(), draft("c")),
        )
    assert sorted(results) == [0, 1, 2]
    assert happened == ["stands"]
    assert [each["error"] for each in logs if each["event"] == "after_commit_failed"] == ["KeyError"] * 2
    before = follower.refreshed
    await ground.committer.submit(EntryWriter(), draft("d"))
    assert (before, follower.refreshed) == (2, 3)  # by the batch itself, and once more since its memory failed
    assert len(await ground.entries()) == 4


def _forgets() -> None:
    raise KeyError("memory does not follow")


async def test_closing_writes_what_waits_and_takes_nothing_more(ground: Ground) -> None:
    """All that was submitted before ``close`` is written; what comes after is refused."""
    writer = Scripted()
    waiting = [asyncio.create_task(ground.committer.submit(writer, item)) for item in "abc"]
    await asyncio.sleep(0)
    ground.committer.close()
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, "late")
    await ground.writing
    assert [task.result() for task in waiting] == [0, 1, 2]


async def test_a_committer_that_can_not_keep_up_says_so(tmp_path: Path) -> None:
    """Beyond the limit of what may wait, the next is refused at once and the ones that wait are written."""
    async with open_ground(tmp_path, max_waiting=2) as ground:
        results = await together(ground, Scripted(), "a", "b", "c")
        assert results[:2] == [0, 1]
        assert isinstance(results[2], LogUnavailableError)


async def test_a_damaged_head_ends_the_committer(ground: Ground) -> None:
    """A log whose head is not the root of its entries is not built upon: this caller and the next are refused."""
    await ground.committer.submit(Scripted(), "a")
    async with ground.store.writer.begin() as connection:
        await connection.execute(text("UPDATE log_head SET root = x'00'"))
    for item in "bc":
        with pytest.raises(LogUnavailableError):
            await ground.committer.submit(Scripted(), item)
    assert ground.committer.failure is not None


@settings(max_examples=25, deadline=None)
@given(script=st.lists(st.sampled_from(["write", "refuse", "break"]), max_size=12), limit=st.integers(1, 5))
async def test_indices_have_no_gap_whatever_happens(
    script: list[str], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However good, refused and poisonous items are mixed, the good ones get 0, 1, 2, … and the others nothing."""
    async with open_ground(tmp_path_factory.mktemp("gaps"), max_batch=limit) as ground:
        results = await together(ground, Scripted(), *script)
        assert sorted(each for each in results if isinstance(each, int)) == list(range(script.count("write")))
        assert [type(each) for each in results if not isinstance(each, int)] == [
            NotFoundError if item == "refuse" else ValueError for item in script if item != "write"
        ]
        assert len(await ground.entries()) == script.count("write")

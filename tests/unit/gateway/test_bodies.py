"""Bodies: read whole and within their limit, and all together within a budget that small ones do not touch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.types import Receive

from gateway.errors import BodyTooLargeError, InterruptedBodyError, OverCapacityError
from gateway.http.bodies import SMALL, BodyBudget, read_body

KIND = "application/jose"
SCOPE: dict[str, Any] = {"headers": [(b"content-type", KIND.encode())]}
LARGE = 4 * SMALL
LIMIT = 2 * LARGE


def arriving(chunks: Iterable[bytes], *, whole: bool = True) -> Receive:
    """Return what receives a body in these chunks, after which the client goes away unless it was ``whole``."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or not whole}

    return receive


async def held(budget: BodyBudget, receive: Receive, until: asyncio.Event) -> int:
    """Read a body, keep it in hand until an event, and return its length."""
    with budget.share() as share:
        body = await read_body(SCOPE, receive, media_type=KIND, limit=LIMIT, share=share)
        await until.wait()
        return len(body)


async def test_all_together_are_bounded() -> None:
    """What would be over the budget is refused, whoever sends it; once others have left theirs there is room again."""
    budget, done = BodyBudget(2 * LARGE), asyncio.Event()
    others = [asyncio.create_task(held(budget, arriving([bytes(LARGE // 2)] * 2), done)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(OverCapacityError):
        await held(budget, arriving([bytes(SMALL), b"x"]), done)
    done.set()
    assert await asyncio.gather(*others) == [LARGE] * 2
    assert await held(budget, arriving([bytes(2 * LARGE)]), done) == 2 * LARGE


async def test_small_ones_are_taken_all_the_same() -> None:
    """An ordinary alert is no matter of the budget, even where nothing is left of it."""
    budget, done = BodyBudget(LARGE), asyncio.Event()
    other = asyncio.create_task(held(budget, arriving([bytes(LARGE)]), done))
    await asyncio.sleep(0.01)
    done.set()
    assert await held(budget, arriving([bytes(SMALL // 2)] * 2), done) == SMALL
    assert await other == LARGE


@pytest.mark.parametrize(
    ("chunks", "error"),
    [([bytes(LARGE)], InterruptedBodyError), ([bytes(LARGE)] * 3, BodyTooLargeError)],
    ids=["interrupted", "too large"],
)
async def test_nothing_is_held_of_what_failed(chunks: list[bytes], error: type[Exception]) -> None:
    """A body that breaks off, or is over its own limit, gives back what it held."""
    budget, done = BodyBudget(LIMIT), asyncio.Event()
    done.set()
    for _ in range(3):
        with pytest.raises(error):
            await held(budget, arriving(chunks, whole=False), done)
    assert await held(budget, arriving([bytes(LIMIT)]), done) == LIMIT

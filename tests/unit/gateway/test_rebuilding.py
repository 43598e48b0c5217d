"""The registry rebuilt from the database while an exchange runs: beside its loop, and verified once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.upkeep.rebuilding import Rebuilding
from lacolle.samples import World
from schemas.statements import Jurisdiction
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample


@pytest.fixture
async def exchange(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield the sample exchange, in a folder of its own."""
    async with open_sample(world, tmp_path) as sample:
        yield sample


async def test_it_is_verified_beside_the_loop_and_once(exchange: SampleExchange) -> None:
    """Whoever draws evidence stops nobody meanwhile, and the second drawing verifies no signature again."""
    again = Rebuilding(exchange.registry.jurisdictions.values())
    async with exchange.ledger.store.reading() as connection:
        drawing = asyncio.create_task(again.rebuilt(connection))
        turns = 0
        while not drawing.done():
            await asyncio.sleep(0)
            turns += again._turn.locked()
        first, verified = await drawing, dict(again._statements)
        second = await again.rebuilt(connection)
    assert turns > 0
    assert len(verified) > 1
    assert all(again._statements[compact] is each for compact, each in verified.items())
    for rebuilt in (first, second):
        assert [each.participant for each in rebuilt.receivers] == [
            each.participant for each in exchange.registry.receivers
        ]
        assert rebuilt.book.chapters.keys() == exchange.registry.book.chapters.keys()


async def test_what_nobody_signed_is_never_remembered(exchange: SampleExchange) -> None:
    """Keys that were not pinned vouch for nothing, however often it is asked."""
    nobody: list[Jurisdiction] = []
    again = Rebuilding(nobody)
    for _ in range(2):
        async with exchange.ledger.store.reading() as connection:
            with pytest.raises(StoreError):
                await again.rebuilt(connection)

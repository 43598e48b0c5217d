"""A dispatch whose row says something else than its entry goes nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from audit.tables import log_entries
from bus.events import read_outcome
from bus.topics import OUTCOMES
from gateway.store.tables import dispatches
from schemas.parcels import Refused
from tests.unit.gateway.ground import NYSP, VSP, Ground, acceptance, accepted, permit
from tests.unit.gateway.test_relay import Line

TERMS = '{"exercise":true}'


@pytest.mark.parametrize(
    "change", [{"recipient": VSP}, {"version": 1, "clause": "9.9"}, {"terms": TERMS}, {"lane": "urgent"}]
)
async def test_an_altered_dispatch_is_not_sent(ground: Ground, change: dict[str, Any]) -> None:
    """Whichever of its members was changed, nobody gets anything: it ends as refused, and the log says why."""
    line = await Line.open(ground)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    async with ground.store.writer.begin() as connection:
        await connection.execute(update(dispatches).values(**change))
    outcomes = await line.bus.subscribe([OUTCOMES], group="exchange")
    with capture_logs() as logs:
        await line.look()
    assert [await line.parcels(partner) for partner in (NYSP, VSP)] == [[], []]
    report = read_outcome((await outcomes.receive()).record)
    assert report.outcome == Refused("dispatch: not as logged")
    assert [(each["event"], each["log_level"]) for each in logs if each["event"] == "dispatch_altered"] == [
        ("dispatch_altered", "critical")
    ]


async def test_an_altered_entry_lets_nothing_go(ground: Ground) -> None:
    """An entry that the log did not commit to vouches for nothing, whatever it says."""
    line = await Line.open(ground)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    async with ground.store.writer.begin() as connection:
        await connection.execute(update(log_entries).values(salt=bytes(32)))
    await line.look()
    assert await line.parcels(NYSP) == []


async def test_each_of_many_has_its_entry(ground: Ground) -> None:
    """Several alerts to several recipients all go out, each by its own entry."""
    line = await Line.open(ground)
    await accepted(ground, *(acceptance(f"A-{number}", permit(NYSP), permit(VSP)) for number in range(5)))
    await line.look()
    assert [len(await line.parcels(partner)) for partner in (NYSP, VSP)] == [5, 5]


async def test_one_entry_is_read_for_a_dispatch(ground: Ground) -> None:
    """A row names its entry, whether it went out at once or with consent; none of the alert's other entries is read."""
    line = await Line.open(ground)
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    entries = {entry["index"]: entry for entry in await ground.entries()}
    rows = await ground.dispatches()
    assert [entries[row.released]["content"]["delivery_id"] for row in rows] == [row.delivery_id for row in rows]
    async with ground.store.writer.begin() as connection:
        await connection.execute(
            update(dispatches).where(dispatches.c.recipient == VSP).values(released=rows[0].released)
        )
    await line.look()
    assert [len(await line.parcels(partner)) for partner in (NYSP, VSP)] == [1, 0]


async def test_a_dispatch_of_an_earlier_version_has_its_entry(ground: Ground) -> None:
    """A row that names its alert's entry alone is held against those of the alert, and goes out, or does not."""
    line = await Line.open(ground)
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    async with ground.store.writer.begin() as connection:
        await connection.execute(update(dispatches).values(released=dispatches.c.log_index))
        await connection.execute(update(dispatches).where(dispatches.c.recipient == VSP).values(clause="9.9"))
    await line.look()
    assert [len(await line.parcels(partner)) for partner in (NYSP, VSP)] == [1, 0]

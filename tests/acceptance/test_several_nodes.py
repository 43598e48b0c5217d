"""Several processes on one PostgreSQL database, under load, while one is killed and the server is stopped at once.

What was promised holds as for one process: every receipt, every delivery, one log without a gap.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest
import yaml

from lacolle.folder import SETTINGS, read_folder
from lacolle.local.postgres import Stop
from lacolle.samples import World, WorldOptions, build_world
from tests.acceptance import crash_oracle
from tests.acceptance.conftest import ServerProcess, free_port
from tests.acceptance.crash_agencies import Agencies, client
from tests.acceptance.crash_partners import Partners, open_partners
from tests.acceptance.databases import Place, own_database
from tests.patience import PATIENCE

_PROCESSES: Final = 4
"""Two gateways with two workers each are four processes that write."""
_CONNECTIONS: Final = 2
_PAUSE: Final = 0.01
_STRETCH: Final = 1.5
_SETTLES_WITHIN: Final = 60.0 * PATIENCE
_SERVICE_UNAVAILABLE: Final = 503
_LEAST: Final = 50


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a server that the test may stop as it likes."""
    with own_database() as place:
        yield place


@pytest.mark.slow
async def test_what_was_promised_survives_kills_and_a_stopped_server(place: Place, tmp_path: Path) -> None:
    """Four processes take alerts; one is killed, PostgreSQL is stopped at once; all that was answered is true."""
    async with open_partners(tmp_path / "partners", Random(1)) as partners:  # noqa: S311 - chance that can be repeated
        worlds = _worlds(tmp_path, partners)
        servers = [ServerProcess(world, tmp_path / f"{n}.log", place.database) for n, world in enumerate(worlds)]
        try:
            agencies = await _under_load(worlds, servers, place)
            await _hold(worlds[0], agencies, partners, place)
        finally:
            for server in servers:
                await asyncio.to_thread(server.stop)


async def _under_load(worlds: Sequence[World], servers: Sequence[ServerProcess], place: Place) -> list[Agencies]:
    for server in servers:
        await asyncio.to_thread(server.start)
    async with _posting(worlds) as agencies:
        await asyncio.sleep(_STRETCH)
        await asyncio.to_thread(servers[1].kill)
        await asyncio.sleep(_STRETCH)
        await asyncio.to_thread(servers[1].start)
        await asyncio.to_thread(place.server.stop, Stop.IMMEDIATE)
        await asyncio.sleep(_STRETCH / 3)
        await asyncio.to_thread(place.server.start)
        await asyncio.sleep(_STRETCH)
    return agencies


@asynccontextmanager
async def _posting(worlds: Sequence[World]) -> AsyncIterator[list[Agencies]]:
    dice = Random(2)  # noqa: S311 - as above
    everybody = [Agencies(world, dice, not_now=frozenset({_SERVICE_UNAVAILABLE})) for world in worlds]
    for agencies in everybody[1:]:
        agencies.submissions = everybody[0].submissions  # one numbering of alerts
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for agencies in everybody * _CONNECTIONS:
            tasks.create_task(agencies.post(pause=_PAUSE))
        yield everybody
        for agencies in everybody:
            agencies.stopping = True


async def _hold(world: World, everybody: Sequence[Agencies], partners: Partners, place: Place) -> None:
    submissions = everybody[0].submissions
    await everybody[0].finish()
    assert [trouble for agencies in everybody for trouble in agencies.trouble] == []
    assert len(submissions) > _LEAST
    read = await crash_oracle.settled(world, submissions, within=_SETTLES_WITHIN)
    await crash_oracle.receipts_are_honoured(world, submissions, read)
    crash_oracle.deliveries_are_right(submissions, read, partners.handed)
    vkey = read_folder(world.folder).keys.log.vkey
    await crash_oracle.public_log_verifies(world, vkey)
    async with client(world) as connection:
        note = (await connection.get("/log/checkpoint")).content
    await crash_oracle.stored_log_verifies(place.database, vkey, [note])
    await crash_oracle.one_alert_each(place.database, submissions)


def _worlds(tmp_path: Path, partners: Partners) -> list[World]:
    """Return one world with a folder for each process, which differ in the port they listen on."""
    settings = {
        "delivery": {"ca_file": str(partners.authority.ca_file), "retry_base": 0.1, "retry_cap": 1.0},
        "limits": {"rate_per_second": 10000.0, "burst": 10000},
        "files": {"data": str(tmp_path / "published")},  # whoever may relay next remembers what was published
    }
    (tmp_path / "published").mkdir()
    options = WorldOptions(port=free_port(), endpoints=partners.endpoints, settings=settings)
    first = build_world(tmp_path / "world", options)
    return [first, *(_copy(first, tmp_path / f"exchange-{number}") for number in range(1, _PROCESSES))]


def _copy(world: World, folder: Path) -> World:
    shutil.copytree(world.folder, folder)
    port = free_port()
    file = folder / SETTINGS
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings["listen"]["port"] = port
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return replace(world, folder=folder, base_url=f"http://127.0.0.1:{port}")

"""The exchange is killed again and again while agencies post: what it promised holds, and nothing happened twice.

``LACOLLE_TEST_KILLS`` (50) is how often it is killed, ``LACOLLE_TEST_SEED`` repeats the dice of an earlier run; when
exactly a process dies is the machine's own chance.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

import httpx2
import pytest

from lacolle.folder import read_folder
from lacolle.samples import World, WorldOptions, build_world
from tests.acceptance.commands import shared_forks
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.crash_agencies import Agencies, client
from tests.acceptance.crash_partners import Partners, open_partners
from tests.acceptance.crash_promises import Promises
from tests.acceptance.databases import exchange_database, store_environment
from tests.patience import PATIENCE

_KILLS: Final = int(os.environ.get("LACOLLE_TEST_KILLS", "50"))
_SEED: Final = int(os.environ.get("LACOLLE_TEST_SEED", SystemRandom().randrange(1 << 32)))
_FEWER: Final = 10
"""On PostgreSQL, whose own recovery is not ours to test, it is killed a tenth as often."""
_CONNECTIONS: Final = 8
_PAUSE: Final = 0.03
_IN_START_UP: Final = 0.2
_READY_WITHIN: Final = 30.0 * PATIENCE


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the URL of the exchange's PostgreSQL database; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with exchange_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.mark.slow
async def test_what_was_promised_survives_any_number_of_kills(tmp_path: Path, database: str | None) -> None:
    """Every receipt is honoured, every partner got what was for it and no other, and the log is one and whole."""
    kills = _KILLS if database is None else _KILLS // _FEWER
    sys.stdout.write(f"LACOLLE_TEST_SEED={_SEED} LACOLLE_TEST_KILLS={_KILLS}\n")
    dice = Random(_SEED)  # noqa: S311 - chance that can be repeated, not a secret
    async with open_partners(tmp_path / "partners", Random(_SEED + 1)) as partners:  # noqa: S311 - as above
        world = build_world(tmp_path / "world", _options(partners))
        folder = read_folder(world.folder)
        promises = Promises(world, database or folder.database, partners, [Agencies(world, dice)])
        server = ServerProcess(world, tmp_path / "server.log", database)
        try:
            async with promises.under_load(connections=_CONNECTIONS, pause=_PAUSE):
                await _kill_again_and_again(world, tmp_path / "server.log", dice, kills=kills, database=database)
                await asyncio.to_thread(server.start)
            await promises.hold_answers(least=kills)
            distinct = await promises.hold_public_log()
            assert distinct > kills // 5  # enough were seen in passing to say something; a busy machine sees fewer
        finally:
            status = await asyncio.to_thread(server.stop)
        assert status == 0
        stored = await promises.hold_stored_log()
        assert stored.signed_size == stored.size


def _options(partners: Partners) -> WorldOptions:
    return WorldOptions(
        port=_lasting_port(),
        endpoints=partners.endpoints,
        settings={
            "delivery": {"ca_file": str(partners.authority.ca_file), "retry_base": 0.1, "retry_cap": 1.0},
            "limits": {"rate_per_second": 10000.0, "burst": 10000},
        },
    )


def _lasting_port() -> int:
    """Return a port that the system gives to no outgoing connection while the exchange is down: they start higher."""
    while True:
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", SystemRandom().randrange(10_240, 32_000)))
            return int(tried.getsockname()[1])


async def _kill_again_and_again(world: World, log: Path, dice: Random, *, kills: int, database: str | None) -> None:
    store = {} if database is None else store_environment(world.folder, database)
    for _ in range(kills):
        served = shared_forks().start(["serve", str(world.folder), "--insecure-http"], log=log, environment=store)
        if dice.random() < _IN_START_UP:
            await asyncio.sleep(dice.uniform(0.0, 0.4))
        else:
            await _until_ready(world, log)
            await asyncio.sleep(dice.uniform(0.05, 0.6))
        served.send_signal(signal.SIGKILL)
        status = await asyncio.to_thread(served.wait)
        assert status == -signal.SIGKILL, f"it had ended by itself:\n{_end_of(log)}"


async def _until_ready(world: World, log: Path) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN), client(world) as connection:
            while True:
                try:
                    if (await connection.get("/readyz")).status_code == httpx2.codes.OK:
                        return
                except httpx2.TransportError:
                    await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"the exchange did not get ready:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]

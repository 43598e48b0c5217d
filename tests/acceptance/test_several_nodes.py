"""Several whole exchanges, each one process, on one PostgreSQL database: the one that relays is killed under load.

What was promised holds as for one process: every receipt, every delivery, every thread, one log without a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest

from lacolle.local.ports import free_ports
from lacolle.local.postgres import Stop
from lacolle.samples import World, WorldOptions, build_world
from tests.acceptance.crash_agencies import Agencies
from tests.acceptance.crash_partners import Partners, open_partners
from tests.acceptance.crash_promises import Promises
from tests.acceptance.databases import Place, own_database, store_settings
from tests.acceptance.roles import RoleProcess, telling
from tests.patience import PATIENCE

_NODES: Final = 3
_CONNECTIONS: Final = 2
_PAUSE: Final = 0.04
_STRETCH: Final = 40
"""How many alerts are answered before, between and after the faults."""
_TAKES_OVER_WITHIN: Final = 10.0 * PATIENCE
_SERVICE_UNAVAILABLE: Final = 503


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a server that the test may stop as it likes."""
    with own_database() as place:
        yield place


@pytest.mark.slow
async def test_what_was_promised_survives_a_killed_relay_and_a_stopped_server(place: Place, tmp_path: Path) -> None:
    """Whoever relays is killed, twice, and PostgreSQL is stopped at once: another does, and all answers are true."""
    async with open_partners(tmp_path / "partners", Random(1)) as partners:  # noqa: S311 - chance that can be repeated
        ports = free_ports(_NODES)
        world = build_world(tmp_path / "world", _options(tmp_path, place, partners, port=ports[0]))
        promises = Promises(world, place.database, partners, _everybody(world, ports))
        async with _nodes(tmp_path, world, ports) as nodes:
            async with promises.under_load(connections=_CONNECTIONS, pause=_PAUSE):
                await promises.answers(_STRETCH)
                relaying = await _relays(nodes, [0] * _NODES)
                for _ in range(2):
                    terms = [_terms(node) for node in nodes]
                    await asyncio.to_thread(relaying.kill)
                    killed, relaying = relaying, await _relays(nodes, terms)
                    assert relaying is not killed
                    await asyncio.to_thread(killed.start)
                    await promises.answers(_STRETCH)
                await asyncio.to_thread(place.server.stop, Stop.IMMEDIATE)
                await promises.refusals(_CONNECTIONS)
                await asyncio.to_thread(place.server.start)
                await promises.answers(_STRETCH)
            await promises.hold(least=4 * _STRETCH)


async def _relays(nodes: Sequence[RoleProcess], terms: Sequence[int]) -> RoleProcess:
    """Return the node that began to relay since each had had so many terms, once one did."""
    async with asyncio.timeout(_TAKES_OVER_WITHIN):
        while True:
            for node, before in zip(nodes, terms, strict=True):
                if _terms(node) > before:
                    return node
            await asyncio.sleep(0.05)


def _terms(node: RoleProcess) -> int:
    """Return how often a node became the one that relays: it says so in its log alone."""
    return node.told().count("relay_active")


@asynccontextmanager
async def _nodes(tmp_path: Path, world: World, ports: Sequence[int]) -> AsyncIterator[list[RoleProcess]]:
    with ExitStack() as stack:
        nodes = [
            RoleProcess(
                ("serve", "--insecure-http"),
                world.folder,
                tmp_path / f"{port}.log",
                environment={"LACOLLE_LISTEN__PORT": str(port)},
            )
            for port in ports
        ]
        with telling(*nodes):
            for node in nodes:
                stack.callback(node.kill)
                node.launch()
            for node in nodes:
                await asyncio.to_thread(node.wait_until_ready)
            yield nodes


def _everybody(world: World, ports: Sequence[int]) -> tuple[Agencies, ...]:
    """Return the agencies at each node; one numbering of alerts is common to all."""
    dice, not_now = Random(2), frozenset({_SERVICE_UNAVAILABLE})  # noqa: S311 - as above
    first = Agencies(world, dice, not_now=not_now)
    others = [replace(world, base_url=f"http://127.0.0.1:{port}") for port in ports[1:]]
    return first, *(Agencies(other, dice, submissions=first.submissions, not_now=not_now) for other in others)


def _options(tmp_path: Path, place: Place, partners: Partners, *, port: int) -> WorldOptions:
    settings = {
        "store": store_settings(tmp_path, place.database),
        "delivery": {"ca_file": str(partners.authority.ca_file), "retry_base": 0.1, "retry_cap": 1.0},
        "limits": {"rate_per_second": 10000.0, "burst": 10000},
    }
    return WorldOptions(port=port, endpoints=partners.endpoints, settings=settings)

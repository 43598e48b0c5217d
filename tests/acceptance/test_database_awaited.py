"""Roles that are started while PostgreSQL is away: they wait for it, say so, and end at once where it refuses them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import pytest

from gateway.store.engine import open_postgres
from gateway.store.schema import head_revision, upgrade
from lacolle.local.postgres import LocalPostgres, Stop
from lacolle.samples import World, WorldOptions, build_world
from tests.acceptance.agency import Agencies, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import shared_forks
from tests.acceptance.conftest import free_port
from tests.acceptance.databases import store_environment
from tests.acceptance.roles import STARTS_WITHIN, RoleProcess, engine_settings
from tests.servers.postgres import local_postgres

NOBODY = "127.0.0.1:1"
ROLES = [("gateway", "--insecure-http"), ("gateway", "--insecure-http", "--workers", "2"), ("relay",)]
ROLES.append(("serve", "--insecure-http"))


@dataclass
class Place:
    """A world whose database can be stopped."""

    world: World
    server: LocalPostgres


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a world on a PostgreSQL server of its own, with no Kafka."""
    directory = tmp_path_factory.mktemp("awaited")
    with local_postgres() as server:
        asyncio.run(_upgrade(server.url("postgres")))
        engines = engine_settings(directory, database=server.url("postgres"), kafka=NOBODY)
        yield Place(build_world(directory / "world", WorldOptions(port=free_port(), settings=engines)), server)


async def _upgrade(url: str) -> None:
    store = open_postgres(url)
    await upgrade(store.writer)
    await store.close()


@pytest.fixture
def away(place: Place) -> Iterator[Place]:
    """Return the world with its database stopped; it runs again afterwards, whatever the test did."""
    place.server.stop(Stop.IMMEDIATE)
    yield place
    place.server.start()


@pytest.fixture(params=ROLES, ids=" ".join)
def role(request: pytest.FixtureRequest, away: Place, tmp_path: Path) -> Iterator[RoleProcess]:
    """Return a role that was started while the database was away, and says that it waits."""
    with ExitStack() as stack:
        role = RoleProcess(request.param, away.world.folder, tmp_path / "role.log")
        stack.callback(role.kill)
        role.launch()
        role.wait_for(lambda: role.condition() == "unavailable", what="waiting", within=STARTS_WITHIN)
        assert "waiting_for_database" in role.told()
        yield role


def test_a_role_waits_for_its_database(role: RoleProcess, away: Place) -> None:
    """It is alive and not ready, refuses for the time being, and works within seconds of its database's return."""
    assert role.readiness()["parts"] == {"database": {"state": "unavailable", "detail": "unreachable"}}
    serves = role.command[0] != "relay"
    with httpx2.Client(base_url=away.world.base_url, timeout=20.0, trust_env=False) as http:
        agencies = Agencies(away.world, http)
        if serves:
            assert (http.get("/healthz").status_code, http.get("/readyz").status_code) == (200, 503)
            refused = agencies["ca-qc.sq"].submit(stolen_vehicle())
            assert problem_of(refused, 503) == "log-unavailable"
            assert "retry-after" in refused.headers
        away.server.start()
        role.wait_for(lambda: role.condition() == "degraded", what="at work", within=10)  # for the bus is away
        assert "database_reached" in role.told()
        if serves:
            assert agencies["ca-qc.sq"].send(stolen_vehicle())["receipt"]
    assert role.stop() == 0


def test_a_role_that_waits_ends_when_it_is_told(role: RoleProcess) -> None:
    """SIGTERM ends the wait with status 0, as it ends any other work, and nothing is left to be said."""
    assert role.stop() == 0
    assert '"event": "stopped"' in role.told()
    assert "Traceback" not in role.told()


@pytest.mark.parametrize("command", ROLES, ids=" ".join)
@pytest.mark.parametrize("fault", ["login", "database", "schema"])
def test_what_the_server_refuses_is_not_waited_for(
    place: Place, tmp_path: Path, command: tuple[str, ...], fault: str
) -> None:
    """A wrong login, a database that is not there and a newer schema end the process at once, with a reason."""
    if fault == "schema":
        asyncio.run(_set_revision(place.server, "9999"))
    url = {
        "login": place.server.url("postgres", role="nobody"),
        "database": place.server.url("no_such_database"),
        "schema": place.server.url("postgres"),
    }[fault]
    said = tmp_path / "said.txt"
    words = [command[0], str(place.world.folder), *command[1:], "--lang", "en", "--operation-port", str(free_port())]
    try:
        status = shared_forks().run(words, log=said, environment=store_environment(tmp_path, url), within=STARTS_WITHIN)
    finally:
        asyncio.run(_set_revision(place.server, head_revision()))
    told = said.read_text(encoding="utf-8")
    assert status == 1, told
    assert ("newer than this program" if fault == "schema" else "refuses this role") in told
    assert "waiting_for_database" not in told
    assert "Traceback" not in told


async def _set_revision(server: LocalPostgres, revision: str) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
    finally:
        await connection.close()

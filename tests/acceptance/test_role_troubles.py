"""What the roles say and do where their engines are away, or where they were set up in a way that can't work."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.store.engine import open_postgres
from gateway.store.schema import upgrade
from lacolle.local.postgres import LocalPostgres, Stop
from lacolle.samples import World, WorldOptions, build_world
from tests.acceptance.agency import Agencies, members, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import shared_forks
from tests.acceptance.conftest import free_port
from tests.acceptance.roles import STARTS_WITHIN, RoleProcess, engine_settings
from tests.servers.postgres import local_postgres

NOBODY = "127.0.0.1:1"


@dataclass
class Lonely:
    """A gateway whose Kafka is away, and whose database can be stopped."""

    gateway: RoleProcess
    database: LocalPostgres
    agencies: Agencies


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lonely]:
    """Return a gateway on a PostgreSQL server of its own, with no Kafka."""
    directory = tmp_path_factory.mktemp("lonely")
    with ExitStack() as stack:
        server = stack.enter_context(local_postgres())
        asyncio.run(_upgrade(server.url("postgres")))
        engines = engine_settings(directory, database=server.url("postgres"), kafka=NOBODY)
        world = build_world(directory / "world", WorldOptions(port=free_port(), settings=engines))
        gateway = RoleProcess(("gateway", "--insecure-http"), world.folder, directory / "gateway.log")
        stack.callback(gateway.kill)
        gateway.start()
        http = stack.enter_context(httpx2.Client(base_url=world.base_url, timeout=20.0, trust_env=False))
        yield Lonely(gateway, server, Agencies(world, http))


async def _upgrade(url: str) -> None:
    store = open_postgres(url)
    await upgrade(store.writer)
    await store.close()


def test_without_kafka_and_relay_alerts_are_accepted(lonely: Lonely) -> None:
    """The gateway takes alerts, says that the bus is away and nobody signs, and answers 200 to who routes requests."""
    assert lonely.agencies["ca-qc.sq"].send(stolen_vehicle())["receipt"]
    readiness = lonely.gateway.readiness()
    assert (readiness["status"], readiness["broken"]) == ("degraded", ["log", "bus"])
    assert "never signed" in readiness["parts"]["log"]["detail"]
    assert readiness["parts"]["bus"] == {"state": "degraded", "detail": "unreachable"}
    public = lonely.agencies.http.get("/readyz")
    assert (public.status_code, members(public)) == (200, {"status": "degraded"})


def test_without_its_database_nothing_is_accepted_until_it_is_back(lonely: Lonely) -> None:
    """A submission gets 503 and the parts that fail are named; with the database back, alerts are accepted again."""
    sq = lonely.agencies["ca-qc.sq"]
    lonely.database.stop(Stop.IMMEDIATE)
    try:
        answer = sq.submit(stolen_vehicle())
        assert problem_of(answer, 503) == "log-unavailable"
        assert "retry-after" in answer.headers
        lonely.gateway.wait_for(lambda: lonely.gateway.condition() == "unavailable", what="unavailable")
        assert "database" in lonely.gateway.readiness()["broken"]
        assert lonely.agencies.http.get("/readyz").status_code == 503
        assert lonely.agencies.http.get("/healthz").status_code == 200
    finally:
        lonely.database.start()
    lonely.gateway.wait_for(lambda: sq.submit(stolen_vehicle()).status_code == 201, what="accepting again", within=20)
    lonely.gateway.wait_for(lambda: lonely.gateway.condition() == "degraded", what="ready but for the bus", within=20)
    assert lonely.gateway.stop() == 0


def test_a_worker_that_dies_while_the_database_is_away_takes_no_other_along(tmp_path: Path) -> None:
    """Its place is filled once the database is back; until then the others go on, and the command does not end."""
    with ExitStack() as stack:
        server = stack.enter_context(local_postgres())
        asyncio.run(_upgrade(server.url("postgres")))
        engines = engine_settings(tmp_path, database=server.url("postgres"), kafka=NOBODY)
        world = build_world(tmp_path / "world", WorldOptions(port=free_port(), settings=engines))
        gateway = RoleProcess(("gateway", "--workers", "2", "--insecure-http"), world.folder, tmp_path / "gateway.log")
        stack.callback(gateway.kill)
        gateway.start()
        gateway.wait_for(lambda: gateway.told().count('"event": "serving"') == 2, what="both serving")
        server.stop(Stop.IMMEDIATE)
        (victim,) = re.findall(r'"worker": 1, "pid": ([0-9]+)', gateway.told())
        os.kill(int(victim), signal.SIGKILL)
        gateway.wait_for(lambda: "waiting_for_database" in gateway.told(), what="waiting", within=30)
        assert httpx2.get(f"{world.base_url}/healthz", timeout=20.0, trust_env=False).status_code == 200
        server.start()
        gateway.wait_for(lambda: gateway.told().count('"event": "serving"') == 3, what="replaced", within=30)
        assert gateway.stop() == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world on SQLite and the embedded bus."""
    return build_world(tmp_path / "world", WorldOptions(port=free_port()))


@pytest.mark.parametrize(
    ("command", "environment", "named"),
    [
        (("gateway", "--insecure-http"), {}, "store.url"),
        (("gateway", "--insecure-http", "--workers", "2"), {}, "store.url"),
        (("relay",), {}, "bus.kafka"),
        (("relay",), {"LACOLLE_BUS__KAFKA__BOOTSTRAP": f"['{NOBODY}']"}, "store.url"),
        (("adapters",), {}, "bus.kafka"),
        (("adapters", "--participant", "us-ny.nobody"), {"LACOLLE_BUS__KAFKA__BOOTSTRAP": f"['{NOBODY}']"}, "nobody"),
        (("serve", "--insecure-http"), {"LACOLLE_STORE__URL": "postgresql://a:b@c/d"}, "password_file"),
    ],
)
def test_a_role_that_can_not_work_is_refused(
    world: World, command: tuple[str, ...], environment: dict[str, Any], named: str
) -> None:
    """What its role needs and the settings lack is named in both languages, and the command ends with 1."""
    told = []
    for language in ("fr", "en"):
        said = _refusal(world.folder, [*command, "--lang", language], environment)
        assert named in said
        told.append(said)
    assert told[0] != told[1]


def test_adapters_need_no_more_than_their_part(world: World) -> None:
    """Without agreements, database and the exchange's other keys the adapters read their folder, and believe nobody."""
    for name in ("receipt", "log"):
        (world.folder / "keys" / f"{name}.jwk").unlink()
    for path in [*(world.folder / "agreements").iterdir(), *(world.folder / "data").iterdir()]:
        path.unlink()
    kafka = {"LACOLLE_BUS__KAFKA__BOOTSTRAP": f"['{NOBODY}']"}
    words = ["adapters", "--lang", "en"]
    assert "names no partner" in _refusal(world.folder, words, kafka)
    statement = world.folder / "statements" / "us-ny.nysp.jws"
    statement.write_bytes(statement.read_bytes()[:-8] + b"AAAAAAAA")
    assert "us-ny.nysp.jws" in _refusal(world.folder, words, kafka)


def _refusal(folder: Path, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command on an exchange's folder, which must end with 1; return what it said."""
    said = folder.parent / f"{secrets.token_hex(4)}.txt"
    command = [words[0], str(folder), *words[1:]]
    status = shared_forks().run(command, log=said, environment=environment, within=STARTS_WITHIN)
    told = said.read_text(encoding="utf-8")
    assert status == 1, told
    assert "Traceback" not in told
    return told

"""Gateway, relay and adapters as processes of their own: they work together, and any of them may go."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from audit.verify import verify_database
from gateway.store.engine import open_postgres
from lacolle.certificates import LocalAuthority
from lacolle.folder import read_folder
from lacolle.samples import World, WorldOptions, build_world
from schemas.ids import ParticipantId
from tests.acceptance.agency import Agencies, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import free_port
from tests.acceptance.partner import Partner
from tests.acceptance.roles import RoleProcess, create_topics, engine_settings
from tests.patience import PATIENCE
from tests.servers.postgres import Postgres
from tests.servers.sharing import alone, run_folder
from tests.unit.deploy.monitored import asked_for, exported

NYSP = "us-ny.nysp"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Stage:
    """The exchange's processes, its agencies and one partner."""

    world: World
    database: str
    postgres: Postgres
    gateway: RoleProcess
    relay: RoleProcess
    adapters: RoleProcess
    agencies: Agencies
    partner: Partner
    directory: Path

    def another_relay(self, name: str) -> RoleProcess:
        """Return a relay that is not started yet."""
        return RoleProcess(("relay",), self.world.folder, self.directory / f"{name}.log")

    def send(self) -> str:
        """Send an alert that the partner is to get, and return its id."""
        return str(self.agencies["ca-qc.sq"].send(stolen_vehicle())["alert_id"])

    def state(self, alert_id: str) -> str:
        """Return what the sender sees of the partner's delivery."""
        deliveries = self.agencies["ca-qc.sq"].read(alert_id)["deliveries"]
        return str(next(each for each in deliveries if each["participant"] == NYSP)["state"])

    def execute(self, statement: str) -> None:
        """Execute a statement in the exchange's database."""
        asyncio.run(self.postgres.run(statement, database=self.database))


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, postgres: Postgres, kafka_address: str
) -> Iterator[Stage]:
    """Return an exchange of three processes, its gateway with two workers.

    The broker is shared, and topics are named after participants alone: two exchanges on it would take each other's
    parcels.
    """
    directory = tmp_path_factory.mktemp("roles")
    authority = LocalAuthority(directory / "ca")
    partner = Partner(authority.issue(NYSP))
    database = asyncio.run(postgres.new_database())
    engines = engine_settings(directory, database=postgres.url_of(database), kafka=kafka_address)
    options = WorldOptions(
        port=free_port(),
        settings={**engines, "delivery": {"ca_file": str(authority.ca_file), "retry_base": 0.1, "retry_cap": 1.0}},
        endpoints={ParticipantId(NYSP): partner.url},
    )
    world = build_world(directory / "world", options)
    create_topics(world, kafka_address, folder=directory)
    gateway = RoleProcess(("gateway", "--workers", "2", "--insecure-http"), world.folder, directory / "gateway.log")
    relay = RoleProcess(("relay",), world.folder, directory / "relay.log")
    adapters = RoleProcess(("adapters",), world.folder, directory / "adapters.log")
    with ExitStack() as stack:
        stack.callback(lambda: asyncio.run(postgres.drop(database)))
        stack.enter_context(alone(run_folder(tmp_path_factory, worker_id) / "roles.lock"))
        partner.start()
        stack.callback(partner.stop)
        for role in (gateway, relay, adapters):
            stack.callback(role.kill)
            role.start()
        http = stack.enter_context(httpx2.Client(base_url=world.base_url, timeout=20.0, trust_env=False))
        found = Stage(world, database, postgres, gateway, relay, adapters, Agencies(world, http), partner, directory)
        yield found


def _eventually(holds: Any, *, within: float = 15.0) -> None:  # noqa: ANN401 - any condition
    until = time.monotonic() + within * PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_alert_goes_all_the_way(stage: Stage) -> None:
    """What a worker accepted, the relay publishes, an adapter hands over, and the sender sees delivered."""
    alert_id = stage.send()
    (handed,) = stage.partner.wait_for(alert_id, within=15.0)
    assert handed.headers["traceparent"].startswith("00-" + alert_id.replace("-", ""))
    _eventually(lambda: stage.state(alert_id) == "delivered")


def test_the_trace_goes_all_the_way(stage: Stage) -> None:
    """The trace context of the request is the one that the partner gets."""
    given = f"00-{TRACE}-00f067aa0ba902b7-01"
    sq = stage.agencies["ca-qc.sq"]
    answer = sq.post(sq.sign(stolen_vehicle()), traceparent=given)
    (handed,) = stage.partner.wait_for(answer.json()["alert_id"], within=15.0)
    assert handed.headers["traceparent"] == given


def test_every_role_names_the_alert_alike(stage: Stage) -> None:
    """One search for the alert's id finds it in the lines of gateway, relay and adapters, under one name."""
    alert_id = stage.send()
    _eventually(lambda: stage.state(alert_id) == "delivered")
    for role in (stage.gateway, stage.relay, stage.adapters):
        assert re.search(rf'"alert_id": (\["[^]]*)?"?{alert_id}', role.told()), role.command


def test_the_public_port_says_little_and_the_operators_all(stage: Stage) -> None:
    """Each worker answers its operator with parts and metrics; the public learns whether, and no more."""
    alert_id = stage.send()
    _eventually(lambda: stage.state(alert_id) == "delivered")
    http = stage.agencies.http
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").json() == {"status": "ready"}
    assert http.get("/metrics").status_code == 404
    for worker in (0, 1):
        parts = stage.gateway.readiness(offset=worker)["parts"]
        # the relay alone knows of the adapters
        assert set(parts) == {"database", "signer", "log", "bus", "content", "agreements"}
        assert all(part["state"] == "ready" for part in parts.values())
    accepted = [
        float(line.rpartition(" ")[2])
        for worker in (0, 1)
        for line in stage.gateway.metrics(offset=worker).splitlines()
        if line.startswith("lacolle_accepted_total")
    ]
    assert len(accepted) == 2
    assert sum(accepted) >= 1
    assert stage.relay.readiness()["parts"]["relay"]["detail"] == "active"
    assert stage.relay.readiness()["parts"]["adapters"]["state"] == "ready"
    assert stage.relay.readiness()["parts"]["signer"]["state"] == "ready"
    assert 'lacolle_delivery_seconds_count{lane="urgent",recipient="us-ny.nysp"}' in stage.relay.metrics()
    assert 'outcome="delivered",participant="us-ny.nysp"' in stage.adapters.metrics()
    assert 'lacolle_records_dead_total{participant="us-ny.nysp"} 0.0' in stage.adapters.metrics()
    assert 'topic="lacolle.outcomes"' in stage.relay.metrics()
    assert 'lacolle_consumer_lag{group="lacolle.adapter.us-ny.nysp"' in stage.adapters.metrics()


def test_dashboard_and_alarms_ask_for_what_roles_export(stage: Stage) -> None:
    """Every metric that the shipped dashboard and alarms ask for is one that a running role offers."""
    alert_id = stage.send()
    _eventually(lambda: stage.state(alert_id) == "delivered")
    offered = [role.metrics() for role in (stage.gateway, stage.relay, stage.adapters)]
    assert asked_for() <= set().union(*map(exported, offered))
    for text, parts in zip(offered, ("database", "relay", "bus"), strict=True):
        assert f'lacolle_part_state{{part="{parts}",state="ready"}} 1.0' in text


def test_a_checkpoint_follows_within_a_second(stage: Stage) -> None:
    """What a gateway appends, the relay's process signs, and every gateway shows it."""
    index = stage.agencies["ca-qc.sq"].send(stolen_vehicle())["log_index"]

    def size() -> int:
        return int(stage.agencies.http.get("/log/checkpoint").text.splitlines()[1])

    _eventually(lambda: size() > index, within=2.0)


def test_a_revocation_counts_for_every_worker(stage: Stage) -> None:
    """Once one worker has logged a revocation, no worker accepts what the key signs."""
    sq = stage.agencies["ca-qc.msp"]
    revoked = sq.keys[1]
    authority = stage.agencies.authority("CA-QC")
    now = int(time.time())
    statement = {
        "statement": "key-revocation",
        "participant": sq.participant,
        "kid": revoked.kid,
        "revoked_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "reason": {"fr": "perdue", "en": "lost"},
    }
    compact = sq.sign(statement, authority, typ="authority-statement+jws")
    posted = stage.agencies.http.post("/v1/statements", content=compact, headers={"Content-Type": "application/jose"})
    assert posted.status_code in {200, 201}, posted.text
    for _ in range(20):  # a connection each, so that both workers are met
        with httpx2.Client(base_url=stage.world.base_url, trust_env=False) as http:
            answer = http.post(
                "/v1/alerts",
                content=sq.sign(stolen_vehicle({"sender": sq.participant}), revoked),
                headers={"Content-Type": "application/jose"},
            )
        assert problem_of(answer, 401) == "signature-not-trusted"


def test_a_worker_that_dies_is_replaced(stage: Stage) -> None:
    """A killed worker is reported and another takes its place; alerts are accepted before and after."""
    (victim, *_) = re.findall(r'"worker": 1, "pid": ([0-9]+)', stage.gateway.told())[-1:]
    os.kill(int(victim), signal.SIGKILL)
    stage.gateway.wait_for(lambda: "worker_ended" in stage.gateway.told(), what="told of")
    for _ in range(5):
        with httpx2.Client(base_url=stage.world.base_url, trust_env=False) as http:
            assert http.get("/readyz").status_code == 200
    stage.gateway.wait_for(lambda: stage.gateway.told().count('"worker_started"') >= 3, what="replaced", within=20.0)
    stage.send()


def test_another_relay_takes_over(stage: Stage) -> None:
    """A second relay stands by; when the first is killed it takes over, and what waits is delivered."""
    second = stage.another_relay("second")
    second.start()
    try:
        assert second.readiness()["parts"]["relay"]["detail"] == "standing by"
        stage.relay.kill()
        alert_id = stage.send()
        stage.partner.wait_for(alert_id, within=20.0)
        assert second.readiness()["parts"]["relay"]["detail"] == "active"
    finally:
        stage.relay.start()
        status = second.stop()
    assert status == 0
    stage.relay.wait_for(lambda: stage.relay.readiness()["parts"]["relay"]["detail"] == "active", what="active again")


def test_a_relay_that_forgot_what_was_published_does_not_start(stage: Stage, tmp_path: Path) -> None:
    """Without the file of the last checkpoint, where checkpoints were published, a relay ends and says what to do."""
    forgetful = stage.another_relay("forgetful")
    forgetful.environment = {"LACOLLE_FILES__DATA": str(tmp_path)}
    with pytest.raises(AssertionError, match="ended before ready"):
        forgetful.start()
    assert "published" in forgetful.told()
    assert "Traceback" not in forgetful.told()
    assert forgetful.process is not None
    assert forgetful.process.wait() == 1
    assert list(tmp_path.iterdir()) == []


def test_a_relay_without_its_lock_stops_and_comes_back(stage: Stage) -> None:
    """Cut off from its lock it ceases to relay at once, and relays again when it has the lock again."""
    before = stage.relay.told().count("relay_active")
    stage.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    stage.relay.wait_for(lambda: "relay_lost_its_lock" in stage.relay.told(), what="told that the lock is lost")
    stage.relay.wait_for(lambda: stage.relay.told().count("relay_active") > before, what="active again")
    alert_id = stage.send()
    stage.partner.wait_for(alert_id, within=20.0)


def test_every_role_stops_when_it_is_told(stage: Stage) -> None:
    """SIGTERM ends each role with status 0, its work done: what was sent before is settled, and the log verifies."""
    alert_ids = [stage.send() for _ in range(20)]
    for alert_id in alert_ids:
        stage.partner.wait_for(alert_id, within=20.0)
    _eventually(lambda: all(stage.state(alert_id) == "delivered" for alert_id in alert_ids))
    for role in (stage.gateway, stage.adapters, stage.relay):
        assert role.stop() == 0, role.told()[-3000:]
        assert '"stopped"' in role.told()
        assert "Traceback" not in role.told()
    verified = asyncio.run(_verified(stage))
    assert verified > len(alert_ids)


async def _verified(stage: Stage) -> int:
    store = open_postgres(stage.postgres.url_of(stage.database))
    try:
        async with store.reading() as connection:
            vkey = read_folder(stage.world.folder).keys.log.vkey
            log = await verify_database(connection, vkey=vkey, progress=lambda _done, _total: None)
        return log.size
    finally:
        await store.close()

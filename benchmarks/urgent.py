"""The urgent lane: from an urgent alert's 201 to its partner's endpoint, a routine backlog waiting for that partner.

The backlog is queued through the gateway; then relay and adapters start, and urgent alerts are posted at a steady rate
while it drains. Each is also for a second partner, where nobody listens. Every role is a process of its own.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack

import orjson
import uvloop
from sqlalchemy import func, select

from benchmarks.connection import request_bytes
from benchmarks.exchange import World, running_role, serving_gateway
from benchmarks.load import Load, LoadError, Plan, Result
from benchmarks.partner import PartnerProcess, partner
from benchmarks.process import HOST
from benchmarks.roles import DATABASE, Engines, delivering
from benchmarks.sample import alerts, sign
from benchmarks.stage import MeasurementError, Seen, Stage
from gateway.store.engine import open_postgres
from gateway.store.tables import dispatches
from schemas.decisions import Lane
from schemas.ids import ParticipantId

_DEAD = ParticipantId("us-vt.vsp")
_RATE = 10.0
_SECONDS = 30.0
_WARMUP = 2.0
_CONNECTIONS = 8
_BATCH = 1_000
_PATIENCE = 120.0
_SETTLED = ("delivered", "refused", "expired")


def urgent_lane(stage: Stage, engines: Engines) -> Seen:
    """Queue the backlog, let it drain, and time urgent alerts meanwhile; raises ``MeasurementError``."""
    backlog = stage.scale.backlog
    with stage.folder("urgent") as folder, ExitStack() as stack:
        world = delivering(folder, engines, dead=(_DEAD,))
        stack.enter_context(serving_gateway(world, workers=2))
        stage.say(f"urgent lane: {backlog:,} routine dispatches")
        _queue(stage, world, backlog)
        running = stack.enter_context(partner(world.partners))
        stack.enter_context(running_role(world, "relay"))
        stack.enter_context(running_role(world, "adapters"))
        _wait_until_draining(running)
        stage.say("urgent lane: urgent alerts beside them")
        try:
            seen = uvloop.run(_post_urgent(stage, world, running))
        except LoadError as error:
            raise MeasurementError(str(error)) from error
        left = asyncio.run(_left(engines))
    if left == 0 or not seen.statuses.keys() <= {"201"}:
        raise MeasurementError(f"{left} of the backlog left, answers: {seen.statuses}")
    figures = {
        "urgent_backlog": backlog,
        "urgent_backlog_left": left,
        "urgent_alerts": seen.answers,
        "urgent_p50_ms": round(seen.delivery_p50_ms, 1),
        "urgent_p99_ms": round(seen.delivery_p99_ms, 1),
        "urgent_stolen_share": round(seen.stolen_share, 2),
    }
    line = (
        f"Urgent lane: {seen.answers:,} urgent alerts, from the 201 to the partner p50 {seen.delivery_p50_ms:.0f} ms, "
        f"p99 {seen.delivery_p99_ms:.0f} ms, while {backlog:,} routine dispatches drained to {left:,} and another "
        f"partner was dead; {seen.stolen_share:.0%} stolen"
    )
    return Seen({**figures}, (line,))


def _queue(stage: Stage, world: World, backlog: int) -> None:
    """Post the backlog in batches: exercises, which the agreement with the partner that listens has as routine."""
    connection = http.client.HTTPConnection(HOST, world.port, timeout=_PATIENCE)
    for first in range(0, backlog, _BATCH):
        numbers = range(first, min(backlog, first + _BATCH))
        body = b"\n".join(_signed(stage, world, "BACKLOG", numbers, status="Exercise"))
        connection.request("POST", "/v1/alerts/batch", body, {"Content-Type": "application/jose-seq"})
        answer = connection.getresponse()
        results = [orjson.loads(line) for line in answer.read().splitlines()]
        if [result["status"] for result in results] != [http.client.CREATED] * len(numbers):
            raise MeasurementError(f"a batch was answered with {answer.status}")
    connection.close()


def _signed(stage: Stage, world: World, run: str, numbers: range, *, status: str) -> Iterator[bytes]:
    now = stage.clock()
    sender = ParticipantId(world.sender)
    documents = ({**each, "status": status} for each in alerts(run, numbers, sender=sender, now=now))
    return sign(documents, keys=world.keys, now=now)


def _wait_until_draining(running: PartnerProcess) -> None:
    until = time.monotonic() + _PATIENCE
    while not running.state().arrivals:
        if time.monotonic() > until:
            raise MeasurementError("nothing of the backlog arrived")
        time.sleep(0.05)


async def _post_urgent(stage: Stage, world: World, running: PartnerProcess) -> Result:
    plan = Plan(port=world.port, connections=_CONNECTIONS, warmup=_WARMUP, seconds=_SECONDS, rate=_RATE)
    numbers = range(int(_RATE * (_WARMUP + _SECONDS)) + 1)
    host = f"{HOST}:{world.port}"
    requests = (request_bytes(each, host=host) for each in _signed(stage, world, "URGENT", numbers, status="Actual"))
    return await Load(plan=plan, requests=deque(requests)).run(running)


async def _left(engines: Engines) -> int:
    """Return how many of the backlog have no outcome yet."""
    store = open_postgres(engines.postgres.url(DATABASE))
    statement = select(func.count()).where(dispatches.c.lane == Lane.ROUTINE, dispatches.c.state.not_in(_SETTLED))
    async with store.reading() as connection:
        left = await connection.scalar(statement)
    await store.close()
    return int(left or 0)

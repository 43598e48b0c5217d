"""The urgent lane: neither a backlog of routine dispatches nor a partner that is dead delays an urgent alert.

``LACOLLE_TEST_BACKLOG`` (2,000) is how many routine dispatches wait. What is asserted is the order of events; how
long an urgent alert takes is a benchmark's to say (``python -m benchmarks.urgent``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from lacolle.local.kafka import ClusterOptions
from lacolle.local.ports import free_ports
from schemas.ids import ParticipantId
from tests.acceptance import crash_oracle
from tests.acceptance.crash_agencies import Kind, Submission
from tests.acceptance.crash_partners import Partners
from tests.acceptance.databases import Place, own_database
from tests.acceptance.fault_stage import FaultStage, open_stage, restarted
from tests.servers.kafka import OwnKafka
from tests.servers.proxy import proxying

_BACKLOG: Final = int(os.environ.get("LACOLLE_TEST_BACKLOG", "2000"))
_BATCH: Final = 500
_URGENT: Final = 5
_FOR_THE_DEAD: Final = 50
_WITHIN: Final = 60.0 + _BACKLOG / 20
"""Seconds that a loaded machine may take for the whole backlog."""
_SQ: Final = ParticipantId("ca-qc.sq")
_BUSY: Final = ParticipantId("us-ny.nysp")
_DEAD: Final = ParticipantId("us-vt.vsp")
_ROUTINE_KIND: Final = Kind(_SQ, frozenset({_BUSY}), {"status": "Exercise"})
_URGENT_KIND: Final = Kind(_SQ, frozenset({_BUSY, _DEAD}))
_DEAD_KIND: Final = Kind(_SQ, frozenset({_DEAD}), {"addresses": [_DEAD]})


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a PostgreSQL server of the test's own."""
    with own_database() as place:
        yield place


@pytest.mark.slow
async def test_an_urgent_alert_overtakes_the_backlog(place: Place, own_kafka: OwnKafka, tmp_path: Path) -> None:
    """With a backlog on its way and another partner silent, urgent alerts arrive one after the other before its end.

    Once the silent partner speaks everything has arrived everywhere, and the log has each delivery once.
    """
    cluster = await asyncio.to_thread(own_kafka, ClusterOptions())
    (dead_port,) = free_ports(1)

    def partners_at(partners: Partners) -> Mapping[ParticipantId, str]:
        return {**partners.endpoints, _DEAD: f"https://127.0.0.1:{dead_port}/{_DEAD}"}

    async with open_stage(tmp_path / "stage", place, cluster, partners_at=partners_at) as stage:
        target = urlsplit(stage.partners.endpoints[_DEAD]).netloc
        async with proxying(port=dead_port, target=target) as way_to_the_dead:
            way_to_the_dead.silence()
            routine = await _queue(stage)
            for _ in range(_URGENT):
                (urgent,) = await stage.agencies.post_batch(_URGENT_KIND, 1)
                await _arrived(stage, [urgent], at=_BUSY)
                assert _count(stage, routine) < _BACKLOG
            assert not [each for each in stage.partners.arrivals if each.recipient == _DEAD]
            assert way_to_the_dead.connections  # it was tried, in vain
            way_to_the_dead.mend()
            await _hold(stage)


async def _queue(stage: FaultStage) -> set[str]:
    """Let the backlog and what the dead partner owes queue up, then have the adapters begin; return the backlog."""
    agencies = stage.agencies
    for role in stage.adapters:
        await asyncio.to_thread(role.kill)
    backlog: list[Submission] = []
    while len(backlog) < _BACKLOG:
        backlog += await agencies.post_batch(_ROUTINE_KIND, min(_BATCH, _BACKLOG - len(backlog)))
    await agencies.post_batch(_DEAD_KIND, _FOR_THE_DEAD)
    assert agencies.trouble == []
    await restarted(*stage.adapters)
    routine = {each.alert_id for each in backlog}
    async with asyncio.timeout(_WITHIN):
        while not _count(stage, routine):  # noqa: ASYNC110 - the partners remember, and tell nobody
            await asyncio.sleep(0.01)
    return routine


async def _arrived(stage: FaultStage, submissions: list[Submission], *, at: ParticipantId) -> None:
    wanted = {(each.alert_id, at) for each in submissions}
    async with asyncio.timeout(_WITHIN):
        while not wanted <= {(each.alert_id, each.recipient) for each in stage.partners.arrivals}:  # noqa: ASYNC110 - the partners remember, and tell nobody
            await asyncio.sleep(0.01)


def _count(stage: FaultStage, alert_ids: set[str]) -> int:
    """Return how many of some alerts have arrived."""
    return len(alert_ids & {each.alert_id for each in stage.partners.arrivals})


async def _hold(stage: FaultStage) -> None:
    async with asyncio.timeout(_WITHIN):
        while await stage.undelivered():  # noqa: ASYNC110 - what the database says is to be asked for
            await asyncio.sleep(0.2)
    urgent = [each for each in stage.submissions if each.kind is _URGENT_KIND]
    read = await crash_oracle.settled(stage.world, urgent, within=_WITHIN)
    await crash_oracle.receipts_are_honoured(stage.world, urgent, read)
    expected = {(each.alert_id, recipient) for each in stage.submissions for recipient in each.kind.recipients}
    assert {(each.alert_id, each.recipient) for each in stage.partners.arrivals} == expected
    await stage.promises.hold_log()

"""Spans of gateway, relays and adapters as processes of their own, sent to an OTLP/HTTP collector."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest

from lacolle.certificates import LocalAuthority
from lacolle.samples import WorldOptions, build_world
from schemas.ids import ParticipantId
from tests.acceptance.agency import Agencies, Agency, members
from tests.acceptance.alerts import wanted_person
from tests.acceptance.conftest import free_port
from tests.acceptance.partner import Answer, Handed, Partner
from tests.acceptance.roles import RoleProcess, create_topics, engine_settings, telling
from tests.patience import PATIENCE
from tests.servers.collector import Collector, Seen, collecting
from tests.servers.postgres import Postgres
from tests.servers.sharing import alone, run_folder

NYSP: Final = "us-ny.nysp"
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT: Final = "00f067aa0ba902b7"
CHILD_OF: Final = {"commit": "accept", "relay": "accept", "deliver": "relay", "record": "deliver"}
RECORDED_BY: Final = {
    "lacolle-gateway": {"accept", "commit"},
    "lacolle-relay": {"relay", "record"},
    "lacolle-adapters": {"deliver"},
}
WORD: Final = 4
"""The shortest text of an alert that is looked for: a shorter one may be a part of anything."""


@dataclass
class Stage:
    """The exchange's processes, who sends to it, a partner whose answers can be held back, and the collector."""

    gateway: RoleProcess
    relays: tuple[RoleProcess, RoleProcess]
    adapters: RoleProcess
    sender: Agency
    partner: Partner
    answering: threading.Event
    collector: Collector

    def is_delivered(self, alert_id: str) -> bool:
        """Say whether the sender sees that every recipient has it: nothing of it is left on the shared broker."""
        return {each["state"] for each in self.sender.read(alert_id)["deliveries"]} == {"delivered"}

    def hand_over(self) -> None:
        """Have the relay that is active stop in good order, and the other one take its place."""
        first, second = self.relays
        second.start()
        assert first.stop() == 0
        second.wait_for(lambda: second.turn() == "active", what="active")

    def stop(self) -> None:
        """Stop every role in good order, so that it sends what it has recorded."""
        for role in (self.gateway, self.adapters, self.relays[1]):
            assert role.stop() == 0


@pytest.fixture
def stage(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, postgres: Postgres, kafka_address: str
) -> Iterator[Stage]:
    """Return an exchange whose roles send spans to a collector; its second relay is not started yet."""
    directory = tmp_path_factory.mktemp("spans")
    authority = LocalAuthority(directory / "ca")
    partner, answering = Partner(authority.issue(NYSP)), threading.Event()
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        database = asyncio.run(postgres.new_database())
        stack.callback(lambda: asyncio.run(postgres.drop(database)))
        stack.enter_context(alone(run_folder(tmp_path_factory, worker_id) / "roles.lock"))
        engines = engine_settings(directory, database=postgres.url_of(database), kafka=kafka_address)
        told = {"delivery": {"ca_file": str(authority.ca_file)}, "telemetry": {"endpoint": collector.url}}
        options = WorldOptions(
            port=free_port(), settings={**engines, **told}, endpoints={ParticipantId(NYSP): partner.url}
        )
        world = build_world(directory / "world", options)
        create_topics(world, kafka_address, folder=directory)
        partner.respond = lambda _: _once(answering)
        partner.start()
        stack.callback(partner.stop)

        def role(name: str, *command: str) -> RoleProcess:
            return RoleProcess(command, world.folder, directory / f"{name}.log")

        gateway = role("gateway", "gateway", "--workers", "2", "--insecure-http")
        adapters = role("adapters", "adapters")
        relays = role("relay-1", "relay"), role("relay-2", "relay")
        for each in (gateway, adapters, *relays):
            stack.callback(each.kill)
        stack.callback(answering.set)
        stack.enter_context(telling(gateway, adapters, *relays))
        for each in (gateway, adapters, relays[0]):
            each.launch()
        for each in (gateway, adapters, relays[0]):
            each.wait_until_ready()
        http = stack.enter_context(httpx2.Client(base_url=world.base_url, timeout=20.0, trust_env=False))
        sender = Agencies(world, http)["ca-qc.sq"]
        yield Stage(gateway, relays, adapters, sender, partner, answering, collector)


def _once(event: threading.Event) -> Answer:
    assert event.wait(timeout=20.0 * PATIENCE)
    return Answer()


def test_one_trace_goes_through_every_role(stage: Stage) -> None:
    """An alert's spans are one trace from the request to the outcome, which a relay records that never published it.

    Each span's parent is one that was sent too, or the client's; no word of the alert is in any of them.
    """
    alert = wanted_person({"addresses": [NYSP]})  # nobody else's adapter has where to hand it over
    answer = stage.sender.post(stage.sender.sign(alert), traceparent=f"00-{TRACE}-{CLIENT}-01")
    alert_id = str(members(answer)["alert_id"])
    (handed,) = stage.partner.wait_for(alert_id, within=20.0)
    stage.hand_over()
    stage.answering.set()
    stage.relays[1].wait_for(lambda: stage.is_delivered(alert_id), what="delivered", within=20.0)
    stage.stop()
    spans = {each.span.span_id.hex(): each for each in stage.collector.seen if each.span.trace_id.hex() == TRACE}
    _is_a_family(spans)
    assert {service: _names(spans, service) for service in RECORDED_BY} == RECORDED_BY
    assert all(each.attributes == _attributes(each, alert_id) for each in spans.values())
    deliver, relay, record = _way_of(handed, spans)
    assert deliver.service == "lacolle-adapters"
    assert relay.instance != record.instance
    sent = b"".join(stage.collector.requests)
    assert [word for word in _words(alert) if len(word) >= WORD and word.encode() in sent] == []


def _is_a_family(spans: dict[str, Seen]) -> None:
    """Hold each span against its parent: one of another name that was sent too, or the client's."""
    for each in spans.values():
        parent = each.span.parent_span_id.hex()
        if each.span.name == "accept":
            assert parent == CLIENT
        else:
            assert spans[parent].span.name == CHILD_OF[each.span.name]


def _names(spans: dict[str, Seen], service: str) -> set[str]:
    return {each.span.name for each in spans.values() if each.service == service}


def _attributes(seen: Seen, alert_id: str) -> dict[str, str]:
    return {} if seen.span.name == "commit" else {"lacolle.alert_id": alert_id}


def _way_of(handed: Handed, spans: dict[str, Seen]) -> tuple[Seen, Seen, Seen]:
    """Return the spans of the delivery that a partner was asked for: its own, its parent, and that of its outcome."""
    _, trace, own, _ = handed.headers["traceparent"].split("-")
    assert trace == TRACE
    (record,) = (each for each in spans.values() if each.span.parent_span_id.hex() == own)
    return spans[own], spans[spans[own].span.parent_span_id.hex()], record


def _words(value: object) -> Iterator[str]:
    """Yield every text in a document, but for names of members."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _words(each)
        case list():
            for each in value:
                yield from _words(each)
        case _:  # a number, true, false or null, of which any bytes have some
            return

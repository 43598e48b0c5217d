"""What a slow partner has not been handed when a party suspends never reaches it, though it is on the bus."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from lacolle.certificates import LocalAuthority
from lacolle.samples import WorldOptions, build_world
from schemas.ids import ParticipantId
from tests.acceptance.alerts import public_warning
from tests.acceptance.conftest import GENEROUS, ServerProcess, calling, free_port
from tests.acceptance.partner import Answer, Handed, Partner
from tests.acceptance.test_agreements import MSP, NYSP, Stage, delivery_to_nysp, until
from tests.patience import GIVES_UP_AFTER

MANY = 12


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield an exchange that hands its partner in New York one parcel at a time."""
    authority = LocalAuthority(tmp_path / "ca")
    partner = Partner(authority.issue(NYSP))
    delivery = {"ca_file": str(authority.ca_file), "concurrency": 1}
    options = WorldOptions(
        port=free_port(),
        settings={"delivery": delivery, **GENEROUS},
        endpoints={ParticipantId(NYSP): partner.url},
    )
    server = ServerProcess(build_world(tmp_path / "world", options), tmp_path / "server.log")
    with ExitStack() as stack:
        partner.start()
        stack.callback(partner.stop)
        server.start()
        stack.callback(server.stop)
        yield Stage(server, stack.enter_context(calling(server)), partner)


def heard_of_recall(stage: Stage, agreement: str) -> bool:
    """Say whether the adapters have said that they know of an agreement's recall."""
    return any(
        "recall_known" in line and re.search(rf"\b{re.escape(agreement)}\b", line)
        for line in stage.server.log_file.read_text(encoding="utf-8").splitlines()
    )


def state_of(stage: Stage, alert_id: str) -> str:
    """Return what the sender sees of one delivery's state."""
    return str(delivery_to_nysp(stage, alert_id)["state"])


def test_what_is_on_the_bus_is_recalled(stage: Stage) -> None:
    """Once the adapter knows of the suspension nothing more arrives; all of it ends as withheld, and says why."""
    document = stage.agreed()
    released = threading.Event()

    def hold(_request: Handed) -> Answer:
        released.wait(GIVES_UP_AFTER)
        return Answer()

    stage.partner.respond = hold
    sent = [stage.agencies[MSP].send(public_warning())["alert_id"] for _ in range(MANY)]
    for alert_id in sent:  # on the bus, each of them
        until(lambda: state_of(stage, alert_id) == "published" or delivery_to_nysp(stage, alert_id)["attempts"] > 0)  # noqa: B023 - called at once
    until(lambda: bool(stage.partner.requests))
    assert stage.state(document, "suspension", "US-NY").status_code == 201
    until(partial(heard_of_recall, stage, document["id"]))
    handed = {request.alert_id for request in stage.partner.requests}
    recalled = [alert_id for alert_id in sent if alert_id not in handed]
    assert len(recalled) >= MANY // 2
    released.set()
    for alert_id in recalled:
        until(lambda: state_of(stage, alert_id) == "withheld")  # noqa: B023 - called at once
        ended = delivery_to_nysp(stage, alert_id)
        assert "US-NY" in ended["reason"]["en"]
        assert ended["reason"]["fr"] != ended["reason"]["en"]
    assert {request.alert_id for request in stage.partner.requests} == handed
    stage.server.stop()
    stage.server.start()  # a bus that forgot, and a relay that tells of the suspension again
    stage.agencies.known.clear()
    for party in ("US-NY", "CA-QC"):
        assert stage.state(document, "resumption", party).status_code == 201
    again = stage.agencies[MSP].send(public_warning())["alert_id"]
    stage.partner.wait_for(again)
    until(lambda: state_of(stage, again) == "delivered")
    assert {request.alert_id for request in stage.partner.requests} == {*handed, again}

"""What one participant may take, and what happens when the log can't be written."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, Agencies, members, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess, calling, reading_log, serving
from tests.acceptance.enrolment import post_statement, stated
from tests.acceptance.independent import Key
from tests.patience import PATIENCE

BURST = 4


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return an exchange that lets a participant send one alert a second, and bodies of 20,000 bytes."""
    limits = {"limits": {"rate_per_second": 1.0, "burst": BURST, "body_bytes": 20_000}}
    with serving(tmp_path_factory.mktemp("strict"), settings=limits) as server:
        yield server


@pytest.fixture(scope="module")
def callers(strict: ServerProcess) -> Iterator[Agencies]:
    """Return the participants of the strict exchange."""
    with calling(strict) as agencies:
        yield agencies


def test_rate(callers: Agencies) -> None:
    """Beyond its rate a participant is told when to come back, stores nothing, and is welcome then."""
    sq = callers["ca-qc.sq"]
    answers = [sq.submit(stolen_vehicle()) for _ in range(BURST)]
    assert [answer.status_code for answer in answers] == [201] * BURST
    alert = stolen_vehicle()
    refused = sq.submit(alert)
    while refused.status_code == 201:  # a slow machine earns an alert a second meanwhile
        refused = sq.submit(alert := stolen_vehicle())
    assert problem_of(refused, 429) == "rate-limited"
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 5
    assert callers["us-ny.nysp"].submit(stolen_vehicle(sender="us-ny.nysp")).status_code == 201
    assert sq.get(ALERTS, sender="ca-qc.sq", identifier=alert["identifier"]).status_code == 404
    time.sleep(wait)
    assert sq.submit(alert).status_code == 201


def test_strangers_spend_nobodys_rate(callers: Agencies) -> None:
    """Forged submissions in an agency's name do not use up its rate."""
    vermont = callers["us-vt.vsp"]
    forger = Key.new(vermont.key.kid)
    forged = [vermont.post(vermont.sign(stolen_vehicle(sender="us-vt.vsp"), forger)) for _ in range(3 * BURST)]
    assert {answer.status_code for answer in forged} == {401}
    assert vermont.submit(stolen_vehicle(sender="us-vt.vsp")).status_code == 201


def test_statements_count(callers: Agencies) -> None:
    """An authority makes statements at its rate, whatever becomes of them; forged ones and others' do not count."""
    authority = callers.authority("US-NY")
    forger = Key.new(authority.kid)
    forged = [post_statement(callers, stated(forger, b"{}")) for _ in range(3 * BURST)]
    assert {problem_of(answer, 409) for answer in forged} == {"statement-refused"}
    answers = [post_statement(callers, stated(authority, b"{}")) for _ in range(4 * BURST)]
    assert [answer.status_code for answer in answers[:BURST]] == [409] * BURST
    refused = next(answer for answer in answers if answer.status_code != 409)
    assert problem_of(refused, 429) == "rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert post_statement(callers, stated(callers.authority("US-VT"), b"{}")).status_code == 409


def test_previews_count(callers: Agencies) -> None:
    """A preview costs what a submission costs."""
    maine = callers["us-me.msp"]
    statuses = {maine.preview(stolen_vehicle(sender="us-me.msp")).status_code for _ in range(4 * BURST)}
    assert statuses == {200, 429}


def test_body_limit_is_a_setting(callers: Agencies) -> None:
    """The largest body is what the operator set, and the refusal says it."""
    answer = callers["ca-qc.msp"].post(b"A" * 20_001)
    assert problem_of(answer, 413) == "body-too-large"
    assert members(answer)["limit"] == 20_000


def test_log_unavailable(strict: ServerProcess, callers: Agencies) -> None:
    """While the log can't be written nothing is accepted: 503 and when to come back; afterwards the same bytes are."""
    sender = callers["ca-qc.msp"]
    submission = sender.sign(stolen_vehicle(sender="ca-qc.msp"))
    for _ in range(2):  # so that a checkpoint is due, and meets the lock too
        sender.send(stolen_vehicle(sender="ca-qc.msp"))
    with closing(sqlite3.connect(strict.world.folder / "data" / "exchange.sqlite3", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        answer = sender.post(submission)
        database.execute("ROLLBACK")
    assert problem_of(answer, 503) == "log-unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    time.sleep(int(answer.headers["retry-after"]))
    accepted = sender.post(submission)
    assert accepted.status_code == 201
    reading_log(strict, callers).holding(members(accepted)["log_index"], within=2.0)


def test_bodies_in_hand_are_bounded_together(tmp_path: Path) -> None:
    """Whoever leaves large bodies unfinished keeps others from sending large ones meanwhile, and from nothing else."""
    limits = {"limits": {"body_bytes": 100_000, "batch_bytes": 100_000, "held_bytes": 150_000}}
    with serving(tmp_path, settings=limits) as server, calling(server) as agencies:
        sq, large = agencies["ca-qc.sq"], b"A" * 90_000
        with closing(_unfinished(server, large)):
            refused = until_status(lambda: sq.post(large), 503)
            assert problem_of(refused, 503) == "over-capacity"
            assert int(refused.headers["retry-after"]) >= 1
            assert sq.submit(stolen_vehicle()).status_code == 201
        until_status(lambda: sq.post(large), 400)


def _unfinished(server: ServerProcess, body: bytes) -> socket.socket:
    """Return a connection over which a body arrived, but for its last byte."""
    address = urlsplit(server.world.base_url)
    connection = socket.create_connection((address.hostname, address.port or 80))
    head = f"POST {ALERTS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: {len(body) + 1}"
    connection.sendall(head.encode() + b"\r\n\r\n" + body)
    return connection


def until_status(ask: Callable[[], httpx2.Response], status: int) -> httpx2.Response:
    """Return the first answer of a status."""
    end = time.monotonic() + 5 * PATIENCE
    while (answer := ask()).status_code != status:
        assert time.monotonic() < end, answer.text
        time.sleep(0.02)
    return answer

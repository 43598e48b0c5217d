"""``lacolle ops reopen``: what was on the bus is pending again, on either database; what can't be done is said."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from gateway.backoff import Backoff
from gateway.store.dispatches import DELIVERED, PENDING, PUBLISHED, OutcomeWriter, Published, PublishedWriter
from gateway.store.schema import head_revision
from lacolle.cli import application
from lacolle.processes.machinery import alone_on
from lacolle.secretfiles import write_secret
from schemas.ids import AlertId, DeliveryId, ParticipantId
from schemas.parcels import Delivered, OutcomeReport
from tests.servers.postgres import Postgres
from tests.unit.gateway.ground import NYSP, VSP, Ground, acceptance, accepted, permit


def run(place: Path | str, *words: str) -> Result:
    """Run the command on a database: a URL, or the folder of a SQLite file."""
    database = place if isinstance(place, str) else str(place / "exchange.sqlite3")
    return CliRunner().invoke(application(), ["ops", "reopen", "--database", database, *words])


async def reopened(place: Path | str, *words: str) -> int:
    """Run the command beside an exchange that is open, and return how many dispatches it says it reopened."""
    done = await asyncio.to_thread(run, place, "--json", *words)
    assert done.exit_code == 0, done.output
    answer: dict[str, int] = orjson.loads(done.stdout)
    assert set(answer) == {"reopened"}
    return answer["reopened"]


async def publish(ground: Ground) -> Sequence[DeliveryId]:
    """Mark three dispatches as published long before they are due again, and one of them as delivered."""
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)), acceptance("A-2", permit(NYSP)))
    rows = await ground.dispatches()
    again_ms = ground.clock.ms + 3_600_000
    marks = [Published(DeliveryId(row.delivery_id), 1, again_ms) for row in rows]
    await ground.committer.submit(PublishedWriter(), marks)
    taken = rows[0]
    report = OutcomeReport(
        delivery_id=DeliveryId(taken.delivery_id),
        alert_id=AlertId(taken.alert_id),
        recipient=ParticipantId(taken.recipient),
        attempt=1,
        at=ground.clock(),
        outcome=Delivered("http 200"),
    )
    await ground.committer.submit(OutcomeWriter(Backoff()), report)
    return [DeliveryId(row.delivery_id) for row in rows]


async def test_what_was_on_the_bus_is_pending_again(ground: Ground, place: Path | str) -> None:
    """All that is published is due, for the same attempt; what has ended stays so, and a second run finds nothing."""
    ended, *on_the_bus = await publish(ground)
    before = await ground.entries()
    assert await reopened(place) == 2
    states = {row.delivery_id: (row.state, row.attempts) for row in await ground.dispatches()}
    assert states == {ended: (DELIVERED, 1), **dict.fromkeys(on_the_bus, (PENDING, 0))}
    assert await reopened(place) == 0
    assert await ground.entries() == before
    # and the exchange that is there goes on writing
    await ground.committer.submit(PublishedWriter(), [Published(on_the_bus[0], 1, ground.clock.ms + 60_000)])
    assert (await ground.dispatch(on_the_bus[0])).state == PUBLISHED


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Envois à republier : 2."), ("en", "Dispatches to publish again: 2.")]
)
async def test_a_person_is_told_how_many(on_sqlite: Ground, tmp_path: Path, language: str, words: str) -> None:
    """One sentence says how many dispatches it were, another who publishes them."""
    await publish(on_sqlite)
    done = await asyncio.to_thread(run, tmp_path, "--lang", language)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(words)


async def test_the_password_may_be_in_a_file(on_postgres: Ground, postgres_database: str, tmp_path: Path) -> None:
    """As with every command on PostgreSQL, no password has to stand on the command line."""
    await publish(on_postgres)
    place = make_url(postgres_database)
    write_secret(tmp_path / "password", str(place.password))
    bare = postgres_database.replace(f":{place.password}@", "@")
    assert await reopened(bare, "--password-file", str(tmp_path / "password")) == 2


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Une autre plateforme est en marche"), ("en", "Another exchange is running")]
)
async def test_a_running_exchange_on_sqlite_is_left_alone(
    on_sqlite: Ground, tmp_path: Path, language: str, words: str
) -> None:
    """A second process must not write to a SQLite file, so the command asks for the exchange to be stopped."""
    await publish(on_sqlite)
    with alone_on(tmp_path):
        done = await asyncio.to_thread(run, tmp_path, "--lang", language)
    assert done.exit_code == 1
    assert done.stderr.startswith(words)
    assert sorted(row.state for row in await on_sqlite.dispatches()) == [DELIVERED, PUBLISHED, PUBLISHED]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_is_no_exchange_is_left_alone(tmp_path: Path, language: str) -> None:
    """No server, no file, no tables, no database: each is named, nothing is made, and no password is repeated."""
    away = "postgresql://someone:secret-word@127.0.0.1:1/exchange"
    (missing := tmp_path / "missing").mkdir()
    (empty := tmp_path / "empty").mkdir()
    (empty / "exchange.sqlite3").touch()
    (other := tmp_path / "other").mkdir()
    (other / "exchange.sqlite3").write_text("a letter, which is no database at all", encoding="utf-8")
    told = []
    for place in (away, missing, empty, other):
        done = run(place, "--lang", language)
        assert (done.exit_code, done.stdout) == (1, "")
        told.append(" ".join(done.stderr.split()))
    assert len(set(told)) == 4
    assert not any("secret-word" in each or "Traceback" in each for each in told)
    assert head_revision() in told[2]
    with sqlite3.connect(empty / "exchange.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()


async def test_a_role_that_only_reads_changes_nothing(
    on_postgres: Ground, postgres: Postgres, postgres_database: str
) -> None:
    """A role of PostgreSQL that is not the exchange's is refused in words, and every dispatch stays as it was."""
    await publish(on_postgres)
    name, word, database = f"reader_{secrets.token_hex(3)}", secrets.token_hex(8), make_url(postgres_database).database
    assert database is not None
    await postgres.run(f"CREATE ROLE {name} LOGIN PASSWORD '{word}'; GRANT pg_read_all_data TO {name}")
    place = postgres.url_of(database, role=name, password=word)
    done = await asyncio.to_thread(run, place, "--lang", "en")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "not one of an exchange" in done.stderr
    assert word not in done.stderr
    assert sorted(row.state for row in await on_postgres.dispatches()) == [DELIVERED, PUBLISHED, PUBLISHED]

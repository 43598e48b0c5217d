"""``lacolle db`` as an operator runs it: the schema brought up, the roles made, what can't be done said in words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from gateway.store.engine import open_postgres
from gateway.store.schema import head_revision, prepare
from lacolle.cli import application
from lacolle.secretfiles import write_secret
from tests.servers.postgres import Postgres


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Yield the name of a database without anything in it."""
    name = asyncio.run(postgres.new_database(empty=True))
    yield name
    asyncio.run(postgres.drop(name))


def said(*arguments: str) -> dict[str, Any]:
    """Run a command that must succeed, and return what it answers."""
    result = CliRunner().invoke(application(), ["db", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def refused(*arguments: str, language: str = "en") -> str:
    """Run a command that must fail in words, and return them."""
    result = CliRunner().invoke(application(), ["db", *arguments, "--lang", language])
    assert result.exit_code == 1, result.output
    return " ".join(result.stderr.split())


def test_a_database_is_brought_up_and_its_roles_made(postgres: Postgres, database: str) -> None:
    """After three commands a gateway can start with the login that was made for it."""
    owner, name = postgres.url_of(database), f"gateway_{secrets.token_hex(3)}"
    head = head_revision()
    assert said("current", "--database", owner) == {"revision": None, "needed": head, "current": False}
    assert said("upgrade", "--database", owner) == {"before": None, "revision": head}
    assert said("upgrade", "--database", owner) == {"before": head, "revision": head}
    assert said("current", "--database", owner)["current"]
    made = ("roles", "--database", owner, "--exchange", name, "--auditor", f"US-NY=auditor_{name}")
    logins = said(*made)["logins"]
    assert set(logins) == {name, f"auditor_{name}"}
    assert said(*made)["logins"] == dict.fromkeys(logins)
    asyncio.run(_start(postgres.url_of(database, role=name, password=logins[name])))
    # only the owner makes roles, or tables
    assert "owner" in refused("roles", "--database", postgres.url_of(database, role=name, password=logins[name]))


def test_an_upgrade_may_take_its_time(postgres: Postgres, database: str) -> None:
    """Its statements have no time limit, as they need on a large table; they wait for a lock for a while only."""
    asyncio.run(postgres.run(WATCH, database=database))
    said("upgrade", "--database", postgres.url_of(database))
    assert asyncio.run(_seen(postgres.url_of(database))) == [("0", "0", "10s")]


WATCH = """
CREATE TABLE seen (statement text, idle text, lock text);
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO seen VALUES (current_setting('statement_timeout'),
    current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'));
END $$;
CREATE EVENT TRIGGER watches ON ddl_command_start EXECUTE FUNCTION watch();
"""


async def _seen(url: str) -> list[tuple[str, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch("SELECT DISTINCT * FROM seen")]
    finally:
        await connection.close()


def test_the_password_may_be_in_a_file(postgres: Postgres, database: str, tmp_path: Path) -> None:
    """The owner's password is read from a file, never one that anybody may read, and stands on no command line."""
    whole = make_url(postgres.url_of(database))
    secret = tmp_path / "password"
    write_secret(secret, str(whole.password))
    bare = postgres.url_of(database).replace(f":{whole.password}@", "@")
    assert str(whole.password) not in bare
    assert said("upgrade", "--database", bare, "--password-file", str(secret))["revision"] == head_revision()
    secret.chmod(0o644)
    assert "chmod 600" in refused("current", "--database", bare, "--password-file", str(secret))


async def _start(url: str) -> None:
    store = open_postgres(url)
    await prepare(store)
    await store.close()


def test_an_older_embedded_database_can_be_looked_at(tmp_path: Path) -> None:
    """The same commands serve a SQLite file, but for the roles that it has not."""
    file = tmp_path / "exchange.sqlite3"
    file.touch()
    assert said("upgrade", "--database", str(file))["revision"] == head_revision()
    assert "PostgreSQL" in refused("roles", "--database", str(file))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_can_not_be_done_is_said(tmp_path: Path, language: str) -> None:
    """No server, no file, no such jurisdiction: each is named, and no password is."""
    away = "postgresql://someone:secret-word@127.0.0.1:1/exchange"
    told = [
        refused("upgrade", "--database", away, language=language),
        refused("roles", "--database", away, "--exchange", "gateway", language=language),
        refused("current", "--database", str(tmp_path / "none.sqlite3"), language=language),
        refused("roles", "--database", away, "--auditor", "nowhere=someone", language=language),
        refused("current", "--database", "mysql://someone:secret-word@host/base", language=language),
    ]
    assert not any("secret-word" in each or "Traceback" in each for each in told)
    assert len(set(told)) == 4

"""``lacolle db`` as an operator runs it: the schema brought up, the roles made, what can't be done said in words."""

from __future__ import annotations

import asyncio
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from audit.note import LogSigner
from gateway.store.engine import open_postgres
from gateway.store.schema import head_revision, prepare
from lacolle.cli import application
from lacolle.secretfiles import read_secret, write_secret
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.servers.postgres import Postgres
from tests.unit.gateway.ground import NYSP, ORIGIN, Ground, acceptance, accepted, permit


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


def test_a_database_is_brought_up_and_its_roles_made(postgres: Postgres, database: str, tmp_path: Path) -> None:
    """After three commands a gateway can start with the login that was made for it; its password is in a file."""
    owner, name = postgres.url_of(database), f"gateway_{secrets.token_hex(3)}"
    head = head_revision()
    assert said("current", "--database", owner) == {"revision": None, "needed": head, "current": False}
    assert said("upgrade", "--database", owner) == {"before": None, "revision": head}
    assert said("upgrade", "--database", owner) == {"before": head, "revision": head}
    assert said("current", "--database", owner)["current"]
    made = ("roles", "--database", owner, "--exchange", name, "--auditor", f"US-NY=auditor_{name}")
    assert "--passwords" in refused(*made)  # nothing is printed that would stand in a log
    folder = tmp_path / "passwords"
    logins = said(*made, "--passwords", str(folder))["logins"]
    assert logins == {each: str(folder / f"{each}.password") for each in (name, f"auditor_{name}")}
    assert said(*made)["logins"] == dict.fromkeys(logins)
    assert {stat.S_IMODE(Path(file).stat().st_mode) for file in logins.values()} == {0o600}
    own = postgres.url_of(database, role=name, password=read_secret(Path(logins[name])))
    asyncio.run(_start(own))
    # only the owner makes roles, or tables
    assert "owner" in refused("roles", "--database", own)


def test_a_password_file_that_is_there_is_taken(postgres: Postgres, database: str, tmp_path: Path) -> None:
    """A run that ended before the login was made left its password; the next one gives the login that, as it stands."""
    name, odd = f"gateway_{secrets.token_hex(3)}", "it's: a 100% \\odd one"
    write_secret(tmp_path / f"{name}.password", odd)
    owner = postgres.url_of(database)
    said("upgrade", "--database", owner)
    said("roles", "--database", owner, "--exchange", name, "--passwords", str(tmp_path))
    asyncio.run(_start(postgres.url_of(database, role=name, password=odd)))


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


def _verified(*arguments: str) -> Result:
    return CliRunner().invoke(application(), ["log", "verify", "--json", *arguments])


async def test_a_log_on_postgresql_verifies(on_postgres: Ground, postgres_database: str, tmp_path: Path) -> None:
    """After a restore the operator verifies the database, with its password in a file; a changed row is found."""
    await accepted(on_postgres, acceptance("A-1", permit(NYSP)))
    place = make_url(postgres_database)
    write_secret(tmp_path / "password", str(place.password))
    bare = postgres_database.replace(f":{place.password}@", "@")
    named = ("--database", bare, "--password-file", str(tmp_path / "password"))
    key = ("--log-key", _VKEY)
    done = await asyncio.to_thread(_verified, *named, *key)
    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["log_size"] == 2
    await on_postgres.tamper("ALTER TABLE log_entries DISABLE TRIGGER ALL")
    await on_postgres.tamper("UPDATE log_entries SET kind = 'refused'")
    assert (await asyncio.to_thread(_verified, *named, *key)).exit_code == 1


def test_a_log_that_cannot_be_read_is_said(postgres: Postgres, database: str) -> None:
    """A server that is away, and a database of something else, are named as such."""
    key = ("--log-key", _VKEY, "--lang", "en")
    away = _verified("--database", "postgresql://someone:secret-word@127.0.0.1:1/exchange", *key)
    other = _verified("--database", postgres.url_of(database), *key)
    for done, reason in ((away, "does not answer"), (other, "not the database of an exchange")):
        assert done.exit_code == 1
        assert reason in " ".join(done.stderr.split())
        assert "secret-word" not in done.stderr


_VKEY = LogSigner(ORIGIN, SigningKey.generate(KeyId("log"), "Ed25519")).vkey

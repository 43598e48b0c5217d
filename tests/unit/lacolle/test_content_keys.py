"""``lacolle keys`` and ``lacolle db backup``, and what keeps an exchange without its content keys from starting."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.sealing.folder import KeyFolder, day_key
from gateway.sealing.kek import LocalKey, read_key
from gateway.settings.exchange import read_settings
from lacolle.cli import application
from lacolle.contents import contents_of
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, create_folder
from lacolle.secretfiles import read_secret
from tests.acceptance.commands import lacolle

TODAY = date(2030, 1, 1)
DAY = day_key(TODAY + timedelta(days=1))


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    """Return a new exchange's folder."""
    path = tmp_path / "exchange"
    create_folder(path, base_url="https://x.example", origin="x.example/log", host="127.0.0.1", port=8443)
    return path


def run(*words: object, environment: dict[str, str] | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(application(), [str(each) for each in words], env=environment)


def said(*words: object) -> dict[str, Any]:
    """Run a command that must succeed, and return what it answers."""
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def keys(exchange: Path, kek_file: Path) -> KeyFolder:
    """Return the content keys of an exchange under a key-encryption key in a file."""
    kek = LocalKey(read_key(read_secret(kek_file)), randomness=os.urandom)
    return KeyFolder(exchange / "content-keys", kek, randomness=os.urandom)


def change(exchange: Path, **section: object) -> None:
    """Change the settings."""
    settings = yaml.safe_load((exchange / SETTINGS).read_text())
    (exchange / SETTINGS).write_text(yaml.safe_dump({**settings, **section}))


def test_init_makes_a_key_of_its_own(exchange: Path, tmp_path: Path) -> None:
    """Each exchange has another key-encryption key, 32 bytes in a file that its owner alone may read, and a folder."""
    other = tmp_path / "other"
    create_folder(other, base_url="https://x.example", origin="x.example/log", host="127.0.0.1", port=8443)
    files = [path / "keys" / "content.kek" for path in (exchange, other)]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert len({read_key(read_secret(file)) for file in files}) == 2
    assert stat.S_IMODE((exchange / "content-keys").stat().st_mode) == 0o700


def test_the_key_is_changed_by_rewrapping(exchange: Path, tmp_path: Path) -> None:
    """The settings name the new key, the command the old: every content key is as it was, under the new one alone."""
    old = exchange / "keys" / "content.kek"
    key = keys(exchange, old).obtain(DAY, today=TODAY)
    assert run("keys", "kek", tmp_path / "new.kek").exit_code == 0
    change(exchange, sealing={"kek_file": str(tmp_path / "new.kek")})
    settings = read_settings(exchange / SETTINGS)
    with pytest.raises(ConfigurationError, match="keys rewrap"):
        contents_of(settings, exchange)
    told = said("keys", "rewrap", "--exchange", exchange, "--old-kek-file", old)
    assert told == {"rewrapped": 1, "before": 0, "damaged": []}
    assert keys(exchange, tmp_path / "new.kek").read(DAY) == key
    contents_of(settings, exchange)
    assert said("keys", "rewrap", "--exchange", exchange, "--old-kek-file", old)["before"] == 1
    nothing = run("keys", "rewrap", "--exchange", exchange, "--lang", "fr")
    assert (nothing.exit_code, "--old-kek-file" in nothing.stderr) == (1, True)


def test_a_key_in_the_environment_is_used_and_named(exchange: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the settings name holds the key; where it is empty or no key, the start is refused with why."""
    change(exchange, sealing={"kek_variable": "CONTENT_KEK"})
    settings = read_settings(exchange / SETTINGS)
    monkeypatch.setenv("CONTENT_KEK", "ab" * 32)
    contents_of(settings, exchange).folder.obtain(DAY, today=TODAY)
    for value, told in (("", "CONTENT_KEK"), ("secret words", "32 bytes"), ("cd" * 32, "keys rewrap")):
        monkeypatch.setenv("CONTENT_KEK", value)
        with pytest.raises(ConfigurationError, match=told) as refused:
            contents_of(settings, exchange)
        assert not value or value not in str(refused.value)


@pytest.mark.parametrize("missing", ["content-keys", "keys/content.kek"])
def test_no_exchange_starts_without_its_keys(exchange: Path, missing: str) -> None:
    """Without its folder of content keys, or without the key-encryption key, the command says what is missing."""
    (exchange / missing).rename(exchange / "elsewhere")
    for language in ("fr", "en"):
        refused = lacolle(
            "serve", exchange, "--insecure-http", "--lang", language
        )  # in a process whose logs are its own
        assert refused.status == 1
        assert missing.rpartition("/")[2] in refused.err


def test_one_key_source_at_a_time(exchange: Path) -> None:
    """A file and a variable at once are refused by the settings: nobody guesses which counts."""
    change(exchange, sealing={"kek_file": "a", "kek_variable": "B"})
    result = run("keys", "rewrap", "--exchange", exchange, "--old-kek-file", "a")
    assert (result.exit_code, "sealing" in result.stderr) == (1, True)


def test_a_backup_is_one_new_file_without_keys(exchange: Path, tmp_path: Path) -> None:
    """The database is copied while others write, to a file of its owner alone that is never written over."""
    with closing(sqlite3.connect(exchange / "data" / "exchange.sqlite3")) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.execute("CREATE TABLE t (a INTEGER)")
        writing.execute("INSERT INTO t VALUES (1)")
        writing.commit()
        told = said("db", "backup", tmp_path / "backup", "--exchange", exchange)
    assert told == {"file": str(tmp_path / "backup"), "bytes": (tmp_path / "backup").stat().st_size}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    with closing(sqlite3.connect(tmp_path / "backup")) as copy:
        assert copy.execute("SELECT a FROM t").fetchall() == [(1,)]
    again = run("db", "backup", tmp_path / "backup", "--exchange", exchange, "--lang", "en")
    assert (again.exit_code, "exists" in again.stderr) == (1, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "exchange"]

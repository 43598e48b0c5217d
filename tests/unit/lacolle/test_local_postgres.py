"""A PostgreSQL of one's own: started, stopped, stopped at once, and started again on what it had."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from lacolle.errors import ConfigurationError
from lacolle.local.postgres import LocalPostgres, Stop
from tests.patience import GIVES_UP_AFTER
from tests.servers.postgres import local_postgres

SQL = "CREATE TABLE IF NOT EXISTS kept (n INT); INSERT INTO kept VALUES (1)"


@pytest.fixture
def server() -> Iterator[LocalPostgres]:
    """Yield a running server."""
    with local_postgres() as running:
        yield running


async def query(url: str, statement: str) -> object:
    """Execute a statement and return its first value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("how", list(Stop), ids=lambda how: how.name.lower())
def test_what_was_committed_is_there_after_any_stop(server: LocalPostgres, how: Stop) -> None:
    """The same data, password and address serve again after a stop, also one at once."""
    url = server.url("postgres")
    asyncio.run(_commit(url))
    server.stop(how)
    assert not server.running
    server.start()
    assert (server.url("postgres"), asyncio.run(query(url, "SELECT count(*) FROM kept"))) == (url, 1)
    server.stop()
    server.stop()


async def _commit(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(SQL)
    await connection.close()


def test_nobody_enters_without_the_password(server: LocalPostgres) -> None:
    """The socket is the only way in, and it asks for the password that only its maker can read."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(query(server.url("postgres", password="wrong"), "SELECT 1"))  # noqa: S106 - a wrong one
    assert asyncio.run(query(server.url("postgres"), "SHOW listen_addresses")) == ""
    password = Path(asyncio.run(_data(server))).with_name("password")
    assert stat.S_IMODE(password.stat().st_mode) == 0o600


async def _data(server: LocalPostgres) -> str:
    return str(await query(server.url("postgres"), "SHOW data_directory"))


def test_it_stays_when_the_thread_that_started_it_ends(server: LocalPostgres) -> None:
    """A server that a thread started again is its process's, not the thread's."""
    server.stop()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert asyncio.run(query(server.url("postgres"), "SELECT 1")) == 1


def test_it_ends_with_a_process_that_is_killed(server: LocalPostgres) -> None:
    """Nobody has to look for servers that a killed process left behind."""
    folder = Path(asyncio.run(_data(server))).parent
    server.stop()
    program = (
        "import sys, time; from pathlib import Path; from lacolle.local.postgres import LocalPostgres; "
        f"LocalPostgres(Path({str(folder)!r})).start(); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.send_signal(signal.SIGKILL)
    until = time.monotonic() + GIVES_UP_AFTER
    while (folder / "data" / "postmaster.pid").exists():
        assert time.monotonic() < until, "the server is still there"
        time.sleep(0.02)


def test_a_folder_that_it_can_not_use_is_refused_in_words() -> None:
    """A path too long for a socket, or one that the server's account can't reach, is named beforehand."""
    with TemporaryDirectory() as base:
        with pytest.raises(ConfigurationError, match="too long"):
            LocalPostgres(Path(base) / ("x" * 100)).start()
        if os.geteuid() == 0:
            hidden = Path(base) / "hidden"
            hidden.mkdir(mode=0o700)
            with pytest.raises(ConfigurationError, match="can't reach"):
                LocalPostgres(hidden / "server").start()


def test_a_server_that_does_not_start_says_why() -> None:
    """What the server itself said of its settings is in the reason."""
    with pytest.raises(ConfigurationError, match="no_such_setting"), local_postgres(no_such_setting="1"):
        pass

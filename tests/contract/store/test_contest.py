"""The contest for relaying on a real PostgreSQL: its holder is killed, stopped in its tracks, or meets a stranger."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from gateway.leadership import Term
from gateway.store.address import postgres_address
from gateway.store.contest import PostgresLeadership
from tests.patience import PATIENCE

HOLDER: Final = """
import asyncio, sys
from gateway.store.address import postgres_address
from gateway.store.contest import PostgresLeadership

async def hold():
    term = await PostgresLeadership(postgres_address(sys.argv[1])).won()
    print("won", flush=True)
    await term.lost()
    print("lost", flush=True)

asyncio.run(hold())
"""


@pytest.fixture
def holder(postgres_database: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has won, and says when its term is lost."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, postgres_database], stdout=subprocess.PIPE, text=True)
    with process:
        assert said(process) == "won"
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def taken_over(database: str, *, within: float) -> Term:
    """Return the term of another process, which it must win in time."""
    async with asyncio.timeout(within * PATIENCE):
        return await PostgresLeadership(postgres_address(database)).won()


async def test_one_process_at_a_time_has_a_term(holder: subprocess.Popen[str], postgres_database: str) -> None:
    """While its holder lives nobody else wins, however long that is; once it is killed, somebody does in seconds."""
    other = PostgresLeadership(postgres_address(postgres_database))
    for _ in range(7):  # longer than a silent session is borne with
        assert await other.won_at_once() is None
        await asyncio.sleep(1.0)
    holder.kill()
    await (await taken_over(postgres_database, within=3.0)).end()


async def test_a_frozen_process_keeps_nobody_from_relaying(
    holder: subprocess.Popen[str], postgres_database: str
) -> None:
    """Stopped in its tracks, its kernel still answers for it: the server ends its session, and it learns of it."""
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        term = await taken_over(postgres_database, within=10.0)
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    assert await asyncio.to_thread(said, holder) == "lost"
    await term.end()

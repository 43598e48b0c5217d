"""A start that has to wait, and a stop that comes meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.patience import GIVES_UP_AFTER

PROGRAM = """
import asyncio, sys
from gateway.errors import LogUnavailableError, StoreError, StoreUnavailableError
from lacolle.logs import write_logs
from lacolle.processes.awaiting import StoppedMeanwhileError, opened_once_reachable
from schemas.bilingual import Bilingual

kind, tries = sys.argv[1], []
REASON = Bilingual(fr="non", en="no")

class Opened:
    async def close(self):
        print("closed", flush=True)

class Listener:
    def __init__(self):
        self.told = asyncio.Event()

    async def run(self):
        print("answering", flush=True)
        await self.told.wait()
        print("silent", flush=True)

    def stop(self):
        self.told.set()

async def open_():
    tries.append(1)
    match kind:
        case "hangs":
            print("opening", flush=True)
            await asyncio.Event().wait()
        case "stubborn":  # it is told to stop while what it opens comes open all the same
            print("opening", flush=True)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Opened()
        case "away":
            raise StoreUnavailableError(REASON)
        case "refused" if len(tries) > 1:
            raise StoreError(REASON)
        case "back" if len(tries) > 2:
            return Opened()
    raise LogUnavailableError

async def main():
    try:
        await opened_once_reachable(open_, listeners=lambda: [Listener()], grace=5.0)
        print("opened", flush=True)
    except StoppedMeanwhileError:
        print("stopped", flush=True)
    except StoreError:
        print("refused", flush=True)

write_logs(as_json=True)
asyncio.run(main())
"""


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Run a program whose database is as the test says."""
    command = [sys.executable, "-c", PROGRAM, request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def _first_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("process", "first", "rest"),
    [
        ("hangs", "opening", ["stopped"]),
        ("stubborn", "opening", ["closed", "stopped"]),
        ("away", "answering", ["silent", "stopped"]),
    ],
    indirect=["process"],
)
def test_a_stop_ends_the_wait(process: subprocess.Popen[str], first: str, rest: list[str]) -> None:
    """Whether it opens, waits, or has just come open: nothing is left open, and the process ends as it was told."""
    assert _first_word(process) == first
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=GIVES_UP_AFTER)
    assert out.split() == rest
    assert process.returncode == 0, err


@pytest.mark.parametrize("process", ["back"], indirect=True)
def test_what_answers_meanwhile_is_silent_before_the_work_begins(process: subprocess.Popen[str]) -> None:
    """The sockets have one server at a time; the wait is said once, and so is its end."""
    out, err = process.communicate(timeout=GIVES_UP_AFTER)
    assert out.split() == ["answering", "silent", "opened"]
    assert (err.count("waiting_for_database"), err.count("database_reached")) == (1, 1)


@pytest.mark.parametrize("process", ["refused"], indirect=True)
def test_a_refusal_ends_the_wait(process: subprocess.Popen[str]) -> None:
    """A server that comes back and refuses is not asked again."""
    out, _ = process.communicate(timeout=GIVES_UP_AFTER)
    assert out.split() == ["answering", "silent", "refused"]

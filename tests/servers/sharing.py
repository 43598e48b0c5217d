"""One server for all workers of a test run (pytest-xdist), and what happens where there can be none.

The worker that comes first starts it and tells the others in a file; every worker holds a shared lock for as long as
it may use it. The one that started it ends it once it gets the lock for itself, which is when all others have let go,
however they ended.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest

from lacolle.local.errors import LocalServerUnavailableError

Start = Callable[[Path], AbstractContextManager[dict[str, Any]]]
"""Starts a server in a folder and yields what its users need to know, as JSON can hold it."""


def run_folder(factory: pytest.TempPathFactory, worker: str) -> Path:
    """Return a folder that all workers of this run share."""
    base = factory.getbasetemp()
    return base if worker == "master" else base.parent


@contextmanager
def shared(folder: Path, start: Start) -> Iterator[dict[str, Any]]:
    """Yield what there is to know of the one server in ``folder``, which runs for as long as anyone uses it."""
    folder.mkdir(exist_ok=True)
    told = folder / "told.json"
    with (folder / "users.lock").open("w") as users, ExitStack() as ours:
        with alone(folder / "start.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not told.exists():
                told.write_bytes(orjson.dumps(_started(start, folder, ours)))
                ours.callback(fcntl.flock, users, fcntl.LOCK_EX)  # comes before the server's own end
                ours.callback(_forget, told)
            facts: dict[str, Any] = orjson.loads(told.read_bytes())
        if "unavailable" in facts:
            do_without(facts["unavailable"])
        yield facts


def _started(start: Start, folder: Path, ours: ExitStack) -> dict[str, Any]:
    try:
        return ours.enter_context(start(folder))
    except LocalServerUnavailableError as error:
        return {"unavailable": error.reason.en}


def _forget(told: Path) -> None:
    with alone(told.with_name("start.lock")):
        told.unlink()


def do_without(reason: str) -> NoReturn:
    """Skip the test, saying why; where everything must be tested, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Be the only worker of the run that is within, for as long as the block lasts."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield

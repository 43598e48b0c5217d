"""Starts commands quickly and often: imports the product once, then forks a process for each.

``python -m tests.acceptance.role_fork`` reads a JSON object a line and answers each with a number. ``{"start": [...],
"log": "FILE", "errors": "FILE", "environment": {...}}`` runs that ``lacolle`` command in memory, files and sockets of
its own, and is answered with its process's id; ``{"poll": PID}`` is answered with how the process ended, as
``subprocess`` counts it, or with null. What still runs at the end of the input is killed. That nothing has to be
imported saves most of a start.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lacolle import cli
from lacolle.processes import gateway as _gateway  # noqa: F401 - imported for the children, who would import it themselves
from lacolle.processes import node as _node  # noqa: F401 - as above
from lacolle.processes import relay as _relay  # noqa: F401 - as above

_ROOT: Final = Path(__file__).parents[2]

_POLL: Final = 0.02


class ForkedProcess:
    """A forked process, with as much of ``subprocess.Popen`` as a role needs."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks = forks
        self._status: int | None = None
        self.pid = pid

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        if self._status is None:
            self._status = self._forks.ask({"poll": self.pid})
        return self._status

    def send_signal(self, sig: int) -> None:
        """Signal it; its id is its own until it was polled."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has. Raises ``subprocess.TimeoutExpired``."""
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("lacolle", timeout or 0.0)
            time.sleep(_POLL)
        return status


class Forks:
    """The process that forks, for as long as the block lasts; for any number of threads.

    ``environment`` is what it starts from, this process's own where it is None.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment

    def __enter__(self) -> Self:
        """Start it."""
        self.start_up()
        return self

    def start_up(self) -> None:
        """Start it, for whoever ends it otherwise than with a block."""
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.role_fork"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,  # where the tests can be imported from, whatever the environment says
            env=self._environment,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it, and what it started."""
        self._process.communicate()

    def start(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str], errors: Path | None = None
    ) -> ForkedProcess:
        """Start a command, its output going to the end of ``log``, and its errors with it or to a file of their own."""
        files = {"log": str(log), "errors": str(errors or log)}
        pid = self.ask({"start": list(command), **files, "environment": dict(environment)})
        if pid is None:
            raise ValueError("no process was started")
        return ForkedProcess(self, pid)

    def run(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        within: float,
        errors: Path | None = None,
    ) -> int:
        """Run a command to its end and return its exit status. Raises ``subprocess.TimeoutExpired``."""
        return self.start(command, log=log, environment=environment, errors=errors).wait(timeout=within)

    def ask(self, order: Mapping[str, object]) -> int | None:
        """Return the answer to an order."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process has no pipes")
        with self._turn:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer: int | None = json.loads(self._process.stdout.readline())
        return answer


def main() -> None:
    """Do as the lines on standard input say, until there are none."""
    running: set[int] = set()
    gc.freeze()  # what was imported is no garbage: no child need look through it
    try:
        for line in sys.stdin:
            sys.stdout.write(f"{json.dumps(_obey(json.loads(line), running))}\n")
            sys.stdout.flush()
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _obey(order: dict[str, Any], running: set[int]) -> int | None:
    if "start" in order:
        pid = os.fork() or _become(order["start"], order["log"], order["errors"], order["environment"])
        running.add(pid)
        return pid
    ended, status = os.waitpid(order["poll"], os.WNOHANG)
    if not ended:
        return None
    running.discard(ended)
    return os.waitstatus_to_exitcode(status)


def _become(command: list[str], log: str, errors: str, environment: dict[str, str]) -> int:
    """Be the command; never returns."""
    silent = os.open(os.devnull, os.O_RDONLY)
    written, complained = (os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for file in (log, errors))
    for taken, place in ((silent, 0), (written, 1), (complained, 2)):
        os.dup2(taken, place)
        os.close(taken)
    os.environ.update(environment)
    sys.argv = ["lacolle", *command]
    status = 1
    try:
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # the parent's own clean-up is not the child's to run


if __name__ == "__main__":
    main()

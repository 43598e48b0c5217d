"""Starts and kills an exchange many times: imports the product once, then forks a process for each start.

``python crash_fork.py FOLDER LOG`` answers each line of its standard input with one line: ``start`` with the process's
id, ``kill`` and ``stop`` (SIGKILL, SIGTERM) with how the process ended, as ``subprocess`` counts it. The process is the
``lacolle serve`` command itself in memory, files and sockets of its own; that it did not import anything saves most of
a start. Only this parent signals it, so an id that the system gave to somebody else is never hit.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

from lacolle import cli
from lacolle.processes import node as _node  # noqa: F401 - imported for the children, who would import it when they serve

_HOW = {"kill": signal.SIGKILL, "stop": signal.SIGTERM}


def main(folder: str, log: str) -> None:
    """Do as the lines on standard input say, until there are none."""
    for answer in _answers(folder, log):
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _answers(folder: str, log: str) -> Iterator[int]:
    child = 0
    try:
        for line in sys.stdin:
            order = line.strip()
            if order == "start":
                child = os.fork() or _serve(folder, log)
                yield child
            else:
                ending, child = child, 0
                yield _end(ending, _HOW[order])
    finally:
        if child:
            _end(child, signal.SIGKILL)


def _serve(folder: str, log: str) -> int:
    """Become ``lacolle serve``; never returns."""
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    silent = os.open(os.devnull, os.O_RDONLY)
    for taken, place in ((silent, 0), (written, 1), (written, 2)):
        os.dup2(taken, place)
    status = 1
    try:
        sys.argv = ["lacolle", "serve", folder, "--insecure-http"]
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # the parent's own clean-up is not the child's to run


def _end(child: int, how: signal.Signals) -> int:
    os.kill(child, how)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

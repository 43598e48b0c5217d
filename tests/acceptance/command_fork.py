"""Runs ``lacolle`` commands one after the other: imports the product once, then forks a process for each.

``python command_fork.py`` reads a JSON object a line, ``{"arguments": [...], "output": "FILE"}``, runs the command in a
process of its own with both outputs in the file, and answers with its exit status, as ``subprocess`` counts it. A
command that does not end by itself is ended after ``PATIENCE`` seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from lacolle import cli
from lacolle.processes import node as _node  # noqa: F401 - imported for the children, who would import it when they serve

PATIENCE = 20


def main() -> None:
    """Do as the lines on standard input say, until there are none."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork() or _become(order["arguments"], order["output"])
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _become(arguments: list[str], output: str) -> int:
    """Be the command; never returns."""
    written = os.open(output, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
    silent = os.open(os.devnull, os.O_RDONLY)
    for taken, place in ((silent, 0), (written, 1), (written, 2)):
        os.dup2(taken, place)
    signal.alarm(PATIENCE)
    sys.argv = ["lacolle", *arguments]
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

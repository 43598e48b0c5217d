"""The product's command, imported once for all tests of a process: what runs for long, and what ends by itself.

An import takes longer than most commands; a start as a user's shell makes it is what ``test_up`` has for every role.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.acceptance.role_fork import Forks
from tests.patience import GIVES_UP_AFTER


@cache
def shared_forks() -> Forks:
    """Return what forks commands for this process, and ends with it and with all that it forked."""
    forks = Forks()
    forks.start_up()
    atexit.register(forks.end)
    return forks


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


def lacolle(*arguments: object, environment: Mapping[str, str] | None = None) -> Ran:
    """Run a command to its end in this process's environment, and what is added to it."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        status = shared_forks().run(
            [str(each) for each in arguments],
            log=out,
            errors=err,
            environment={**os.environ, **(environment or {})},
            within=GIVES_UP_AFTER,
        )
        return Ran(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

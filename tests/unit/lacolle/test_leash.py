"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import select
import subprocess
import sys

from lacolle.local.leash import Leash

PARENT = """
import subprocess, sys, time
from lacolle.local.leash import Leash
child = subprocess.Popen(["/bin/sleep", "600"])
leash = Leash(child.pid)
{then}
print(child.pid, flush=True)
time.sleep(600)
"""


def _ended(pidfd: int, *, within: float) -> bool:
    """Say whether a process ends within so many seconds; a pidfd is readable once it has."""
    readable, _, _ = select.select([pidfd], [], [], within)
    return bool(readable)


def _orphan(then: str, *, within: float) -> bool:
    """Return whether the child of a process ended that was killed with SIGKILL; the child is gone in any case."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(then=then)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        pidfd = os.pidfd_open(child)
        parent.kill()
        parent.wait()
        ended = _ended(pidfd, within=within)
        if not ended:
            os.kill(child, 9)
        os.close(pidfd)
        return ended
    finally:
        parent.kill()
        parent.communicate()


def test_a_child_ends_with_a_parent_that_was_killed() -> None:
    """SIGKILL leaves the parent no moment to clean up, and the child ends all the same."""
    assert _orphan("", within=10.0)


def test_a_child_that_was_released_is_left_alone() -> None:
    """What is watched no more lives on; releasing twice is no error."""
    assert not _orphan("leash.release(); leash.release()", within=0.5)


def test_a_child_is_left_alone_while_its_parent_lives() -> None:
    """A watched process ends when it is told to, not before, and its watcher with it."""
    with subprocess.Popen(["/bin/sleep", "600"]) as child:
        leash = Leash(child.pid)
        pidfd = os.pidfd_open(child.pid)
        assert not _ended(pidfd, within=0.5)
        child.kill()
        os.close(pidfd)
    leash.release()
    assert leash._watcher.returncode == 0

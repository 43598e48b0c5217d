"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from lacolle.folder import create_folder
from lacolle.local.leash import Leash
from lacolle.local.ports import free_ports
from tests.patience import GIVES_UP_AFTER

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
    assert _orphan("", within=GIVES_UP_AFTER)


def test_a_child_that_was_released_is_left_alone() -> None:
    """What is watched no more lives on; releasing twice is no error."""
    assert not _orphan("leash.release(); leash.release()", within=0.5)


INTERRUPTED = """
import os, signal, subprocess, time
from lacolle.local.leash import leashed
signal.signal(signal.SIGTERM, signal.default_int_handler)
def start():
    child = subprocess.Popen(["/bin/sleep", "600"])
    print(child.pid, flush=True)
    input()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    return child
leashed(start)
"""


def test_an_interruption_while_a_child_starts_leaves_it_leashed() -> None:
    """Told to stop between a child's start and its watcher's, a process ends, and its child does too."""
    command, pipe = [sys.executable, "-c", INTERRUPTED], subprocess.PIPE
    parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        pidfd = os.pidfd_open(child)
        _, err = parent.communicate(b"now\n", timeout=GIVES_UP_AFTER)
        ended = _ended(pidfd, within=GIVES_UP_AFTER)
        if not ended:
            os.kill(child, 9)
        os.close(pidfd)
        assert b"KeyboardInterrupt" in err
        assert ended
    finally:
        parent.kill()
        parent.communicate()


IN_A_THREAD = """
import signal, sys, threading
from pathlib import Path
from lacolle.local.role import RoleProcess
folder, port = Path(sys.argv[1]), int(sys.argv[2])
role = RoleProcess("serve", folder, folder / "role.log", port, ("--insecure-http",))
starting = threading.Thread(target=role.launch)
starting.start()
starting.join()
print(role._process.pid, flush=True)
signal.pause()
"""


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_role_stays_with_its_process_and_not_with_a_thread(tmp_path: Path) -> None:
    """It outlives the thread that started it, and ends in order with a process that was killed."""
    create_folder(
        tmp_path / "exchange", base_url="http://localhost:1", origin="lacolle.example/log", host="127.0.0.1", port=0
    )
    (port,) = free_ports(1)
    words = [sys.executable, "-c", IN_A_THREAD, str(tmp_path / "exchange"), str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        log = tmp_path / "exchange" / "role.log"
        try:
            while not _answers(port):  # by then the thread has long ended
                assert not _ended(pidfd, within=0.1), log.read_text(encoding="utf-8")
            parent.kill()
            assert _ended(pidfd, within=GIVES_UP_AFTER), log.read_text(encoding="utf-8")
        finally:
            parent.kill()
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)


def test_a_child_is_ended_as_it_was_asked_for() -> None:
    """A signal that lets it end in order reaches it in the place of SIGKILL."""
    told = "trap 'echo told; exit' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["/bin/sh", "-c", told], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        leash = Leash(child.pid, ending=signal.SIGINT)
        os.close(leash._held)  # as the kernel does for a process that is gone
        leash._held = -1
        assert child.stdout.readline() == "told\n"
        leash._watcher.wait()


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

"""The supervisor: workers start, are replaced, stop together, and end with their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from tests.patience import GIVES_UP_AFTER

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from lacolle.logs import write_logs
from lacolle.processes.workers import Workers

folder, kind = Path(sys.argv[1]), sys.argv[2]

def work(number, orphaned):
    (folder / f"{number}.{os.getpid()}").touch()
    if kind == "refuses":
        raise SystemExit(1)
    if kind == "fails" and number == 0:
        raise RuntimeError("no")
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: None if kind == "hangs" else ended.append(1))
    os.set_blocking(orphaned, False)
    while not ended:
        time.sleep(0.02)
        try:
            if os.read(orphaned, 1) == b"":
                (folder / f"orphan.{number}").touch()
                return
        except BlockingIOError:
            pass

write_logs(as_json=True)
sys.exit(Workers(2, work, grace=1.0).run())
"""


def _start(folder: Path, kind: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), kind], stderr=subprocess.PIPE)


def _wait(holds: Callable[[], bool], *, within: float = GIVES_UP_AFTER) -> None:
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def _pids(folder: Path, number: int) -> list[int]:
    return [int(path.suffix[1:]) for path in folder.glob(f"{number}.*")]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_stop_when_they_are_told(tmp_path: Path) -> None:
    """SIGTERM reaches every worker, and the command ends with 0 once they have."""
    process = _start(tmp_path, "works")
    _wait(lambda: len(_pids(tmp_path, 0)) == len(_pids(tmp_path, 1)) == 1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=GIVES_UP_AFTER)
    assert process.returncode == 0, told
    assert b"worker_ended" not in told


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """The dead one is reported with how it ended, and another fills its place; its neighbour is left alone."""
    process = _start(tmp_path, "works")
    _wait(lambda: len(_pids(tmp_path, 0)) == len(_pids(tmp_path, 1)) == 1)
    os.kill(_pids(tmp_path, 0)[0], signal.SIGKILL)
    _wait(lambda: len(_pids(tmp_path, 0)) == 2)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=GIVES_UP_AFTER)
    assert process.returncode == 0
    assert b'"status": -9' in told
    assert len(_pids(tmp_path, 1)) == 1


def test_one_that_fails_again_and_again_is_tried_ever_less_often(tmp_path: Path) -> None:
    """The pause before each new attempt grows to a few seconds and no more, is kept, and the other worker goes on."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), "fails"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        pauses: list[float] = []
        while len(pauses) < 5:
            line = process.stderr.readline()  # of which some are the tracebacks of what failed
            if b'"worker_ended"' in line:
                pauses.append(json.loads(line)["again_in"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=GIVES_UP_AFTER)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0]
    begun = sorted(path.stat().st_mtime for path in tmp_path.glob("0.*"))
    assert len(begun) == len(pauses)
    assert all(later - earlier >= pause for (earlier, later), pause in zip(pairwise(begun), pauses, strict=False))
    assert len(_pids(tmp_path, 1)) == 1


def test_a_set_up_that_can_not_start_ends_the_command(tmp_path: Path) -> None:
    """A worker that says that it can't start as it is set up is not tried again: the command ends with its status."""
    process = _start(tmp_path, "refuses")
    process.communicate(timeout=GIVES_UP_AFTER)
    assert process.returncode == 1


def test_workers_that_do_not_end_are_killed(tmp_path: Path) -> None:
    """After the grace period no worker is left; it is said once, and the command ends as one that was killed."""
    process = _start(tmp_path, "hangs")
    _wait(lambda: len(_pids(tmp_path, 0)) == len(_pids(tmp_path, 1)) == 1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=GIVES_UP_AFTER)
    assert told.count(b"grace_over") == 1
    assert process.returncode == 128 + signal.SIGKILL
    assert not any(_alive(pid) for number in (0, 1) for pid in _pids(tmp_path, number))


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """A parent that is killed takes its workers along: they notice it and stop."""
    process = _start(tmp_path, "works")
    _wait(lambda: len(_pids(tmp_path, 0)) == len(_pids(tmp_path, 1)) == 1)
    process.kill()
    process.communicate(timeout=GIVES_UP_AFTER)
    _wait(lambda: len(list(tmp_path.glob("orphan.*"))) == 2)

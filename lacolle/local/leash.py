"""Processes that end when the one that started them does, however that ends: SIGKILL too.

A small shell watches a pipe of which only the starting process holds the other end. When that process is gone the pipe
ends, and the shell ends what it watches; where the process says that all is well first, the shell just ends. The
kernel's own way (``PR_SET_PDEATHSIG``) is Linux's alone, and follows the thread that started a process, rather than
the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_WATCH: Final = 'read -r word || kill -s "$2" "$1"'


class Leash:
    """Watches one process from now on; it must be a child of this one, so that its id stays its own.

    ``ending`` is the signal by which it ends: for whatever can end in order, another than SIGKILL.
    """

    def __init__(self, pid: int, *, ending: signal.Signals = signal.SIGKILL) -> None:
        reading, self._held = os.pipe()  # neither end is inherited by other children (PEP 446)
        try:
            self._watcher = subprocess.Popen(  # noqa: S603 - the command is ours
                ["/bin/sh", "-c", _WATCH, "leash", str(pid), ending.name.removeprefix("SIG")],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for whoever stops things in order
            )
        finally:
            os.close(reading)

    def release(self) -> None:
        """Watch no more; to be called when the process has ended, before or after it was waited for. Idempotent."""
        if self._held < 0:
            return
        held, self._held = self._held, -1
        try:
            os.write(held, b"ended\n")
        except BrokenPipeError:  # somebody ended the watcher
            pass
        finally:
            os.close(held)
        self._watcher.wait()


def leashed(
    start: Callable[[], subprocess.Popen[bytes]], *, ending: signal.Signals = signal.SIGKILL
) -> tuple[subprocess.Popen[bytes], Leash]:
    """Start a process, watch it, and return both.

    What a signal's handler raises comes before or after, never between the two: Python runs handlers in the main
    thread alone.
    """

    def both() -> tuple[subprocess.Popen[bytes], Leash]:
        process = start()
        return process, Leash(process.pid, ending=ending)

    with ThreadPoolExecutor(max_workers=1) as apart:
        return apart.submit(both).result()

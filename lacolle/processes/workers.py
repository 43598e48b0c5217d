"""Several processes behind one listening socket: started, watched, replaced, and stopped together.

The parent opens nothing but the socket, so that a fork copies no thread, connection or lock. A connection that no
worker has taken yet waits in the socket's queue, which is all workers' own: none is lost when one of them dies. A
worker that ends by itself is reported and replaced, at once where it had worked for a while, after a growing pause
where it had not; one that says that it can't start as it is set up ends the whole command, for the next would say the
same. Where the parent dies, the workers notice it by a pipe and stop. A stop for which a worker had to be killed ends
with that signal and not with 0.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

import structlog

log = structlog.get_logger(__name__)

WATCHED: Final = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 4.0
"""Seconds that a place stays empty at most: what kept its worker from working may be over at any moment."""
SETTLED: Final = 10.0
"""Seconds that a worker must have lived for its end to count as the first again."""
REFUSED: Final = 1
"""The exit status of a command that can't start as it is set up."""

Work = Callable[[int, int], None]
"""What a worker does: given its number and the pipe that tells of its parent's end. Returning is ending well."""


@dataclass(slots=True)
class _Place:
    """One worker's place: who fills it, since when, and when it is to be filled again."""

    number: int
    pid: int = 0
    since: float = 0.0
    pause: float = 0.0
    due: float = 0.0


@dataclass(slots=True)
class Workers:
    """``count`` processes that each do ``work``. ``grace`` is the seconds a stop may take before they are killed."""

    count: int
    work: Work
    grace: float
    _places: list[_Place] = field(default_factory=list)
    _stopping: bool = False
    _kill_at: float = float("inf")
    _status: int = 0

    def run(self) -> int:
        """Keep the workers going until SIGINT or SIGTERM; return the command's exit status.

        A second signal kills them. To be called in a process with one thread and no event loop.
        """
        self._places = [_Place(number) for number in range(self.count)]
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        told, held = os.pipe()  # the parent alone holds the writing end, so its own end is the workers' end of file
        try:
            while not self._stopping or any(place.pid for place in self._places):
                self._fill(told, held)
                self._attend()
        finally:
            os.close(told)
            os.close(held)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._status

    def _fill(self, told: int, held: int) -> None:
        now = time.monotonic()
        for place in self._places:
            if not place.pid and not self._stopping and place.due <= now:
                place.pid, place.since = os.fork(), now
                if not place.pid:
                    os.close(held)
                    self._become(place.number, told)
                log.info("worker_started", worker=place.number, pid=place.pid)

    def _become(self, number: int, told: int) -> NoReturn:
        """Be a worker. SIGINT is the terminal's to everybody in it: the parent alone acts on it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        status = 70  # EX_SOFTWARE
        try:
            self.work(number, told)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - a worker must not go on as its parent, whatever ends it
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # the parent's own clean-up is not a worker's to run

    def _attend(self) -> None:
        """Wait for a signal, or for the next thing that is due, and act on it."""
        now = time.monotonic()
        due = [place.due for place in self._places if not place.pid and not self._stopping]
        received = signal.sigtimedwait(WATCHED, max(0.0, min([now + 1.0, self._kill_at, *due]) - now))
        if received is not None and received.si_signo != signal.SIGCHLD:
            self._told(signal.Signals(received.si_signo))
        self._bury()
        if time.monotonic() >= self._kill_at:
            self._kill_at = float("inf")
            if any(place.pid for place in self._places):
                log.warning("grace_over")
                self._signal_all(signal.SIGKILL)

    def _told(self, what: signal.Signals) -> None:
        if self._stopping:
            log.warning("stopped_at_once", signal=what.name)
            self._status = 128 + what
            self._signal_all(signal.SIGKILL)
            return
        log.info("stopping", signal=what.name)
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self._kill_at = time.monotonic() + self.grace
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, what: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                os.kill(place.pid, what)

    def _bury(self) -> None:
        for place in self._places:
            if not place.pid:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: _Place, status: int) -> None:
        now, lived = time.monotonic(), time.monotonic() - place.since
        pid, place.pid = place.pid, 0
        if self._stopping:
            self._status = self._status or _counted(status)
            return
        place.pause = 0.0 if lived >= SETTLED else min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * place.pause))
        place.due = now + place.pause
        log.error("worker_ended", worker=place.number, pid=pid, status=status, again_in=place.pause)
        if status == REFUSED:
            self._status = REFUSED
            self._stop()


def _counted(status: int) -> int:
    """Return what a stopped worker's end says of the stop: nothing where it had no time yet to listen for the word.

    That a worker was killed is counted as a shell does: 128 and the signal.
    """
    if status == -signal.SIGTERM:
        return 0
    return status if status >= 0 else 128 - status

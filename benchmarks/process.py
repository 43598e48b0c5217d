"""A server process under measurement: start it, wait until it is ready, read what it used, end it.

Reads ``/proc``, so it needs Linux.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
"""The project, from which every process of a benchmark is started."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServerDiedError(Exception):
    """The server ended, or did not become ready in time; its last words follow."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on loopback."""

    pid: int
    port: int


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: Sequence[str], *, port: int, log: Path, ready: str, patience: float = 30.0) -> Iterator[Server]:
    """Run ``command`` for as long as the block lasts; its output goes to ``log``.

    Enters once ``GET ready`` answers 200, ``patience`` being in seconds. Raises ``ServerDiedError``.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _wait_until_ready(process, port=port, path=ready, deadline=time.monotonic() + patience, log=log)
            yield Server(pid=process.pid, port=port)
        finally:
            _end(process)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a live process and its children have used, user and system, in seconds."""
    return sum(_cpu_seconds(each) for each in _family(str(pid)))


def peak_mb(pid: int | str = "self") -> float:
    """Return the most memory that a live process and its children have each held, summed, in MiB."""
    return sum(_peak_mb(each) for each in _family(str(pid)))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have used: seconds of processor time, and MiB of memory at most."""

    cpu_s: float
    peak_mb: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Return what a live process has used until now."""
        return cls(cpu_s=cpu_seconds(pid), peak_mb=peak_mb(pid))


def children() -> frozenset[int]:
    """Return the processes that this one has started and that live."""
    lists = (each.read_text().split() for each in Path("/proc/self/task").glob("*/children"))
    return frozenset(int(child) for each in lists for child in each)


def _family(pid: str) -> Iterator[str]:
    """Yield a process and those that it started (proc(5), ``children``)."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(child)


def _cpu_seconds(pid: str) -> float:
    # proc(5), ``stat``: the command's name may hold spaces and parentheses, so fields are counted from its last one.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Ticks:
    """The machine's processor time until an instant: all of it, and what the host gave to others meanwhile."""

    total: int
    stolen: int

    def stolen_since(self, before: Ticks) -> float:
        """Return the share that was stolen since an earlier instant."""
        return (self.stolen - before.stolen) / max(self.total - before.total, 1)


def machine_ticks() -> Ticks:
    """Return the machine's processor time (proc(5), ``/proc/stat``: the eighth figure is what was stolen)."""
    figures = [int(figure) for figure in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return Ticks(total=sum(figures), stolen=figures[7])


def _peak_mb(pid: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ServerDiedError(f"process {pid} holds no memory any more")


def _wait_until_ready(process: subprocess.Popen[bytes], *, port: int, path: str, deadline: float, log: Path) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerDiedError(f"exit status {process.returncode}\n{_last_words(log)}")
        if _answers(port, path):
            return
        time.sleep(0.05)
    raise ServerDiedError(f"not ready in time\n{_last_words(log)}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False  # not listening yet
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])

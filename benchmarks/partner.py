"""A partner's HTTPS endpoint in a process of its own, which takes everything and notes when each alert reached it.

It answers 204 to every request, and keeps, by the alert's id (the ``ce-subject`` field that comes with every delivery
over HTTPS), the monotonic clock's nanoseconds at which the request was whole: the clock is the machine's, so another
process may compare. Of HTTP it reads what it needs to find the end of a request, so that it costs little beside what is
measured.

``python -m benchmarks.partner PORT:CERTIFICATE:KEY…`` answers each line on its standard input with one of JSON: the
number of arrivals so far and the seconds of processor time used; at the end of its input, with every arrival.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from benchmarks.connection import Answer
from benchmarks.process import HOST, ROOT

_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner listens on loopback; TLS with this PEM chain and key where there is one."""

    port: int
    certificate: Path | None = None
    private_key: Path | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.port, self.certificate, self.private_key) if part is not None)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read what ``str`` wrote: ``PORT`` or ``PORT:CERTIFICATE:KEY``; raises ``ValueError``."""
        port, *files = text.split(":")
        certificate, private_key = (Path(file) for file in files) if files else (None, None)
        return cls(port=int(port), certificate=certificate, private_key=private_key)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When each alert reached each partner, in nanoseconds of the monotonic clock, by alert id."""

    times: dict[str, list[int]]

    def between(self, start: int, end: int) -> int:
        """Return how many arrivals there were from one instant until another."""
        return sum(start <= arrival < end for arrivals in self.times.values() for arrival in arrivals)

    def delays(self, answers: Iterable[Answer]) -> list[int]:
        """Return, ascending, the nanoseconds from each alert's 201 to each of its arrivals.

        An alert may arrive before its sender has read the answer; its delay is then counted as nothing.
        """
        if not self.times:  # nobody listened
            return []
        return sorted(
            max(0, arrival - answer.at)
            for answer in answers
            if answer.success
            for arrival in self.times.get(orjson.loads(answer.body)["alert_id"], ())
        )


@dataclass(frozen=True, slots=True)
class State:
    """How a partner's process stands: requests taken, and seconds of processor time used."""

    arrivals: int
    cpu_s: float


class PartnerProcess:
    """The other end of a running partner."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def state(self) -> State:
        """Ask how it stands."""
        return State(**orjson.loads(self._ask(b"\n")))

    def settled(self, *, quiet: float, patience: float) -> State:
        """Return once nothing has arrived for ``quiet`` seconds, or after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        before, now = State(-1, 0.0), self.state()
        while before.arrivals != now.arrivals and time.monotonic() < deadline:
            time.sleep(quiet)
            before, now = now, self.state()
        return now

    def finish(self) -> Arrivals:
        """End it and return what arrived."""
        output, _ = self._process.communicate()
        return Arrivals(orjson.loads(output))

    def _ask(self, line: bytes) -> bytes:
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process was started without pipes")
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def partner(endpoints: Iterable[Endpoint]) -> Iterator[PartnerProcess]:
    """Run a partner that listens at every endpoint for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.partner", *map(str, endpoints)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            running = PartnerProcess(process)
            running.state()  # which it answers when it listens
            yield running
        finally:
            process.terminate()


@dataclass(slots=True)
class _Book:
    """What arrived so far."""

    times: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    def note(self, alert_id: str, at: int) -> None:
        self.times[alert_id].append(at)
        self.count += 1


class _Session(asyncio.Protocol):
    def __init__(self, book: _Book) -> None:
        self._book = book
        self._transport: asyncio.WriteTransport | None = None
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports register as no asyncio class, so this can't be an isinstance check.
        self._transport = transport  # type: ignore[assignment]  # a stream connection's transport can be written to

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        self._pending += data
        while (end := self._pending.find(_END_OF_HEAD)) >= 0:
            head = self._pending[:end].lower() + b"\r\n"
            whole = end + len(_END_OF_HEAD) + int(_field(head, b"content-length") or b"0")
            if len(self._pending) < whole:
                return
            self._pending = self._pending[whole:]
            self._book.note(_field(head, b"ce-subject").decode(), at)
            if self._transport is not None:
                self._transport.write(_NO_CONTENT)


def _field(head: bytes, name: bytes) -> bytes:
    """Return a field's value in a head of lower-case letters; empty where there is none."""
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else b""


def _tls(endpoint: Endpoint) -> ssl.SSLContext | None:
    if endpoint.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(endpoint.certificate, endpoint.private_key)
    return context


async def _serve(endpoints: Iterable[Endpoint]) -> None:
    book = _Book()
    loop = asyncio.get_running_loop()
    for endpoint in endpoints:
        await loop.create_server(lambda: _Session(book), HOST, endpoint.port, ssl=_tls(endpoint))
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        _say({"arrivals": book.count, "cpu_s": time.process_time()})
    _say(book.times)


def _say(document: object) -> None:
    sys.stdout.write(orjson.dumps(document).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    gc.disable()  # a pause of the partner would be told as the exchange's
    uvloop.run(_serve([Endpoint.parse(text) for text in sys.argv[1:]]))

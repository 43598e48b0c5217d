"""The load: posts submissions signed beforehand over keep-alive connections, and times every answer.

*Closed loop*: each connection posts its next submission as soon as it has its answer; this finds how much a service
accepts. *Open loop* (``--rate``): submissions fall due at a fixed rate whatever the service does, and each is timed
from the moment it fell due, so that a slow answer is not hidden by the requests it held back.

With ``--batch`` each request brings several submissions, each line of its answer counts as one, and what is timed is
the whole request.

A window starts after the warm-up; what is answered within it is counted. Requests are bytes before the clock starts,
so that one core can load what another serves. With ``--partner`` a process of its own listens as those partners, and
the load tells how long after the 201, as it saw it, each alert's whole request was there. Prints one JSON object; exits
with status 1 where any answer, in the window or out of it, was not 2xx.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import orjson
import uvloop

from benchmarks.connection import Answer, Connection, batch_bytes, request_bytes, success
from benchmarks.partner import Arrivals, Endpoint, PartnerProcess, State, partner
from benchmarks.process import HOST, Ticks, cpu_seconds, machine_ticks

_SECOND = 1_000_000_000


class LoadError(Exception):
    """The run says nothing about the service."""


class OutOfSubmissionsError(LoadError):
    """Every submission was posted before the window ended: sign more of them."""


class ConnectionLostError(LoadError):
    """The service closed a connection that was waiting for its answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: seconds of warm-up and of measurement; a rate a second makes it an open loop.

    ``batch`` says that requests bring several submissions each.
    """

    port: int
    connections: int
    warmup: float
    seconds: float
    rate: float | None = None
    batch: bool = False
    server_pid: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen in the window; ``statuses`` counts every answer of the run, of batches every line.

    ``cpu_s_per_1000`` is the server's processor time in the window for each thousand it accepted there, and
    ``load_cpu_share`` the share of one core that the load itself took: near 1, it measured itself. ``stolen_share`` is
    how much of the window's processor time the host gave to other machines. The delivery's latencies are of alerts
    answered in the window, from the 201 that the load saw to the whole request at each partner: ``deliveries`` of them
    arrived before the load gave up waiting. ``partner_cpu_ms`` is what one delivery cost the partner.
    """

    accepted_per_s: float
    answers: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    statuses: dict[str, int]
    cpu_s_per_1000: float
    load_cpu_share: float
    stolen_share: float
    delivered_per_s: float = 0.0
    deliveries: int = 0
    delivery_p50_ms: float = 0.0
    delivery_p99_ms: float = 0.0
    partner_cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class _Clocks:
    """What processors did until an instant: of the server, of the load, of the partner, of the machine."""

    server: float
    load: float
    partner: State
    machine: Ticks


@dataclass(slots=True)
class Load:
    """A run of one plan over its requests."""

    plan: Plan
    requests: deque[bytes]
    _answers: list[Answer] = field(default_factory=list)
    _idle: deque[Connection] = field(default_factory=deque)
    _overdue: deque[int] = field(default_factory=deque)
    _under_way: int = 0
    _stopping: bool = False
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: LoadError | None = None

    async def run(self, partner: PartnerProcess) -> Result:
        """Post until the window ends, wait for what is under way, and sum up; raises ``LoadError``."""
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: Connection(self), HOST, self.plan.port))[1]
            for _ in range(self.plan.connections)
        ]
        self._idle.extend(connections)
        began = time.monotonic_ns()
        start = began + int(self.plan.warmup * _SECOND)
        end = start + int(self.plan.seconds * _SECOND)
        feeding = asyncio.create_task(self._feed(began=began, end=end))
        await self._until(start)
        before = self._clocks(partner)
        await self._until(end)
        after = self._clocks(partner)
        await feeding
        await self._finish()
        if self.plan.rate is not None:
            await asyncio.to_thread(partner.settled, quiet=0.5, patience=10.0)
        for connection in connections:
            connection.close()
        counted = [answer for answer in self._answers if start <= answer.at < end]
        return self._result(counted, before=before, after=after, arrivals=partner.finish(), window=(start, end))

    def answered(self, connection: Connection, answer: Answer) -> None:
        """Keep an answer, and put its connection to work again."""
        self._under_way -= 1
        self._answers.append(answer)
        if self._overdue:
            self._post(connection, self._overdue.popleft())
        elif self.plan.rate is None and not self._stopping:
            self._post(connection, answer.at)
        else:
            self._idle.append(connection)
            if self._stopping and not self._under_way:
                self._finished.set()

    def lost(self) -> None:
        """Give up: an answer will never come."""
        self._fail(ConnectionLostError())

    async def _feed(self, *, began: int, end: int) -> None:
        if self.plan.rate is None:
            while self._idle:
                self._post(self._idle.popleft(), time.monotonic_ns())
            return
        for due in range(began, end, int(_SECOND / self.plan.rate)):
            await self._until(due)
            if self._idle:
                self._post(self._idle.popleft(), due)
            else:
                self._overdue.append(due)

    def _post(self, connection: Connection, due: int) -> None:
        if not self.requests:
            self._fail(OutOfSubmissionsError())
            return
        self._under_way += 1
        connection.post(self.requests.popleft(), due=due)

    def _fail(self, failure: LoadError) -> None:
        self._failure = self._failure or failure
        self._finished.set()

    async def _until(self, instant: int) -> None:
        wait = instant - time.monotonic_ns()
        if wait > 0:
            await asyncio.sleep(wait / _SECOND)
        if self._failure is not None:
            raise self._failure

    async def _finish(self) -> None:
        self._stopping = True
        if self._under_way:
            await self._finished.wait()
        if self._failure is not None:
            raise self._failure

    def _clocks(self, partner: PartnerProcess) -> _Clocks:
        server = 0.0 if self.plan.server_pid is None else cpu_seconds(self.plan.server_pid)
        return _Clocks(server, time.process_time(), partner.state(), machine_ticks())

    def _result(
        self,
        counted: list[Answer],
        *,
        before: _Clocks,
        after: _Clocks,
        arrivals: Arrivals,
        window: tuple[int, int],
    ) -> Result:
        accepted = sum(success(status) for answer in counted for status in answer.statuses(batch=self.plan.batch))
        latencies = sorted(answer.at - answer.due for answer in counted)
        delays = arrivals.delays(counted)
        taken = after.partner.arrivals - before.partner.arrivals
        return Result(
            accepted_per_s=accepted / self.plan.seconds,
            answers=len(counted),
            p50_ms=percentile_ms(latencies, 50),
            p99_ms=percentile_ms(latencies, 99),
            max_ms=percentile_ms(latencies, 100),
            statuses=dict(
                Counter(str(status) for answer in self._answers for status in answer.statuses(batch=self.plan.batch))
            ),
            cpu_s_per_1000=(after.server - before.server) * 1000 / max(accepted, 1),
            load_cpu_share=(after.load - before.load) / self.plan.seconds,
            stolen_share=after.machine.stolen_since(before.machine),
            deliveries=len(delays),
            delivered_per_s=arrivals.between(*window) / self.plan.seconds,
            delivery_p50_ms=percentile_ms(delays, 50),
            delivery_p99_ms=percentile_ms(delays, 99),
            partner_cpu_ms=(after.partner.cpu_s - before.partner.cpu_s) * 1000 / max(taken, 1),
        )


def percentile_ms(ordered: Sequence[int], percent: int) -> float:
    """Return a percentile, nearest rank, of ascending nanoseconds, in milliseconds; 0 of nothing."""
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[rank - 1] / 1_000_000


def _run(plan: Plan, requests: deque[bytes], partners: Sequence[Endpoint]) -> Result:
    with partner(partners) as running:
        return uvloop.run(Load(plan=plan, requests=requests).run(running))


def requests_of(file: Path, *, host: str, together: int) -> Iterator[bytes]:
    """Yield the requests that bring a file's submissions, so many together."""
    with file.open("rb") as lines:
        submissions = (line.rstrip(b"\n") for line in lines)
        if together == 1:
            for submission in submissions:
                yield request_bytes(submission, host=host)
            return
        while batch := list(islice(submissions, together)):
            yield batch_bytes(batch, host=host)


def main() -> None:
    """Run one load as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="Post signed submissions.")
    parser.add_argument("--port", type=int, required=True, help="where the service listens on loopback")
    parser.add_argument("--submissions", type=Path, required=True, help="a file of compact JWS, one a line")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds that are not counted")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds that are")
    parser.add_argument("--rate", type=float, help="submissions a second; without it, as many as are answered")
    parser.add_argument("--batch", type=int, default=1, metavar="LINES", help="submissions that go together")
    parser.add_argument("--server-pid", type=int, help="whose processor time to read")
    parser.add_argument(
        "--partner",
        type=Endpoint.parse,
        action="append",
        default=[],
        metavar="PORT[:CERTIFICATE:KEY]",
        help="listen here too",
    )
    options = parser.parse_args()
    plan = Plan(
        port=options.port,
        connections=options.connections,
        warmup=options.warmup,
        seconds=options.seconds,
        rate=options.rate,
        batch=options.batch > 1,
        server_pid=options.server_pid,
    )
    requests = deque(requests_of(options.submissions, host=f"{HOST}:{plan.port}", together=options.batch))
    gc.disable()  # a pause of the load would be told as the service's
    try:
        result = _run(plan, requests, options.partner)
    except LoadError as error:
        sys.exit(f"load: {error.__doc__}")
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
    if any(not status.startswith("2") for status in result.statuses):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""An exchange as its users meet it: the product's own command in a process of its own, on loopback.

The modules in ``ON_BOTH`` run twice: against an exchange on SQLite, and against one on PostgreSQL.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from lacolle.certificates import LocalAuthority
from lacolle.samples import World, WorldOptions, build_world
from schemas.ids import ParticipantId
from tests.acceptance.agency import Agencies, Agency
from tests.acceptance.commands import shared_forks
from tests.acceptance.databases import exchange_database, store_environment
from tests.acceptance.log_reader import LogReader, read_log_key
from tests.acceptance.role_fork import ForkedProcess
from tests.patience import PATIENCE

ON_BOTH: Final = (
    "test_acknowledgements",
    "test_batch",
    "test_consents",
    "test_decisions",
    "test_entries",
    "test_exports",
    "test_log",
    "test_malformed",
    "test_preview",
    "test_problems",
    "test_questions",
    "test_reading",
    "test_receipts",
    "test_statements",
    "test_submission",
    "test_tokens",
    "test_trust",
    "test_who_may_see",
)
STARTS_WITHIN = 30.0 * PATIENCE
STOPS_WITHIN = 20.0 * PATIENCE
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP: httpx reads the system's certificate authorities otherwise, a quarter second for each call."""


def free_port() -> int:
    """Return a port that nothing listens on now, nor on the next one.

    It lies below those that the system gives to outgoing connections, which might take it in between.
    """
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


@dataclass
class ServerProcess:
    """``lacolle serve`` on a world's folder: started, stopped or killed as a test asks.

    ``database`` is the URL of the PostgreSQL database that it uses; without one it is SQLite, in the folder.
    """

    world: World
    log_file: Path
    database: str | None = None
    trust: ssl.SSLContext = _NO_AUTHORITIES
    process: ForkedProcess | None = field(default=None)

    def start(self) -> None:
        """Start the server and return once it is ready; fail with its log where it ends instead."""
        store = {} if self.database is None else store_environment(self.world.folder, self.database)
        self.process = shared_forks().start(
            ["serve", str(self.world.folder), "--insecure-http"],
            log=self.log_file,
            environment={**os.environ, **store},
        )
        until = time.monotonic() + STARTS_WITHIN
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                pytest.fail(f"the server did not start:\n{self.log_file.read_text()[-4000:]}")
            time.sleep(0.05)  # asking costs more than the answer

    def kill(self) -> None:
        """End the server with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the server with SIGTERM and return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
        status = self.process.wait(timeout=STOPS_WITHIN)
        self.process = None
        return status

    def _ready(self) -> bool:
        try:
            answer = httpx2.get(f"{self.world.base_url}/readyz", timeout=1.0, verify=self.trust)
        except httpx2.HTTPError:
            return False
        return answer.status_code == httpx2.codes.OK


@dataclass
class TlsServer(ServerProcess):
    """A server over TLS, and the authority of its certificate and its clients'."""

    authority: LocalAuthority = field(kw_only=True)


@contextmanager
def serving(
    directory: Path,
    *,
    settings: dict[str, Any] | None = None,
    endpoints: dict[ParticipantId, str] | None = None,
    database: str | None = None,
) -> Iterator[ServerProcess]:
    """Build the sample world in a directory and serve it over plain HTTP on loopback for as long as the block lasts."""
    options = WorldOptions(port=free_port(), settings=settings or {}, endpoints=endpoints or {})
    server = ServerProcess(build_world(directory, options), directory / "server.log", database)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def serving_tls(
    directory: Path, *, settings: dict[str, Any] | None = None, mutual: bool = False
) -> Iterator[TlsServer]:
    """Build the sample world and serve it over TLS; where ``mutual``, no connection is taken without a certificate."""
    asked = {"client_ca": "tls/ca.pem", "client_certificates": "required"} if mutual else {}
    tls = {"tls": {"certificate": "tls/server.pem", "key": "tls/server.key", **asked}}
    merged = {**(settings or {}), "listen": {**(settings or {}).get("listen", {}), **tls}}
    world = build_world(directory, WorldOptions(port=free_port(), scheme="https", settings=merged))
    authority = LocalAuthority(world.folder / "tls")
    authority.issue("server")
    trust = ssl.create_default_context(cafile=authority.ca_file)
    operator = authority.issue("operator")
    trust.load_cert_chain(operator.chain, operator.key)
    server = TlsServer(world, directory / "server.log", trust=trust, authority=authority)
    server.start()
    try:
        yield server
    finally:
        server.stop()


Serve = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return an exchange without partners' endpoints, shared by the tests of a module."""
    generous = {"limits": {"rate_per_second": 10000.0, "burst": 10000}}
    with serving(tmp_path_factory.mktemp("exchange"), settings=generous) as server:
        yield server


GENEROUS = {"limits": {"rate_per_second": 10000.0, "burst": 10000}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have a test of ``ON_BOTH`` run on either store, and every other on SQLite."""
    if "standing" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        metafunc.parametrize(
            "standing", ("sqlite", "postgres") if both else ("sqlite",), indirect=True, scope="session"
        )


@contextmanager
def _store(name: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the URL of a new database on PostgreSQL; None for SQLite."""
    if name == "sqlite":
        yield None
        return
    with exchange_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return an exchange without partners' endpoints, shared by all tests that need nothing of their own.

    Whatever they did to it, it has had no error of its own in the end.
    """
    with (
        _store(request.param, request) as database,
        serving(tmp_path_factory.mktemp("standing"), settings=GENEROUS, database=database) as server,
    ):
        yield server
    written = server.log_file.read_text(encoding="utf-8")
    assert "Traceback" not in written
    assert "internal_error" not in written


@pytest.fixture(scope="session")
def agencies(standing: ServerProcess) -> Iterator[Agencies]:
    """Return the participants' own systems, speaking to the shared exchange."""
    with calling(standing) as found:
        yield found


@pytest.fixture(scope="session")
def sq(agencies: Agencies) -> Agency:
    """Return the Sûreté du Québec's system."""
    return agencies["ca-qc.sq"]


@pytest.fixture(scope="session")
def log(standing: ServerProcess, agencies: Agencies) -> LogReader:
    """Return a reader of the shared exchange's log."""
    return reading_log(standing, agencies)


def reading_log(server: ServerProcess, agencies: Agencies) -> LogReader:
    """Return a reader of a server's log that knows the log's key beforehand."""
    key = read_log_key((server.world.folder / "keys" / "log.jwk").read_bytes())
    return LogReader(agencies.http, WorldOptions().origin, key)


@contextmanager
def calling(server: ServerProcess) -> Iterator[Agencies]:
    """Return the systems of a server's participants for as long as the block lasts."""
    with httpx2.Client(base_url=server.world.base_url, timeout=20.0, trust_env=False, verify=server.trust) as http:
        yield Agencies(server.world, http)

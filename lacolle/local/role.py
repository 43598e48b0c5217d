"""One role of an exchange as a process of its own: the command that an operator would type, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

import httpx2

from lacolle.local.errors import LocalServerFailedError
from lacolle.local.leash import Leash, leashed
from schemas.bilingual import Bilingual

STARTS_WITHIN: Final = 60.0
STOPS_WITHIN: Final = 30.0
_POLL: Final = 0.05


@dataclass(slots=True)
class RoleProcess:
    """``lacolle NAME FOLDER OPTIONS``; ``port`` is the operator's listener, where its first worker is asked.

    ``environment`` holds the variables of Lacolle's that it gets; whatever others this process has, it does not.
    """

    name: str
    folder: Path
    log: Path
    port: int
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _leash: Leash | None = field(default=None, init=False)

    @property
    def command(self) -> list[str]:
        """The command line, as it would be typed."""
        return ["lacolle", self.name, str(self.folder), *self.options, "--operation-port", str(self.port)]

    def launch(self) -> None:
        """Start it. It ends with this process, however that ends."""
        with self.log.open("ab") as log:
            self._process, self._leash = leashed(lambda: self._spawn(log), ending=signal.SIGTERM)

    async def wait_until_ready(self, *, degraded: bool = False) -> None:
        """Return once it says that it is ready, or ``degraded`` where that will do.

        Raises ``LocalServerFailedError`` where it ends before, or takes too long.
        """
        enough = {"ready", "degraded"} if degraded else {"ready"}
        try:
            async with asyncio.timeout(STARTS_WITHIN), httpx2.AsyncClient(trust_env=False) as http:
                while await self._condition(http) not in enough:
                    self.require_running()
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise LocalServerFailedError(self._failed()) from None

    def require_running(self) -> None:
        """Raise ``LocalServerFailedError`` where it has ended, or was never started."""
        if self._process is None or self._process.poll() is not None:
            raise LocalServerFailedError(self._failed())

    async def stop(self) -> None:
        """Let it finish what it has in hand (SIGTERM), and return once it has ended; kill it where it takes too long.

        Idempotent. Raises ``LocalServerFailedError`` where it did not end as it should.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            _end(process)
        self._let_go()
        if process.returncode != 0:
            raise LocalServerFailedError(self._failed())

    def kill(self) -> None:
        """End it at once. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
            self._let_go()

    def _let_go(self) -> None:
        """Watch no longer over a process that has ended."""
        if self._leash is not None:
            self._leash.release()

    def _spawn(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own program, with arguments that were made above
            [sys.executable, "-m", *self.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**_without_ours(os.environ), **self.environment},
            start_new_session=True,  # an interrupt at the terminal is the parent's to pass on
        )

    async def _condition(self, http: httpx2.AsyncClient) -> str:
        try:
            return str((await http.get(f"http://127.0.0.1:{self.port}/readyz")).json()["status"])
        except httpx2.HTTPError:
            return ""

    def _failed(self) -> Bilingual:
        return Bilingual(
            fr=f"« lacolle {self.name} » ne tourne pas comme il faut : voir {self.log}.",
            en=f"“lacolle {self.name}” does not run as it should: see {self.log}.",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without Lacolle's variables: they may be another exchange's."""
    return {name: value for name, value in environment.items() if not name.startswith("LACOLLE_")}

"""The exchange of a demonstration as agencies run one: gateway, relay and adapters as processes, on real engines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.store.engine import Store
from lacolle.folder import ExchangeFolder
from lacolle.local.engines import Engines
from lacolle.local.errors import LocalServerFailedError
from lacolle.local.ports import free_ports
from lacolle.local.role import RoleProcess
from schemas.bilingual import Bilingual

WORKERS: Final = 2
"""Processes of the gateway."""
_LOOK: Final = 0.2


class AsRoles:
    """Runs an exchange in its roles, on engines that run already; the roles' logs lie in ``logs``.

    ``environment`` is what each of them is told besides its folder.
    """

    def __init__(self, engines: Engines, *, logs: Path, environment: Mapping[str, str]) -> None:
        self._engines = engines
        self._logs = logs
        self._environment = environment

    @property
    def settings(self) -> Mapping[str, Any]:
        """The store and the bus."""
        return self._engines.settings

    @property
    def bus(self) -> str:
        """Apache Kafka and its version."""
        return self._engines.bus

    @property
    def store(self) -> str:
        """PostgreSQL and its version."""
        return self._engines.store

    @asynccontextmanager
    async def opened(self, folder: ExchangeFolder) -> AsyncIterator[Roles]:
        """Make the topics, start every role and yield them once all are ready. Raises ``LocalServerFailedError``."""
        await self._engines.create_topics([partner.participant for partner in folder.partners])
        gateway_port, relay_port, adapters_port = _operation_ports()
        gateway = self._role("gateway", folder, gateway_port, "--workers", str(WORKERS))
        relay = self._role("relay", folder, relay_port)
        adapters = self._role("adapters", folder, adapters_port)
        roles = (gateway, adapters, relay)
        try:
            gateway.launch()
            await gateway.wait_until_ready(degraded=True)  # nobody signs the log yet
            relay.launch()
            adapters.launch()
            for role in roles:
                await role.wait_until_ready()
            yield Roles(roles)
        finally:
            for role in roles:
                role.kill()

    def _role(self, name: str, folder: ExchangeFolder, port: int, *options: str) -> RoleProcess:
        return RoleProcess(name, folder.path, self._logs / f"{name}.log", port, options, self._environment)

    def open_store(self, _folder: ExchangeFolder) -> Store:
        """Return the database, as its owner."""
        return self._engines.open_store()


class Roles:
    """The processes as one part, stopped in their order."""

    def __init__(self, processes: Sequence[RoleProcess]) -> None:
        self._processes = tuple(processes)
        self._told = asyncio.Event()

    async def run(self) -> None:
        """Return once told to stop and all have ended. Raises ``LocalServerFailedError`` where one ends by itself."""
        while not self._told.is_set():
            for process in self._processes:
                process.require_running()
            await asyncio.sleep(_LOOK)
        for process in self._processes:
            await process.stop()

    def stop(self) -> None:
        """Let them end. Idempotent."""
        self._told.set()


def _operation_ports() -> tuple[int, int, int]:
    """Return free ports for the first worker of the gateway, whose others' follow it, for the relay, for adapters."""
    relay, adapters, *candidates = free_ports(50)
    for first in candidates:
        if not {first + number for number in range(WORKERS)} & {relay, adapters} and _are_free(first):
            return first, relay, adapters
    raise LocalServerFailedError(_NO_PORTS)


def _are_free(first: int) -> bool:
    try:
        for number in range(WORKERS):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", first + number))
    except OSError:
        return False
    return True


_NO_PORTS: Final = Bilingual(
    fr="Cette machine n'a pas assez de ports libres : arrêtez ce qui en occupe, puis recommencez.",
    en="This machine has too few free ports: stop what holds them, and start again.",
)

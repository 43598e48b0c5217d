"""Where a demonstration's exchange runs: in this process on what Python has, or as its roles on the real engines."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from gateway.store.engine import Store, open_sqlite
from lacolle.folder import ExchangeFolder
from lacolle.logs import write_logs
from lacolle.processes.lineup import Part
from lacolle.processes.node import open_node


class Host(Protocol):
    """Runs the exchange of a folder."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the exchange's settings say of its engines, by section."""
        ...

    @property
    def bus(self) -> str:
        """The message bus and its version, for people."""
        ...

    @property
    def store(self) -> str:
        """The database and its version, for people."""
        ...

    def opened(self, folder: ExchangeFolder) -> AbstractAsyncContextManager[Part]:
        """Open the exchange, so that it takes requests once its part runs, and end it whatever happens.

        Raises what keeps it from opening: ``ConfigurationError``, ``StoreError``.
        """
        ...

    def open_store(self, folder: ExchangeFolder) -> Store:
        """Return its database, for reading; whoever asks closes it."""
        ...


class InThisProcess:
    """One node in this process: SQLite, and a bus in memory; its log lines go to the file ``log``."""

    def __init__(self, *, log: Path) -> None:
        self._log = log

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing: these are the engines of an exchange that is told of no other."""
        return MappingProxyType({})

    @property
    def bus(self) -> str:
        """The bus in memory."""
        return "embedded"

    @property
    def store(self) -> str:
        """The library's SQLite."""
        return f"SQLite {sqlite3.sqlite_version}"

    def opened(self, folder: ExchangeFolder) -> AbstractAsyncContextManager[Part]:
        """Open a node. Raises what ``open_node`` raises."""
        write_logs(as_json=False, file=self._log, level=folder.settings.operation.log_level)
        return open_node(folder, insecure_http=False)

    def open_store(self, folder: ExchangeFolder) -> Store:
        """Return the node's database; nothing is written to it here."""
        return open_sqlite(folder.database)

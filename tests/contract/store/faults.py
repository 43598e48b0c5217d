"""Durable writes that fail: one commit is lost, or lands and is reported as failed, on a real database.

The fault is an event of SQLAlchemy's engine at the moment of the commit. What reaches the database is real either way:
a lost commit is rolled back by the engine itself, one that lands is committed by the driver before the error.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine


class Fate(Enum):
    """What becomes of a write whose caller is told that it failed."""

    LOST = auto()
    LANDED = auto()


@dataclass(slots=True)
class Faults:
    """Commits of one engine that fail, the next one first. ``met`` counts them."""

    coming: list[tuple[Fate, Exception]] = field(default_factory=list)
    met: int = 0

    def listen_to(self, engine: AsyncEngine) -> None:
        """Meet every commit of an engine."""
        event.listen(engine.sync_engine, "commit", self._commit)

    def fail(self, fate: Fate, error: Exception, *, after: int = 0) -> None:
        """Have a commit fail: the next one, or the one ``after`` more good ones."""
        self.coming += [(fate, _NO_ERROR)] * after + [(fate, error)]

    def _commit(self, connection: Connection) -> None:
        if not self.coming:
            return
        fate, error = self.coming.pop(0)
        if error is _NO_ERROR:
            return
        self.met += 1
        if fate is Fate.LANDED:
            connection.connection.commit()
        raise error


def unreachable() -> OperationalError:
    """Return the error of a database that can't be reached now, and may be again."""
    return OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked"))


def failed_fsync() -> OperationalError:
    """Return the error of a disk that did not take what it was given."""
    original = sqlite3.OperationalError("disk I/O error")
    original.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    return OperationalError("COMMIT", {}, original)


_NO_ERROR: Final = Exception("no error")

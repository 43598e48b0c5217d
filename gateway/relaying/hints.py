"""Hints to the one who relays: there is something to do.

A hint may be lost, and nothing depends on it: the relay looks at every route now and then. It only makes an alert leave
at once and a checkpoint come soon. They stay in one process; others are told by the log itself, which says that it has
grown (``gateway.store.changes``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gateway.store.dispatches import Route


class Listener(Protocol):
    """The one who is told."""

    def routed(self, routes: Iterable[Route]) -> None:
        """Take note that dispatches were stored on these routes."""
        ...

    def head_moved(self) -> None:
        """Take note that the log has grown."""
        ...


class Nobody:
    """Who is told where the relay is another process."""

    def routed(self, routes: Iterable[Route]) -> None:
        """Do nothing."""

    def head_moved(self) -> None:
        """Do nothing."""

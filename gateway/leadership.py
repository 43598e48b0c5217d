"""Who may relay: one process at a time for a database."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Term(Protocol):
    """One stretch of being the only one."""

    async def lost(self) -> None:
        """Return once the term is over without having been ended here."""
        ...

    async def end(self) -> None:
        """Let another process take over. Idempotent."""
        ...


class Leadership(Protocol):
    """The contest for being the only one."""

    async def won(self) -> Term:
        """Wait until this process is the only one, however long that takes."""
        ...

    async def won_at_once(self) -> Term | None:
        """Return a term where nobody else has one; None where somebody has, or where that can't be told now."""
        ...


class UnopposedTerm:
    """A term that nobody can take."""

    async def lost(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    async def end(self) -> None:
        """Do nothing."""


class Unopposed:
    """Leadership where one process is all there is: SQLite's, whose folder is locked as a whole."""

    async def won(self) -> Term:
        """Return a term at once."""
        return UnopposedTerm()

    async def won_at_once(self) -> Term:
        """Return a term."""
        return UnopposedTerm()

"""The clock, as an argument of whatever needs the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Returns now, aware, UTC."""


def system_clock() -> datetime:
    """Return the machine's time, UTC."""
    return datetime.now(tz=UTC)

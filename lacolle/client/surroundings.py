"""What a client takes from the machine it runs on: the time, the passing of time, and randomness."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where time and randomness come from.

    ``now`` is aware, ``monotonic`` and ``sleep`` are in seconds, ``randomness(n)`` gives n bytes fit for secrets.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    randomness: Callable[[int], bytes]


MACHINE: Final = Surroundings(
    now=lambda: datetime.now(UTC), monotonic=time.monotonic, sleep=time.sleep, randomness=os.urandom
)
"""The machine's own clock, and its operating system's randomness."""

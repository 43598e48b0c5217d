"""When to try a delivery again: exponential, capped, with full jitter, and never sooner than the partner asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_WISH: Final = 86_400.0
"""A day, in seconds: no partner puts off its next attempt further than that."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays of ``base`` seconds, doubling with each attempt up to ``cap`` seconds."""

    base: float = 1.0
    cap: float = 300.0

    def delay(self, *, attempt: int, fraction: float, retry_after: float | None) -> float:
        """Return the seconds to wait after a deferred attempt, counted from 1.

        ``fraction`` in [0, 1) is the jitter: the delay is drawn from the upper half of the attempt's interval, so that
        partners that came back are not met by every exchange at once, and none is retried at once. ``retry_after`` is
        the partner's own wish in seconds, and a lower bound, as far as a day.
        """
        interval = min(self.cap, self.base * float(2 ** min(attempt - 1, 32)))
        return max(interval * (0.5 + fraction / 2), min(retry_after or 0.0, LONGEST_WISH))

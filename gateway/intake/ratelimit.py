"""How fast a participant may send: a token bucket each, in memory, counted after its signature is verified.

A jurisdiction's authority has one, too, for its statements.

Only verified submissions count, so nobody can spend another's rate. A restart fills the buckets anew, which can only
let more through: the limit protects the exchange's capacity, nothing else rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.errors import RateLimitedError
from schemas.ids import JurisdictionCode, ParticipantId

Holder = ParticipantId | JurisdictionCode
"""Whose rate it is."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Submissions a second in the long run, and how many at once."""

    per_second: float
    burst: int


@dataclass(slots=True)
class RateLimiter:
    """The buckets of one gateway process. ``now`` in its methods is seconds on a monotonic clock."""

    rate: Rate
    _buckets: dict[Holder, tuple[float, float]] = field(default_factory=dict)

    def take(self, holder: Holder, *, now: float) -> None:
        """Take one token of the holder's bucket.

        Raises ``RateLimitedError`` with the seconds until there is one again. Only registered participants and
        pinned authorities get here, so the number of buckets is theirs.
        """
        tokens, since = self._buckets.get(holder, (float(self.rate.burst), now))
        tokens = min(float(self.rate.burst), tokens + (now - since) * self.rate.per_second)
        if tokens < 1:
            self._buckets[holder] = (tokens, now)
            raise RateLimitedError((1 - tokens) / self.rate.per_second)
        self._buckets[holder] = (tokens - 1, now)

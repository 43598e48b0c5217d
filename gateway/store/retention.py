"""When an alert's content is to be erased: the shortest term of those under which it was passed on.

Nothing is erased while a copy may still go out: where a copy's deadline comes after the term, it ends with the
deadline. A copy that awaits consent has its deadline too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.decisions import Permit

DAY_MS: Final = 86_400_000


class RetentionBasis(StrEnum):
    """Whose term it is."""

    AGREEMENT = "agreement"
    """The shortest that an agreement names under which the alert was passed on."""
    DEFAULT = "default"
    """The exchange's own, where none names any, or nobody received the alert."""
    ORDER = "order"
    """No term's: the authority of the sender's jurisdiction ordered it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days content is kept and on what basis; ``due_ms`` is when it ends, in ms since the Unix epoch."""

    days: int
    basis: RetentionBasis
    due_ms: int


def retention_of(
    permits: Sequence[Permit], *, default_days: int, deadlines_ms: Iterable[int], now_ms: int
) -> Retention:
    """Return how long the content of an alert that is accepted now is kept; its copies end at ``deadlines_ms``."""
    named = [permit.terms.retain_days for permit in permits if permit.terms.retain_days is not None]
    basis = RetentionBasis.AGREEMENT if named else RetentionBasis.DEFAULT
    days = min(named, default=default_days)
    return Retention(days, basis, max((now_ms + days * DAY_MS, *deadlines_ms)))

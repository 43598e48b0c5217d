"""Retry-After: when a partner asks to be tried again (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = 86_400.0
"""A day, in seconds: no partner puts off the next attempt further than that."""

_SECONDS: Final = re.compile(r"[0-9]+")
_DIGITS: Final = 9


def seconds_to_wait(field: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After field asks to wait, within a day; ``None`` where it says nothing clear.

    The field holds seconds or an HTTP date; a date that has passed means at once.
    """
    if field is None:
        return None
    if _SECONDS.fullmatch(field):
        return LONGEST_WAIT if len(field.lstrip("0")) > _DIGITS else min(float(field), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(field)
    except ValueError:
        return None
    # A date without an offset is in GMT, as every HTTP date is (RFC 9110 section 5.6.7).
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)

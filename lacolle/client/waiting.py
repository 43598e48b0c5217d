"""How long an exchange asks its clients to wait."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return a ``Retry-After`` field in seconds, never negative (RFC 9110 section 10.2.3); None where unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):  # not a date, or one without a zone
        return None

"""The one way this exchange writes an instant of its own: RFC 3339, UTC, milliseconds, ``2026-01-17T19:05:09.123Z``.

Times inside an alert are CAP's and keep CAP's form; see ``schemas.alerts.header``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError


def utc_text(at: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds; what is finer is cut off, never rounded up.

    Raises ``ValueError`` for a time without an offset.
    """
    if at.utcoffset() is None:
        raise ValueError("an instant needs an offset from UTC")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def utc_text_of_ms(milliseconds: int) -> str:
    """Return the text of an instant that is kept as milliseconds since 1970."""
    return utc_text(_EPOCH + timedelta(milliseconds=milliseconds))


def read_utc(text: str) -> datetime:
    """Return the instant that ``utc_text`` wrote, or a person without the milliseconds: ``2026-01-17T19:05:09Z``.

    Upper-case ``T`` and ``Z`` and nothing but UTC (RFC 3339 section 5.6); no leap second, which Python has no
    time for. Raises ``BrokenRuleError``, a ``ValueError``.
    """
    if not _UTC.fullmatch(text):
        raise BrokenRuleError(_NO_INSTANT)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BrokenRuleError(_NO_INSTANT) from None


def read_instant(text: str) -> datetime:
    """Return an instant that somebody asks about: RFC 3339 section 5.6 with whatever offset, in UTC.

    No other form of ISO 8601: no week dates, nothing without an offset or seconds, no space for the ``T``. Raises
    ``BrokenRuleError``, a ``ValueError``, also where UTC has no name for it.
    """
    if not _RFC_3339.fullmatch(text):
        raise BrokenRuleError(_NO_OFFSET)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last hours of all years may have no name in UTC
        raise BrokenRuleError(_NO_OFFSET) from None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z")
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NO_OFFSET: Final = Bilingual(
    fr="Il faut ici un instant avec son décalage, comme 2026-01-17T14:05:09-05:00 (RFC 3339).",
    en="This must be an instant with its offset, such as 2026-01-17T14:05:09-05:00 (RFC 3339).",
)
_NO_INSTANT: Final = Bilingual(
    fr="Il faut ici un instant en UTC, comme 2026-01-17T19:05:09.123Z.",
    en="This must be an instant in UTC, such as 2026-01-17T19:05:09.123Z.",
)


def _checked(text: str) -> str:
    read_utc(text)
    return text


UtcText = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant as a member of a model: the text as it was signed, which ``read_utc`` reads."""

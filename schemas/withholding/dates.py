"""A date in the spellings that people use, in French and in English, folded as ``spellings.folded`` folds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from schemas.withholding.spellings import folded


def read_date(text: str) -> date | None:
    """Return the day that a whole text is, as RFC 3339 writes a date or an instant; None for any other text."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def read_instant(text: str) -> datetime | None:
    """Return the instant that a whole text is, None for any other text, a date among them."""
    if len(text) <= len("2026-01-17") or read_date(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def digits_of(day: date) -> Iterator[str]:
    """Yield the spellings in eight digits, whatever stands between, and the compact ones with a month's name."""
    year, month, number = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
    yield from (year + month + number, number + month + year, month + number + year, year + number + month)
    for name in _MONTHS[day.month - 1]:
        for written in {number, str(day.day)}:
            yield from (written + name + year, name + written + year, year + name + written)


def phrases_of(day: date) -> Iterator[str]:
    """Yield the spellings that must stand as words of their own: ``17 4 1991``, ``17 avril``, ``170491``.

    A day and a month's name are enough: whoever knows the year has the date.
    """
    year, short = f"{day.year:04}", f"{day.year % 100:02}"
    month, number = f"{day.month:02}", f"{day.day:02}"
    yield from (short + month + number, number + month + short, month + number + short)
    for m in {month, str(day.month)}:
        for d in {number, str(day.day)}:
            for y in (year, short):
                yield from (f"{y} {m} {d}", f"{d} {m} {y}", f"{m} {d} {y}")
    for name in _MONTHS[day.month - 1]:
        for d in {number, str(day.day), _ordinal(day.day), *(("1er",) if day.day == 1 else ())}:
            yield from (f"{d} {name}", f"{name} {d}", f"{d} of {name}", f"{name} the {d}")


def _ordinal(number: int) -> str:
    ending = "th" if number // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[-+][0-9]{2}:[0-9]{2}))?"
)
"""Section 5.6."""
_MONTHS: Final = tuple(
    tuple(dict.fromkeys(folded(name) for name in names.split()))
    for names in (
        "january jan janvier janv",
        "february feb février févr",
        "march mar mars",
        "april apr avril avr",
        "may mai",
        "june jun juin",
        "july jul juillet juil",
        "august aug août",
        "september sept sep septembre",
        "october oct octobre",
        "november nov novembre",
        "december dec décembre déc",
    )
)

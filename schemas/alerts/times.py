"""Stretches of time that alerts speak of: both ends known, or one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.alerts.fields import CapTime, Date, RuledPart
from schemas.alerts.header import instant
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual


class Period(RuledPart):
    """From an instant until another, ``until`` not included; without ``until`` it goes on."""

    start: CapTime
    until: CapTime | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that it ends before it begins."""
        if self.until is not None and instant(self.until) <= instant(self.start):
            yield REVERSED.at("until")


class Days(RuledPart):
    """From a day to another, both included."""

    first: Date
    last: Date

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that it ends before it begins."""
        if self.last < self.first:
            yield REVERSED.at("last")


REVERSED: Final = Rule(
    "times-reversed", Bilingual(fr="La fin ne peut précéder le début.", en="The end can't come before the beginning.")
)

"""Conditions on the info blocks: every block must meet them, and an alert without a block meets none."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import StringConstraints

from agreements import reasons
from agreements.conditions.stated import Allowed, Stated
from agreements.reasons import Code
from schemas.alerts.header import Alert, Category, Certainty, Severity, Urgency
from schemas.decisions import Reason

LanguageRange: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8}){0,15}$")]
"""A basic language range (RFC 4647 section 2.1) without ``*``, which would allow every language."""

UNSAID: Final = "en-US"
"""The language of a block that names none (CAP 1.2 section 3.2.2)."""


class SeverityCondition(Stated):
    """The ``severity`` of every info block is one of those named."""

    condition: Literal["severity"]
    allowed: Allowed[Severity]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.severity for block in alert.info if block.severity not in self.allowed]
        return reasons.not_allowed(Code.SEVERITY_NOT_ALLOWED, refused, self.allowed) if refused else None


class UrgencyCondition(Stated):
    """The ``urgency`` of every info block is one of those named."""

    condition: Literal["urgency"]
    allowed: Allowed[Urgency]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.urgency for block in alert.info if block.urgency not in self.allowed]
        return reasons.not_allowed(Code.URGENCY_NOT_ALLOWED, refused, self.allowed) if refused else None


class CertaintyCondition(Stated):
    """The ``certainty`` of every info block is one of those named."""

    condition: Literal["certainty"]
    allowed: Allowed[Certainty]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.certainty for block in alert.info if block.certainty not in self.allowed]
        return reasons.not_allowed(Code.CERTAINTY_NOT_ALLOWED, refused, self.allowed) if refused else None


class CategoryCondition(Stated):
    """Every ``category`` that any info block names is one of those named; a block names one at least."""

    condition: Literal["category"]
    allowed: Allowed[Category]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [each for block in alert.info for each in block.category if each not in self.allowed]
        return reasons.not_allowed(Code.CATEGORY_NOT_ALLOWED, refused, self.allowed) if refused else None


class LanguageCondition(Stated):
    """The ``language`` of every info block falls in a range named, by basic filtering (RFC 4647 section 3.3.1).

    ``fr`` matches ``fr`` and ``fr-CA``; ``fr-CA`` does not match ``fr``. A block that names none is in ``en-US``.
    """

    condition: Literal["language"]
    allowed: Allowed[LanguageRange]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        if all(any(matches(block.language or UNSAID, each) for each in self.allowed) for block in alert.info):
            return None
        return reasons.language_not_allowed(self.allowed)


def matches(tag: str, language_range: str) -> bool:
    """Say whether a language tag, or all that a narrower range means, falls in a basic range (RFC 4647 3.3.1)."""
    tag, language_range = tag.lower(), language_range.lower()
    return tag == language_range or tag.startswith(f"{language_range}-")

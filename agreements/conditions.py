"""What an alert must be for a grant to let it through.

Each condition is frozen, permanently tagged data that answers with the reason it is not met. A tag is signed by every
party, so never rename one and never reuse one; an unknown tag makes the whole agreement invalid, it is not skipped.

All of them fail closed:

* ``status`` and ``tlp`` stand on every grant, so that an exercise passes only where a grant names it, and nothing
  passes above a ceiling;
* ``severity``, ``urgency``, ``certainty`` must hold in *every* info block: the most alarming block of an alert does
  not carry a milder one along;
* ``category``: every category that any block names must be allowed;
* an alert without info block meets no condition on info;
* an empty list would allow nothing, and is refused when the document is read.

``status`` and ``tlp`` bind an alert for as long as its thread lives; the others decide who a thread reaches first
(see ``agreements.decide``). To add a condition: a class here, its place in ``Condition``, its sentence in
``agreements.explain``, one truth table in the tests.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

from agreements import reasons
from agreements.lists import some_once
from agreements.reasons import Code
from schemas.alerts.header import Alert, Category, Certainty, Severity, Status, Tlp, Urgency
from schemas.decisions import Reason
from schemas.fields import Part

_Item = TypeVar("_Item")

TLP_ORDER: Final[tuple[Tlp, ...]] = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
"""The labels of TLP 2.0 (FIRST, August 2022), from the freest to the strictest."""

_STRICTNESS: Final = {label: rank for rank, label in enumerate(TLP_ORDER)}


Allowed: TypeAlias = Annotated[tuple[_Item, ...], Field(alias="in"), AfterValidator(some_once)]
"""The values that a condition allows: one at least, each once."""


class _Condition(Part):
    binds_thread: ClassVar[bool] = False


class StatusCondition(_Condition):
    """The alert's ``status`` is one of those named."""

    binds_thread: ClassVar[bool] = True

    condition: Literal["status"]
    allowed: Allowed[Status]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if alert.status in self.allowed:
            return None
        return reasons.not_allowed(Code.STATUS_NOT_ALLOWED, (alert.status,), self.allowed)


class TlpCondition(_Condition):
    """The alert's TLP label is at most as strict as the ceiling."""

    binds_thread: ClassVar[bool] = True

    condition: Literal["tlp"]
    ceiling: Tlp

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if _STRICTNESS[alert.handling.tlp] <= _STRICTNESS[self.ceiling]:
            return None
        return reasons.tlp_above_ceiling(alert.handling.tlp, self.ceiling)


class SeverityCondition(_Condition):
    """The ``severity`` of every info block is one of those named."""

    condition: Literal["severity"]
    allowed: Allowed[Severity]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.severity for block in alert.info if block.severity not in self.allowed]
        return reasons.not_allowed(Code.SEVERITY_NOT_ALLOWED, refused, self.allowed) if refused else None


class UrgencyCondition(_Condition):
    """The ``urgency`` of every info block is one of those named."""

    condition: Literal["urgency"]
    allowed: Allowed[Urgency]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.urgency for block in alert.info if block.urgency not in self.allowed]
        return reasons.not_allowed(Code.URGENCY_NOT_ALLOWED, refused, self.allowed) if refused else None


class CertaintyCondition(_Condition):
    """The ``certainty`` of every info block is one of those named."""

    condition: Literal["certainty"]
    allowed: Allowed[Certainty]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [block.certainty for block in alert.info if block.certainty not in self.allowed]
        return reasons.not_allowed(Code.CERTAINTY_NOT_ALLOWED, refused, self.allowed) if refused else None


class CategoryCondition(_Condition):
    """Every ``category`` that any info block names is one of those named; a block names one at least."""

    condition: Literal["category"]
    allowed: Allowed[Category]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info(self.condition)
        refused = [each for block in alert.info for each in block.category if each not in self.allowed]
        return reasons.not_allowed(Code.CATEGORY_NOT_ALLOWED, refused, self.allowed) if refused else None


Condition: TypeAlias = Annotated[
    StatusCondition | TlpCondition | SeverityCondition | UrgencyCondition | CertaintyCondition | CategoryCondition,
    Field(discriminator="condition"),
]
"""Every condition there is, told apart by its ``condition`` member."""

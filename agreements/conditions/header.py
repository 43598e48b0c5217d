"""Conditions on the header of an alert: they hold, or not, whatever its info blocks say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from agreements import reasons
from agreements.conditions.stated import Allowed, Stated
from agreements.reasons import Code
from schemas.alerts.header import Alert, HandlingCode, MsgType, Status, Tlp
from schemas.decisions import Reason

TLP_ORDER: Final[tuple[Tlp, ...]] = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
"""The labels of TLP 2.0 (FIRST, August 2022), from the freest to the strictest."""

_STRICTNESS: Final = {label: rank for rank, label in enumerate(TLP_ORDER)}


def at_most(label: Tlp, ceiling: Tlp) -> bool:
    """Say whether a label is at most as strict as a ceiling."""
    return _STRICTNESS[label] <= _STRICTNESS[ceiling]


class StatusCondition(Stated):
    """The alert's ``status`` is one of those named."""

    binds_thread: ClassVar[bool] = True

    condition: Literal["status"]
    allowed: Allowed[Status]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if alert.status in self.allowed:
            return None
        return reasons.not_allowed(Code.STATUS_NOT_ALLOWED, (alert.status,), self.allowed)


class TlpCondition(Stated):
    """The alert's TLP label is at most as strict as the ceiling."""

    binds_thread: ClassVar[bool] = True

    condition: Literal["tlp"]
    ceiling: Tlp

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if at_most(alert.handling.tlp, self.ceiling):
            return None
        return reasons.tlp_above_ceiling(alert.handling.tlp, self.ceiling)


class MsgTypeCondition(Stated):
    """The alert's ``msgType`` is one of those named.

    An Update or a Cancel follows its thread whether it is named or not: who was told must hear that it changed.
    """

    condition: Literal["msg-type"]
    allowed: Allowed[MsgType]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if alert.msgType in self.allowed:
            return None
        return reasons.not_allowed(Code.MSG_TYPE_NOT_ALLOWED, (alert.msgType,), self.allowed)


class HandlingCondition(Stated):
    """Every handling code of the alert is one of those named; an alert without any restricts nothing, and meets it."""

    binds_thread: ClassVar[bool] = True

    condition: Literal["handling"]
    allowed: Allowed[HandlingCode]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        refused = [code for code in alert.handling.codes if code not in self.allowed]
        return reasons.not_allowed(Code.HANDLING_NOT_ALLOWED, refused, self.allowed) if refused else None


@dataclass(frozen=True, slots=True)
class ExercisesAlone:
    """What the obligation ``exercise-only`` asks of an alert: status ``Exercise``, whatever else the grant allows."""

    binds_thread: ClassVar[bool] = True

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        return None if alert.status == "Exercise" else reasons.exercise_only(alert.status)

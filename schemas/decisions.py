"""A decision: whether one recipient may have one alert, and why.

Decisions cross from ``agreements`` to the gateway's store, the log and the reader; they are data, and the words
of a reason are made from its code by ``agreements.explain``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from schemas.ids import AgreementId, JurisdictionCode, ParticipantId


class Lane(StrEnum):
    """How a dispatch travels: ``urgent`` ones never wait behind ``routine`` ones."""

    URGENT = "urgent"
    ROUTINE = "routine"


@dataclass(frozen=True, slots=True, order=True)
class ClauseRef:
    """One clause of one version of one agreement, written ``id/version#clause``."""

    agreement: AgreementId
    version: int
    clause: str

    def __str__(self) -> str:
        return f"{self.agreement}/{self.version}#{self.clause}"


ReasonArgument: TypeAlias = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a permanent code and the facts it speaks of, never an alert's free text.

    ``agreements.explain`` turns it into a sentence in each language; the codes are listed there.
    """

    code: str
    arguments: tuple[tuple[str, ReasonArgument], ...] = ()


@dataclass(frozen=True, slots=True)
class Permit:
    """The recipient receives the alert, under this clause."""

    recipient: ParticipantId
    jurisdiction: JurisdictionCode
    under: ClauseRef
    lane: Lane
    reason: Reason


@dataclass(frozen=True, slots=True)
class Deny:
    """The recipient does not receive the alert.

    ``considered`` names every clause that was looked at and why it did not permit, in order.
    """

    recipient: ParticipantId
    jurisdiction: JurisdictionCode
    reason: Reason
    considered: tuple[tuple[ClauseRef, Reason], ...] = field(default=())


Decision: TypeAlias = Permit | Deny

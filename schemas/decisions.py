"""A decision: whether one recipient may have one alert, and why.

Decisions cross from ``agreements`` to the gateway's store, the log and the reader; they are data, and the words
of a reason are made from its code by ``agreements.explain``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

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

    @classmethod
    def of(cls, text: str) -> ClauseRef:
        """Read what ``str`` writes. Raises ``ValueError`` for anything without these three parts."""
        agreement, slash, rest = text.partition("/")
        version, mark, clause = rest.partition("#")
        if not (agreement and slash and mark and clause):
            raise ValueError("this is no reference to a clause")
        return cls(AgreementId(agreement), int(version), clause)

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


class Treatment(StrEnum):
    """What becomes of a value that a recipient may not have as it is."""

    REDACT = "redact"
    """It is left out, with everything below it."""
    PSEUDONYM = "pseudonym"
    """A keyed pseudonym stands in its place, the same for the same value under one agreement."""
    YEAR = "year"
    """Of a date, the year is left."""
    REGION = "region"
    """Of a place, the region is left."""


@dataclass(frozen=True, slots=True, order=True)
class Withholding:
    """What a recipient's copy leaves out or blurs, wherever a pattern points.

    ``pointer`` is an RFC 6901 pointer in which ``*`` stands for any position of a list; it names everything below it.
    ``mark`` is the class that the clause named it by, such as ``identifying``; "" where it named the path itself.
    """

    pointer: str
    treatment: Treatment
    mark: str
    under: ClauseRef


class Onward(StrEnum):
    """Whether a recipient may pass on what it received."""

    WITH_CONSENT = "with-consent"
    """With the originator's consent alone."""
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a permit obliges the exchange and the recipient to: the strictest of all clauses that permit.

    ``deliver_within``, ``acknowledge_within`` and ``consent_within`` are seconds from acceptance, ``retain_days`` days
    from it; None where no clause says. Where consent was awaited, the time to acknowledge begins with the release.
    ``consent_by`` names those who must each agree before release. ``exercise`` says that a clause is for exercises
    alone: the copy is marked as one.
    """

    withholdings: tuple[Withholding, ...] = ()
    deliver_within: int | None = None
    acknowledge_within: int | None = None
    retain_days: int | None = None
    onward: Onward = Onward.WITH_CONSENT
    consent_by: tuple[str, ...] = ()
    consent_within: int | None = None
    exercise: bool = False


NO_TERMS: Final = Terms()
"""Of a clause that obliges to nothing."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The recipient receives the alert, under this clause and on these terms."""

    recipient: ParticipantId
    jurisdiction: JurisdictionCode
    under: ClauseRef
    lane: Lane
    reason: Reason
    terms: Terms = NO_TERMS


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


class Decisions(tuple[Decision, ...]):  # noqa: SLOT001 - what it remembers needs a place
    """The decisions on one alert: a tuple that works its hash out once.

    The same few recur in very many alerts, so that what is made of them is looked up, which hashes them.
    """

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        """Return the hash of the tuple that it is."""
        return self._hash


@lru_cache(maxsize=256)
def permits_among(decisions: tuple[Decision, ...]) -> tuple[Permit, ...]:
    """Return who receives the alert, in the order of the decisions."""
    return tuple([each for each in decisions if isinstance(each, Permit)])


@lru_cache(maxsize=256)
def denials_among(decisions: tuple[Decision, ...]) -> tuple[Deny, ...]:
    """Return who does not, likewise."""
    return tuple([each for each in decisions if isinstance(each, Deny)])

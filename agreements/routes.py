"""What the agreements say of one type from one sender while none of them changes: all of a decision but the alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from agreements.conditions.stated import Requirement
from agreements.obligations import Obligation
from agreements.succession import Term
from agreements.terms import terms_of
from schemas.decisions import ClauseRef, Deny, Lane, Reason, Terms
from schemas.ids import AlertType, JurisdictionCode, ParticipantId

Candidate: TypeAlias = tuple[ParticipantId, JurisdictionCode]
"""One who may receive at all: it has the receiver role today."""

Considered: TypeAlias = tuple[tuple[ClauseRef, Reason], ...]
"""Clauses that do not permit, each with a reason why; one that fails in two ways stands there twice."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One grant of one version, with the candidates it names and what to say where it permits.

    ``recipients`` are those named in its ``to``, ``copies`` those whom it has told of what it lets through.
    """

    ref: ClauseRef
    lane: Lane
    conditions: tuple[Requirement, ...]
    obligations: tuple[Obligation, ...]
    recipients: frozenset[ParticipantId]
    copies: frozenset[ParticipantId]
    term: Term
    granted: Reason

    @property
    def rank(self) -> tuple[bool, ClauseRef]:
        """Sorts the clause that rules to the front: the urgent lane first, then the lowest reference."""
        return self.lane is not Lane.URGENT, self.ref


@dataclass(frozen=True, slots=True)
class Standing:
    """How one candidate stands before any alert is looked at.

    ``clauses`` are positions in the route of those in force that name the candidate, the one that rules first;
    ``copying`` of those in force that have it told; ``lapsed`` are those that name it or have it told and are not in
    force, likewise. Candidates of one ``group`` have all three in common. ``ungranted`` is the decision where no clause
    in force names it or has it told.
    """

    participant: ParticipantId
    jurisdiction: JurisdictionCode
    clauses: tuple[int, ...]
    copying: tuple[int, ...]
    lapsed: Considered
    group: int
    ungranted: Deny


@dataclass(frozen=True, slots=True)
class Route:
    """The clauses in force about one type from one sender, and every candidate but the sender, by id.

    ``terms`` are those of each clause for alerts of the type.
    """

    clauses: tuple[Clause, ...]
    terms: tuple[Terms, ...]
    standings: tuple[Standing, ...]


def lay_out(
    governing: Iterable[Clause],
    candidates: Sequence[Candidate],
    now: datetime,
    *,
    alert_type: AlertType,
    ungranted: Callable[[JurisdictionCode], Reason],
) -> Route:
    """Return the route that the governing clauses make for a type at ``now``.

    ``ungranted`` gives the reason for a candidate of a jurisdiction that no clause names, in force or lapsed.
    """
    in_force: list[Clause] = []
    lapsed: defaultdict[ParticipantId, list[tuple[ClauseRef, Reason]]] = defaultdict(list)
    for clause in sorted(governing, key=lambda clause: clause.rank):
        reason = clause.term.outside(now)
        if reason is None:
            in_force.append(clause)
        else:
            for recipient in clause.recipients | clause.copies:
                lapsed[recipient].append((clause.ref, reason))
    naming = _naming(clause.recipients for clause in in_force)
    copying = _naming(clause.copies for clause in in_force)
    groups: dict[tuple[tuple[int, ...], tuple[int, ...], Considered], int] = {}
    standings = []
    for participant, jurisdiction in candidates:
        common = tuple(naming[participant]), tuple(copying[participant]), tuple(lapsed[participant])
        group = groups.setdefault(common, len(groups))
        deny = _ungranted(participant, jurisdiction, common[2], ungranted)
        standings.append(Standing(participant, jurisdiction, *common, group=group, ungranted=deny))
    return Route(
        clauses=tuple(in_force),
        terms=tuple([terms_of(clause.obligations, clause.ref, alert_type) for clause in in_force]),
        standings=tuple(standings),
    )


def _naming(named: Iterable[Iterable[ParticipantId]]) -> defaultdict[ParticipantId, list[int]]:
    """Return the positions of the clauses that name each participant, in their order."""
    positions: defaultdict[ParticipantId, list[int]] = defaultdict(list)
    for index, participants in enumerate(named):
        for participant in participants:
            positions[participant].append(index)
    return positions


def _ungranted(
    participant: ParticipantId,
    jurisdiction: JurisdictionCode,
    lapsed: Considered,
    ungranted: Callable[[JurisdictionCode], Reason],
) -> Deny:
    reason = lapsed[0][1] if lapsed else ungranted(jurisdiction)
    return Deny(recipient=participant, jurisdiction=jurisdiction, reason=reason, considered=lapsed)

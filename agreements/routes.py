"""What the agreements say of one type from one sender while none of them changes: all of a decision but the alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from agreements.conditions.stated import Requirement
from agreements.obligations import Obligation
from agreements.succession import Term
from agreements.terms import strictest, terms_of
from schemas.decisions import ClauseRef, Decisions, Deny, Lane, Permit, Reason, Terms
from schemas.ids import AlertType, JurisdictionCode, ParticipantId

Candidate: TypeAlias = tuple[ParticipantId, JurisdictionCode]
"""One who may receive at all: it has the receiver role today."""

Considered: TypeAlias = tuple[tuple[ClauseRef, Reason], ...]
"""Clauses that do not permit, each with a reason why; one that fails in two ways stands there twice."""


MOST_REMEMBERED: Final = 1_024
"""How many groups' permits a route remembers; as alerts differ in little of what clauses ask, there are few."""

MOST_DECIDED: Final = 8
"""How many alerts' decisions a route remembers, each for every candidate: most alerts meet the same requirements."""


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
    in force names it or has it told, and ``position`` where the decision stands among all.
    """

    participant: ParticipantId
    jurisdiction: JurisdictionCode
    clauses: tuple[int, ...]
    copying: tuple[int, ...]
    lapsed: Considered
    group: int
    ungranted: Deny
    position: int


@dataclass(frozen=True, slots=True)
class Route:
    """The clauses in force about one type from one sender, and every candidate but the sender, by id.

    ``terms`` are those of each clause for alerts of the type. ``requirements`` are all that any clause asks, each once;
    ``asked`` says by position which of them each clause does; ``named`` are the candidates that each clause names.
    ``groups`` are those of the candidates that some clause names or has told. ``_permits`` remembers what clauses came
    to for a whole group, ``decided`` what all decisions came to by the requirements' answers, of alerts of which
    nothing else counts.
    """

    clauses: tuple[Clause, ...]
    terms: tuple[Terms, ...]
    requirements: tuple[Requirement, ...]
    asked: tuple[tuple[int, ...], ...]
    named: tuple[tuple[Standing, ...], ...]
    standings: tuple[Standing, ...]
    groups: tuple[tuple[Standing, ...], ...]
    ungranted: tuple[Deny, ...]
    _permits: dict[tuple[int, tuple[int, ...], str], Sequence[Permit]] = field(
        default_factory=dict, compare=False, repr=False
    )
    decided: dict[tuple[Reason | None, ...], Decisions] = field(default_factory=dict, compare=False, repr=False)

    def permits(self, alike: Sequence[Standing], clauses: tuple[int, ...], reason: Reason) -> Sequence[Permit]:
        """Return the permits of candidates of one group under several clauses, by position; the first one rules."""
        ruling, terms = self.clauses[clauses[0]], strictest([self.terms[index] for index in clauses])
        return [Permit(each.participant, each.jurisdiction, ruling.ref, ruling.lane, reason, terms) for each in alike]

    def permits_of_group(
        self, members: Sequence[Standing], clauses: tuple[int, ...], reason: Reason
    ) -> Sequence[Permit]:
        """Return the same for all of a group, as it was worked out before."""
        key = members[0].group, clauses, reason.code
        known = self._permits.get(key)
        if known is None:
            if len(self._permits) >= MOST_REMEMBERED:
                self._permits.clear()
            known = self._permits[key] = self.permits(members, clauses, reason)
        return known

    def remember(self, answers: tuple[Reason | None, ...], decisions: Decisions) -> None:
        """Keep the decisions on an alert of which nothing counted but what each requirement answered."""
        if len(self.decided) >= MOST_DECIDED:
            self.decided.clear()
        self.decided[answers] = decisions


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
    for number, (participant, jurisdiction) in enumerate(candidates):
        common = tuple(naming[participant]), tuple(copying[participant]), tuple(lapsed[participant])
        group = groups.setdefault(common, len(groups))
        deny = _ungranted(participant, jurisdiction, common[2], ungranted)
        standings.append(Standing(participant, jurisdiction, *common, group=group, ungranted=deny, position=number))
    return _route(in_force, standings, alert_type)


def _route(in_force: Sequence[Clause], standings: Sequence[Standing], alert_type: AlertType) -> Route:
    place: dict[Requirement, int] = {}
    for clause in in_force:
        for each in clause.conditions:
            place.setdefault(each, len(place))
    members: defaultdict[int, list[Standing]] = defaultdict(list)
    named: defaultdict[int, list[Standing]] = defaultdict(list)
    for standing in standings:
        if standing.clauses or standing.copying:
            members[standing.group].append(standing)
        for index in standing.clauses:
            named[index].append(standing)
    return Route(
        clauses=tuple(in_force),
        terms=tuple([terms_of(clause.obligations, clause.ref, alert_type) for clause in in_force]),
        requirements=tuple(place),
        asked=tuple([tuple([place[each] for each in clause.conditions]) for clause in in_force]),
        named=tuple([tuple(named[index]) for index in range(len(in_force))]),
        standings=tuple(standings),
        groups=tuple(map(tuple, members.values())),
        ungranted=tuple([standing.ungranted for standing in standings]),
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

"""The agreements of one exchange, laid out so that a decision is a look-up.

A snapshot is built whenever the registry changes, and is good for any instant: it holds every complete version and
knows the instants at which one of them begins, ends or gives way to another. Between two such instants nothing
changes, so what the agreements say of one type from one sender, a ``Route``, is worked out once and kept.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import permutations
from typing import TypeAlias

from agreements import reasons
from agreements.document import Agreement, Grant, domain_of
from agreements.meaning import requirements
from agreements.obligations import copies_of, lane_of
from agreements.replay import Version, world_digest
from agreements.routes import Candidate, Clause, Route, lay_out
from agreements.signed import VerifiedAgreement
from agreements.succession import Term, succession
from schemas.decisions import ClauseRef, Reason
from schemas.ids import AlertType, JurisdictionCode, ParticipantId, home_of

_Bond: TypeAlias = tuple[str, Term]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who may receive, and what every complete agreement says. ``of`` builds one; it never changes.

    ``_routes`` remembers what was worked out: one route for each type, sender and stretch of time that was asked for.
    """

    candidates: tuple[Candidate, ...]
    _clauses: Mapping[tuple[str, str], Sequence[Clause]]
    _bonds: Mapping[tuple[JurisdictionCode, JurisdictionCode], Sequence[_Bond]]
    _turns: Sequence[datetime]
    _versions: Sequence[tuple[Version, Term]]
    _worlds: dict[int, str] = field(default_factory=dict, compare=False, repr=False)
    _routes: dict[tuple[AlertType, ParticipantId, int], Route] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, candidates: Iterable[Candidate], agreements: Iterable[VerifiedAgreement]) -> Snapshot:
        """Lay out the agreements for these candidates.

        Raises ``ConflictingVersionsError``: an exchange finds out whether it can admit an agreement by building this.
        """
        receivers = tuple(sorted(set(candidates)))
        sides = _by_side(receivers)
        clauses: defaultdict[tuple[str, str], list[Clause]] = defaultdict(list)
        bonds: defaultdict[tuple[JurisdictionCode, JurisdictionCode], list[_Bond]] = defaultdict(list)
        turns: set[datetime] = set()
        verified = tuple(agreements)
        digests = {(each.document.id, each.document.version): _digest(each) for each in verified}
        versions: list[tuple[Version, Term]] = []
        for agreement, term in succession(verified):
            name = agreement.id, agreement.version
            versions.append((Version(*name, digest=digests[name]), term))
            turns.update(term.turns)
            for pair in permutations(agreement.parties, 2):
                bonds[pair].append((f"{agreement.id}/{agreement.version}", term))
            for grant in agreement.grants:
                clause = _clause(agreement, grant, term, sides)
                for pattern in grant.types:
                    for origin in grant.origins:
                        clauses[pattern, origin].append(clause)
        return cls(candidates=receivers, _clauses=clauses, _bonds=bonds, _turns=sorted(turns), _versions=versions)

    def route(self, alert_type: AlertType, sender: ParticipantId, now: datetime) -> Route:
        """Return what the agreements say, at an instant with its offset, of this type from this sender."""
        key = alert_type, sender, bisect_right(self._turns, now)
        known = self._routes.get(key)
        if known is None:
            known = self._routes[key] = self._routed(alert_type, sender, now)
        return known

    def world(self, now: datetime) -> str:
        """Return ``world_digest`` of the candidates and of the versions that govern at an instant with its offset."""
        stretch = bisect_right(self._turns, now)
        known = self._worlds.get(stretch)
        if known is None:
            governing = (version for version, term in self._versions if term.governs(now))
            known = self._worlds[stretch] = world_digest(governing, self.candidates)
        return known

    def binding(self, one: JurisdictionCode, other: JurisdictionCode, now: datetime) -> tuple[str, ...]:
        """Return the agreements in force between two jurisdictions, each as ``id/version``, sorted."""
        bonds = self._bonds.get((one, other), ())
        return tuple(sorted(name for name, term in bonds if term.governs(now) and term.outside(now) is None))

    def _routed(self, alert_type: AlertType, sender: ParticipantId, now: datetime) -> Route:
        governing = {
            clause.ref: clause
            for pattern in (alert_type, domain_of(alert_type))
            for origin in (sender, home_of(sender))
            for clause in self._clauses.get((pattern, origin), ())
            if clause.term.governs(now)
        }
        return lay_out(
            governing.values(),
            [candidate for candidate in self.candidates if candidate[0] != sender],
            now,
            alert_type=alert_type,
            ungranted=partial(self._ungranted, alert_type, sender, now),
        )

    def _ungranted(
        self, alert_type: AlertType, sender: ParticipantId, now: datetime, destination: JurisdictionCode
    ) -> Reason:
        """Return why nobody of a jurisdiction whom no clause names can receive."""
        home = home_of(sender)
        if destination == home:
            return reasons.no_grant_at_home(home, alert_type)
        binding = self.binding(home, destination, now)
        return reasons.no_grant(sender, alert_type, binding) if binding else reasons.no_agreement(home, destination)


def _digest(agreement: VerifiedAgreement) -> str:
    return hashlib.sha256(agreement.signed.payload).hexdigest()


def _by_side(candidates: Iterable[Candidate]) -> Mapping[str, frozenset[ParticipantId]]:
    sides: defaultdict[str, set[ParticipantId]] = defaultdict(set)
    for participant, jurisdiction in candidates:
        sides[participant].add(participant)
        sides[jurisdiction].add(participant)
    return {side: frozenset(members) for side, members in sides.items()}


def _clause(agreement: Agreement, grant: Grant, term: Term, sides: Mapping[str, frozenset[ParticipantId]]) -> Clause:
    ref = ClauseRef(agreement=agreement.id, version=agreement.version, clause=grant.clause)
    return Clause(
        ref=ref,
        lane=lane_of(grant.obligations),
        conditions=tuple(requirements(grant, agreement.regions).values()),
        obligations=grant.obligations,
        recipients=_members(grant.recipients, sides),
        copies=_members(copies_of(grant.obligations), sides),
        term=term,
        granted=reasons.granted(ref),
    )


def _members(named: Iterable[str], sides: Mapping[str, frozenset[ParticipantId]]) -> frozenset[ParticipantId]:
    return frozenset[ParticipantId]().union(*(sides.get(side, ()) for side in named))

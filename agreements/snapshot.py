"""The agreements of one exchange, laid out so that a decision is a look-up.

A snapshot is built whenever the registry changes, and is good for any instant: it holds every complete version and
knows the instants at which one of them begins, is suspended, is left or joined, ends or gives way to another. Between
two such instants nothing changes, so what the agreements say of one type from one sender, a ``Route``, is worked out
once and kept.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import permutations
from typing import TypeAlias

from agreements import reasons
from agreements.book import Book, Chapter
from agreements.document import Agreement, Grant, domain_of
from agreements.life import State
from agreements.meaning import requirements
from agreements.obligations import copies_of, lane_of
from agreements.replay import Version, world_digest
from agreements.routes import Candidate, Clause, Route, lay_out
from agreements.signed import VerifiedAgreement
from agreements.steps import VersionName
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
    _terms: Mapping[VersionName, Term]
    _versions: Sequence[tuple[Version, Term]]
    _worlds: dict[int, str] = field(default_factory=dict, compare=False, repr=False)
    _routes: dict[tuple[AlertType, ParticipantId, int], Route] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, candidates: Iterable[Candidate], agreements: Iterable[VerifiedAgreement]) -> Snapshot:
        """Lay out agreements to which nothing has happened. Raises ``ConflictingVersionsError``."""
        return cls.under(candidates, Book.of(agreements))

    @classmethod
    def under(cls, candidates: Iterable[Candidate], book: Book) -> Snapshot:
        """Lay out the agreements of a book for these candidates."""
        receivers = tuple(sorted(set(candidates)))
        sides = _by_side(receivers)
        clauses: defaultdict[tuple[str, str], list[Clause]] = defaultdict(list)
        bonds: defaultdict[tuple[JurisdictionCode, JurisdictionCode], list[_Bond]] = defaultdict(list)
        turns: set[datetime] = set()
        terms: dict[VersionName, Term] = {}
        versions: list[tuple[Version, Term]] = []
        for agreement, term in succession(book):
            name = agreement.id, agreement.version
            versions.append((_version(book.chapters[name]), term))
            turns.update(term.turns)
            terms[agreement.id, agreement.version] = term
            for pair in permutations(term.life.members, 2):
                bonds[pair].append((f"{agreement.id}/{agreement.version}", term))
            for grant in agreement.grants:
                clause = _clause(agreement, grant, term, sides)
                for pattern in grant.types:
                    for origin in grant.origins:
                        clauses[pattern, origin].append(clause)
        return cls(
            candidates=receivers, _clauses=clauses, _bonds=bonds, _turns=sorted(turns), _terms=terms, _versions=versions
        )

    def route(self, alert_type: AlertType, sender: ParticipantId, now: datetime) -> Route:
        """Return what the agreements say, at an instant with its offset, of this type from this sender."""
        key = alert_type, sender, self.stretch(now)
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
        return tuple(sorted(name for name, term in bonds if term.governs(now) and not term.between(one, other, now)))

    def stretch(self, now: datetime) -> int:
        """Return the number of the stretch of time that an instant is in: no agreement changes within one."""
        return bisect_right(self._turns, now)

    def knows(self, under: ClauseRef) -> bool:
        """Say whether the version of a clause is among the agreements."""
        return (under.agreement, under.version) in self._terms

    def lapse(self, under: ClauseRef, sender: ParticipantId, recipient: ParticipantId, now: datetime) -> Reason | None:
        """Return why nothing may pass under a clause any more from one participant to another, or nothing.

        Raises ``KeyError`` where the version is not among the agreements.
        """
        term = self._terms[under.agreement, under.version]
        return term.between(home_of(sender), home_of(recipient), now)

    def until(self, under: ClauseRef) -> datetime:
        """Return the first instant at which a clause's version is no longer valid. Raises ``KeyError`` as ``lapse``."""
        return self._terms[under.agreement, under.version].valid_until

    def state(self, version: VersionName, now: datetime) -> State:
        """Return what a version is at an instant. Raises ``KeyError`` where it is not among the agreements."""
        return self._terms[version].state(now)

    def _routed(self, alert_type: AlertType, sender: ParticipantId, now: datetime) -> Route:
        governing = {
            clause.ref: clause
            for pattern in (alert_type, domain_of(alert_type))
            for origin in (sender, home_of(sender))
            for clause in self._clauses.get((pattern, origin), ())
            if clause.term.governs(now)
        }
        home = home_of(sender)
        return lay_out(
            [each for clause in governing.values() for each in _for_those_bound(clause, home, now)],
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


def _version(chapter: Chapter) -> Version:
    signed = chapter.agreement.signed
    return Version(
        signed.document.id,
        signed.document.version,
        hashlib.sha256(signed.payload).hexdigest(),
        tuple((step.verified.digest.hex(), step.at.isoformat()) for step in chapter.steps),
    )


def _for_those_bound(clause: Clause, home: JurisdictionCode, now: datetime) -> Iterator[Clause]:
    """Yield a clause as it is for those whom it names or has told and who are bound, and as lapsed for the others."""
    life = clause.term.life
    if life.binds_all or life.over(now) is not None:
        yield clause
        return
    left = life.unbound(home, now)
    if left is not None:
        yield replace(clause, term=clause.term.lapsed(left))
        return
    away: defaultdict[Reason, set[ParticipantId]] = defaultdict(set)
    for recipient in clause.recipients | clause.copies:
        reason = life.unbound(home_of(recipient), now)
        if reason is not None:
            away[reason].add(recipient)
    if not away:
        yield clause
        return
    bound = (clause.recipients | clause.copies).difference(*away.values())
    yield _for(clause, bound)
    for reason, those in away.items():
        yield replace(_for(clause, those), term=clause.term.lapsed(reason))


def _for(clause: Clause, those: AbstractSet[ParticipantId]) -> Clause:
    return replace(clause, recipients=clause.recipients & those, copies=clause.copies & those)


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

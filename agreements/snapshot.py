"""The agreements of one exchange, laid out so that a decision is a look-up.

A snapshot is built whenever the registry changes, and is good for any instant: it holds every complete version and
knows when each one governs. Versions of one agreement follow one another:

* the highest version whose ``valid.from`` has come governs, and an earlier one never comes back, not even when the
  later one expires;
* before any has begun, the one that begins first governs, so that "not yet in force" can be said;
* a version replaces another only if every party of that other one signed it: nobody ends an agreement for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import permutations
from typing import Final, TypeAlias

from agreements import reasons
from agreements.conditions import Condition
from agreements.document import Agreement, Grant, Validity, domain_of
from agreements.obligations import lane_of
from agreements.signed import VerifiedAgreement
from schemas.bilingual import Bilingual
from schemas.decisions import ClauseRef, Lane, Reason
from schemas.ids import AlertType, JurisdictionCode, ParticipantId, home_of

Candidate: TypeAlias = tuple[ParticipantId, JurisdictionCode]
"""One who may receive at all: it has the receiver role today."""


class ConflictingVersionsError(Exception):
    """Two documents claim one version of an agreement, or one would replace another that others signed."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Term:
    """When one version governs, and when it is in force while it does; ends are exclusive, ``None`` is no end."""

    governs_from: datetime | None
    governs_until: datetime | None
    valid_from: datetime
    valid_until: datetime
    too_early: Reason
    too_late: Reason

    @classmethod
    def of(cls, valid: Validity, *, governs_from: datetime | None, governs_until: datetime | None) -> Term:
        """Return the term of a version with this validity that governs between two instants."""
        return cls(
            governs_from=governs_from,
            governs_until=governs_until,
            valid_from=valid.first,
            valid_until=valid.end,
            too_early=reasons.not_yet_in_force(valid.start),
            too_late=reasons.expired(valid.until),
        )

    def governs(self, now: datetime) -> bool:
        """Return whether this version, and no other of its agreement, is the one to look at."""
        return (self.governs_from is None or self.governs_from <= now) and (
            self.governs_until is None or now < self.governs_until
        )

    def outside(self, now: datetime) -> Reason | None:
        """Return why this version is not in force, or nothing where it is."""
        if now < self.valid_from:
            return self.too_early
        return self.too_late if now >= self.valid_until else None


@dataclass(frozen=True, slots=True)
class Clause:
    """One grant of one version, with the candidates it names and what to say where it permits."""

    ref: ClauseRef
    lane: Lane
    term: Term
    conditions: tuple[Condition, ...]
    recipients: frozenset[ParticipantId]
    granted: Reason
    follows_thread: Reason

    @property
    def rank(self) -> tuple[bool, ClauseRef]:
        """Sorts the clause that rules first to the front: the urgent lane, then the lowest reference."""
        return self.lane is not Lane.URGENT, self.ref


@dataclass(frozen=True, slots=True)
class Route:
    """Every clause about one type from one sender, first to rule first, and who is named by which of them."""

    clauses: tuple[Clause, ...]
    naming: Mapping[ParticipantId, tuple[int, ...]]


_Bond: TypeAlias = tuple[str, Term]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who may receive, and what every complete agreement says. ``of`` builds one; it never changes.

    ``_routes`` remembers what ``route`` worked out; it holds one item for each type and sender that was asked for.
    """

    candidates: tuple[Candidate, ...]
    _clauses: Mapping[tuple[str, str], Sequence[Clause]]
    _bonds: Mapping[tuple[JurisdictionCode, JurisdictionCode], Sequence[_Bond]]
    _routes: dict[tuple[AlertType, ParticipantId], Route] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, candidates: Iterable[Candidate], agreements: Iterable[VerifiedAgreement]) -> Snapshot:
        """Lay out the agreements for these candidates.

        Raises ``ConflictingVersionsError``; an exchange that admits an agreement finds out by building this.
        """
        receivers = tuple(sorted(set(candidates)))
        clauses: defaultdict[tuple[str, str], list[Clause]] = defaultdict(list)
        bonds: defaultdict[tuple[JurisdictionCode, JurisdictionCode], list[_Bond]] = defaultdict(list)
        sides = _by_side(receivers)
        for agreement, term in _terms(agreements):
            for pair in permutations(agreement.parties, 2):
                bonds[pair].append((f"{agreement.id}/{agreement.version}", term))
            for grant in agreement.grants:
                clause = _clause(agreement, grant, term, sides)
                for pattern in grant.types:
                    for origin in grant.origins:
                        clauses[pattern, origin].append(clause)
        return cls(candidates=receivers, _clauses=clauses, _bonds=bonds)

    def route(self, alert_type: AlertType, sender: ParticipantId) -> Route:
        """Return what the agreements say of this type from this sender, at whatever instant."""
        known = self._routes.get((alert_type, sender))
        if known is None:
            known = self._routes[alert_type, sender] = self._routed(alert_type, sender)
        return known

    def binding(self, origin: JurisdictionCode, destination: JurisdictionCode, now: datetime) -> tuple[str, ...]:
        """Return the agreements in force between two jurisdictions, each as ``id/version``, sorted."""
        bonds = self._bonds.get((origin, destination), ())
        return tuple(sorted(name for name, term in bonds if term.governs(now) and term.outside(now) is None))

    def _routed(self, alert_type: AlertType, sender: ParticipantId) -> Route:
        found = {
            clause.ref: clause
            for pattern in (alert_type, domain_of(alert_type))
            for origin in (sender, home_of(sender))
            for clause in self._clauses.get((pattern, origin), ())
        }
        clauses = tuple(sorted(found.values(), key=lambda clause: clause.rank))
        naming: defaultdict[ParticipantId, list[int]] = defaultdict(list)
        for index, clause in enumerate(clauses):
            for recipient in clause.recipients:
                naming[recipient].append(index)
        return Route(clauses=clauses, naming={recipient: tuple(indexes) for recipient, indexes in naming.items()})


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
        term=term,
        conditions=grant.conditions,
        recipients=frozenset[ParticipantId]().union(*(sides.get(side, ()) for side in grant.recipients)),
        granted=reasons.granted(ref),
        follows_thread=reasons.follows_thread(ref),
    )


def _terms(agreements: Iterable[VerifiedAgreement]) -> Iterable[tuple[Agreement, Term]]:
    versions: defaultdict[str, list[Agreement]] = defaultdict(list)
    for verified in agreements:
        versions[verified.document.id].append(verified.document)
    for _, family in sorted(versions.items()):
        family.sort(key=lambda document: document.version)
        _refuse_conflicts(family)
        yield from _succession(family)


def _succession(family: Sequence[Agreement]) -> Iterable[tuple[Agreement, Term]]:
    """Yield the versions that govern at some instant, each with its term; ``family`` is sorted by version."""
    first = min(family, key=lambda document: (document.valid.first, -document.version))
    for position, document in enumerate(family):
        begins = document.valid.first
        ends = min((later.valid.first for later in family[position + 1 :]), default=None)
        if ends is None or begins < ends:
            since = None if document is first else begins
            yield document, Term.of(document.valid, governs_from=since, governs_until=ends)


def _refuse_conflicts(family: Sequence[Agreement]) -> None:
    signers: set[JurisdictionCode] = set()
    versions = [document.version for document in family]
    if len(set(versions)) != len(versions):
        raise ConflictingVersionsError(_SAME_VERSION)
    for document in family:
        if not signers <= set(document.parties):
            raise ConflictingVersionsError(_OTHERS_SIGNED)
        signers |= set(document.parties)


_SAME_VERSION: Final = Bilingual(
    fr="Deux documents portent le même identifiant d'entente et la même version.",
    en="Two documents bear the same agreement identifier and the same version.",
)
_OTHERS_SIGNED: Final = Bilingual(
    fr="Une version ne peut remplacer l'entente qu'une autre partie a signée sans la signature de celle-ci.",
    en="A version cannot replace an agreement that another party signed without that party's signature.",
)

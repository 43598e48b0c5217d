"""Two versions of an agreement, clause by clause: what one lets through and the other does not, what binds it no more.

``agreements.diff`` says it in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from agreements.conditions.header import TLP_ORDER, StatusCondition, TlpCondition, at_most
from agreements.conditions.stated import Requirement
from agreements.document import Agreement, Grant
from agreements.fields import covered_types
from agreements.meaning import all_implied, exclude, implies, requirements, side_within, type_within
from agreements.obligations import Obligation, copies_of
from agreements.terms import at_least, strictest, terms_of
from schemas.bilingual import Bilingual
from schemas.decisions import ClauseRef

_Atom = tuple[str, str, str]
"""A side that sends, one that receives, a type or pattern."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One clause, with all that it asks of an alert, by tag."""

    ref: ClauseRef
    grant: Grant
    asked: Mapping[str, Requirement]

    def names(self, atom: _Atom) -> bool:
        """Say whether the clause is about all of these: who sends, who receives, what."""
        origin, recipient, pattern = atom
        return self.sends(origin, pattern) and any(side_within(recipient, side) for side in self.grant.recipients)

    def sends(self, origin: str, pattern: str) -> bool:
        """Say whether the clause is about this sender and these types."""
        return any(side_within(origin, side) for side in self.grant.origins) and any(
            type_within(pattern, wider) for wider in self.grant.types
        )


@dataclass(frozen=True, slots=True)
class Version:
    """The clauses of one version, and what its regions are called."""

    clauses: tuple[Stated, ...]
    names: Mapping[str, Bilingual]

    @classmethod
    def of(cls, document: Agreement) -> Version:
        """Return a version as it is compared."""
        return cls(
            clauses=tuple(
                Stated(
                    ClauseRef(document.id, document.version, grant.clause),
                    grant,
                    requirements(grant, document.regions),
                )
                for grant in document.grants
            ),
            names={region.name: region.bilingual for region in document.regions},
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that a clause lets through and no clause of the other version does.

    ``nearest`` is a clause of the other version about the same, if there is one, and ``tags`` what it asks for besides;
    ``copied`` says that the recipients are told, not named.
    """

    clause: Stated
    origins: tuple[str, ...]
    recipients: tuple[str, ...]
    types: tuple[str, ...]
    nearest: Stated | None = None
    tags: tuple[str, ...] = ()
    copied: bool = False


def gaps(one: Version, other: Version) -> Iterator[Gap]:
    """Yield what one version lets through and another does not, each clause's together."""
    for clause in one.clauses:
        yield from _named_gaps(clause, other)
        yield from _copied_gaps(clause, other)


def loosened(one: Version, other: Version) -> Iterator[tuple[str, str, Obligation]]:
    """Yield obligations of one version that no longer bind what another lets through: both clauses, the obligation."""
    for clause in one.clauses:
        for meeting in other.clauses:
            lost = {
                index
                for pattern in _common(clause.grant.types, meeting.grant.types, type_within)
                for index in _lost(clause, meeting, other, pattern)
            }
            for index in sorted(lost):
                yield clause.grant.clause, meeting.grant.clause, clause.grant.obligations[index]


def _named_gaps(clause: Stated, other: Version) -> Iterator[Gap]:
    uncovered: defaultdict[int | None, list[_Atom]] = defaultdict(list)
    for atom in product(clause.grant.origins, clause.grant.recipients, clause.grant.types):
        about = [index for index, each in enumerate(other.clauses) if each.names(atom)]
        if not _lets_all_through([other.clauses[index] for index in about], clause.asked):
            about.sort(key=lambda index: other.clauses[index].grant.clause != clause.grant.clause)
            uncovered[about[0] if about else None].append(atom)
    for index, atoms in uncovered.items():
        nearest = None if index is None else other.clauses[index]
        for origins, recipients, types in _together(atoms):
            yield Gap(clause, origins, recipients, types, nearest, _besides(clause, nearest))


def _copied_gaps(clause: Stated, other: Version) -> Iterator[Gap]:
    """Yield whom a clause has told, where the other version does not have them told whenever this one does."""
    uncovered: list[_Atom] = []
    for atom in product(clause.grant.origins, copies_of(clause.grant.obligations), clause.grant.types):
        origin, told, pattern = atom
        telling = [each for each in other.clauses if told in copies_of(each.grant.obligations)]
        if not all(
            _lets_all_through([each for each in telling if each.names((origin, recipient, pattern))], clause.asked)
            for recipient in clause.grant.recipients
        ):
            uncovered.append(atom)
    for origins, recipients, types in _together(uncovered):
        yield Gap(clause, origins, recipients, types, copied=True)


def _lets_all_through(clauses: Sequence[Stated], asked: Mapping[str, Requirement]) -> bool:
    """Whether an alert that meets what is asked surely meets one of the clauses; status and label one by one."""
    if any(all_implied(asked.values(), each.asked.values()) for each in clauses):
        return True
    return bool(clauses) and all(
        any(all_implied(share, each.asked.values()) for each in clauses) for share in _shares(asked)
    )


def _shares(asked: Mapping[str, Requirement]) -> Iterator[Sequence[Requirement]]:
    """Yield what is asked for each status and each label that it allows."""
    status, tlp = asked["status"], asked["tlp"]
    assert isinstance(status, StatusCondition)  # noqa: S101 - every grant has both; the document is refused else
    assert isinstance(tlp, TlpCondition)  # noqa: S101 - the same
    rest = [each for tag, each in asked.items() if tag not in {"status", "tlp"}]
    for value, label in product(status.allowed, TLP_ORDER):
        if at_most(label, tlp.ceiling):
            yield (
                status.model_copy(update={"allowed": (value,)}),
                tlp.model_copy(update={"ceiling": label}),
                *rest,
            )


def _besides(clause: Stated, nearest: Stated | None) -> tuple[str, ...]:
    if nearest is None:
        return ()
    mine = clause.asked.values()
    return tuple(tag for tag, each in nearest.asked.items() if not any(implies(given, each) for given in mine))


def _together(atoms: Iterable[_Atom]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    """Yield atoms as lists of senders, recipients and types, all of which go with one another."""
    origins: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for origin, recipient, pattern in atoms:
        origins[recipient, pattern].append(origin)
    recipients: defaultdict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for (recipient, pattern), senders in origins.items():
        recipients[tuple(senders), pattern].append(recipient)
    types: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (senders_together, pattern), receivers in recipients.items():
        types[senders_together, tuple(receivers)].append(pattern)
    for (senders_together, receivers_together), patterns in types.items():
        yield senders_together, receivers_together, tuple(patterns)


def _lost(clause: Stated, meeting: Stated, other: Version, pattern: str) -> Iterator[int]:
    """Yield which obligations of a clause do not bind what a clause of the other version lets through as well."""
    if any(exclude(*pair) for pair in product(clause.asked.values(), meeting.asked.values())):
        return
    origins = _common(clause.grant.origins, meeting.grant.origins, side_within)
    recipients = _common(_reached_by(clause.grant), _reached_by(meeting.grant), side_within)
    atoms = [(origin, recipient, pattern) for origin, recipient in product(origins, recipients)]
    both = (*clause.asked.values(), *meeting.asked.values())
    for atom in atoms:
        also = [each for each in other.clauses if each.names(atom) and all_implied(both, each.asked.values())]
        for alert_type in covered_types(pattern):
            binding = strictest([terms_of(each.grant.obligations, each.ref, alert_type) for each in (meeting, *also)])
            for index, obligation in enumerate(clause.grant.obligations):
                if not at_least(binding, terms_of([obligation], clause.ref, alert_type)):
                    yield index


def _reached_by(grant: Grant) -> tuple[str, ...]:
    return *grant.recipients, *copies_of(grant.obligations)


def _common(one: Sequence[str], other: Sequence[str], within: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Return what two lists of sides or patterns share, each thing as narrowly as either says it."""
    pairs = product(one, other)
    found = (narrow for a, b in pairs for narrow, wide in ((a, b), (b, a)) if within(narrow, wide))
    return tuple(dict.fromkeys(found))

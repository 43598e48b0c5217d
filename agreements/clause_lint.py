"""What is wrong or odd in one clause, or in two clauses beside each other: the findings of ``agreements.lint``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal, TypeAlias

from agreements import lint_words as words
from agreements.conditions.area import Region
from agreements.document import Grant
from agreements.fields import covered_types, has_field, is_date
from agreements.meaning import exclude, requirements
from agreements.obligations import (
    ConsentByObligation,
    CopyToObligation,
    DeadlineObligation,
    DeIdentifyObligation,
    Obligation,
    OnwardObligation,
    PrecisionObligation,
    RedactObligation,
    lane_of,
)
from agreements.overlaps import is_shadowed, may_both_permit, say_the_same, sides_meet, types_meet
from schemas.alerts.catalogue import marked_paths
from schemas.bilingual import Bilingual
from schemas.decisions import Onward
from schemas.located_yaml import Path
from schemas.statements import ParticipantStatement, Role

Remark: TypeAlias = tuple[Path, Literal["error", "warning"], Bilingual]
"""Where, how grave, and what."""


def unknown_names(path: Path, grant: Grant, known: Collection[str]) -> Iterator[Remark]:
    """Yield participants that the exchange does not know, and types that no alert has."""
    for rest, side in _named(grant):
        if "." in side and side not in known:
            yield (*path, *rest), "error", words.UNKNOWN_PARTICIPANT
    for index, pattern in enumerate(grant.types):
        if not covered_types(pattern):
            yield (*path, "types", index), "warning", words.UNKNOWN_TYPE


def useless(path: Path, grant: Grant, participants: Collection[ParticipantStatement]) -> Iterator[Remark]:
    """Yield that nobody can use a clause today, or cannot be told as it says."""
    if not _usable(grant, participants):
        yield path, "warning", words.UNUSABLE
    receivers = {each.participant for each in participants if Role.RECEIVER in each.roles}
    known = {each.participant for each in participants}
    for number, obligation in enumerate(grant.obligations):
        if isinstance(obligation, CopyToObligation):
            for index, participant in enumerate(obligation.participants):
                if participant in known - receivers:
                    place = (*path, "obligations", number, "participants", index)
                    yield place, "warning", words.NO_RECEIVER


def contradictions(path: Path, grant: Grant, regions: Iterable[Region]) -> Iterator[Remark]:
    """Yield what a clause asks that can't be had together."""
    if any(exclude(one, other) for one, other in combinations(requirements(grant, regions).values(), 2)):
        yield path, "error", words.UNREACHABLE
    asked = [(number, each) for number, each in enumerate(grant.obligations) if isinstance(each, ConsentByObligation)]
    delivery = [each.delivery for each in grant.obligations if isinstance(each, DeadlineObligation) and each.delivery]
    for number, consent in asked:
        if delivery and consent.within >= delivery[0]:
            yield (*path, "obligations", number, "within"), "warning", words.CONSENT_TOO_LATE


def withheld_nowhere(path: Path, grant: Grant) -> Iterator[Remark]:
    """Yield paths that a type of the clause does not have, dates that are none, classes that no type of it has."""
    for number, obligation in enumerate(grant.obligations):
        place: Path = (*path, "obligations", number)
        for rest, pointer in _paths(obligation):
            yield from _path_remarks((*place, *rest), pointer, grant, as_date=rest[0] == "year")
        if isinstance(obligation, RedactObligation | DeIdentifyObligation):
            covered = [each for pattern in grant.types for each in covered_types(pattern)]
            for index, mark in enumerate(obligation.classes):
                if covered and not any(marked_paths(each, mark) for each in covered):
                    yield (*place, "classes", index), "warning", words.CLASS_NOWHERE


def beside(path: Path, grant: Grant, earlier: Iterable[Grant], regions: Sequence[Region]) -> Iterator[Remark]:
    """Yield what is odd about a clause beside each earlier one: at most one thing for each."""
    for other in earlier:
        same_lane = lane_of(other.obligations) is lane_of(grant.obligations)
        if say_the_same(other, grant, regions):
            yield path, "warning", words.same_as(other.clause)
        elif same_lane and is_shadowed(grant, other, regions):
            yield path, "warning", words.shadowed_by(other.clause)
        elif same_lane and is_shadowed(other, grant, regions):
            yield path, "warning", words.shadows(other.clause)
        elif may_both_permit(other, grant, regions):
            differing = _surprises(other, grant)
            if differing:
                yield path, "warning", words.differs_from(other.clause, differing)
            elif same_lane:
                yield path, "warning", words.overlaps(other.clause)


def _named(grant: Grant) -> Iterator[tuple[Path, str]]:
    for member, sides in (("from", grant.origins), ("to", grant.recipients)):
        yield from (((member, index), side) for index, side in enumerate(sides))
    for number, obligation in enumerate(grant.obligations):
        if isinstance(obligation, CopyToObligation | ConsentByObligation):
            for index, side in enumerate(obligation.participants):
                yield ("obligations", number, "participants", index), side


def _paths(obligation: Obligation) -> Iterator[tuple[Path, str]]:
    match obligation:
        case RedactObligation() | DeIdentifyObligation():
            named = [("paths", obligation.paths)]
        case PrecisionObligation():
            named = [("year", obligation.year), ("region", obligation.region)]
        case _:
            named = []
    for member, pointers in named:
        yield from (((member, index), pointer) for index, pointer in enumerate(pointers))


def _path_remarks(place: Path, pointer: str, grant: Grant, *, as_date: bool) -> Iterator[Remark]:
    """Yield a type named in the clause without the path, a domain of which no type or not every type has it."""
    for pattern in grant.types:
        covered = covered_types(pattern)
        lacking = [each for each in covered if not has_field(each, pointer)]
        if lacking:
            none = len(lacking) == len(covered)
            yield place, "error" if none else "warning", words.no_such_field(pattern if none else lacking[0])
        elif as_date and not all(is_date(each, pointer) for each in covered):
            yield place, "error", words.NO_DATE


def _surprises(one: Grant, other: Grant) -> list[Bilingual]:
    """Return in what two clauses differ that both signers would want to know."""
    withheld = [frozenset(_treatments(grant)) for grant in (one, other)]
    consent = [any(isinstance(each, ConsentByObligation) for each in grant.obligations) for grant in (one, other)]
    onward = [
        any(isinstance(each, OnwardObligation) and each.rule is Onward.FORBIDDEN for each in grant.obligations)
        for grant in (one, other)
    ]
    compared = ((withheld, words.WITHHELD), (consent, words.CONSENT), (onward, words.ONWARD))
    return [what for (mine, others), what in compared if mine != others]


def _treatments(grant: Grant) -> Iterator[tuple[str, str, str]]:
    for obligation in grant.obligations:
        for rest, pointer in _paths(obligation):
            yield obligation.obligation, str(rest[0]), pointer
        if isinstance(obligation, RedactObligation | DeIdentifyObligation):
            yield from ((obligation.obligation, "classes", mark) for mark in obligation.classes)


def _usable(grant: Grant, participants: Collection[ParticipantStatement]) -> bool:
    senders = {
        statement.participant
        for statement in participants
        if Role.SENDER in statement.roles
        and any(sides_meet(statement.participant, side) for side in grant.origins)
        and any(types_meet(sent, granted) for sent in statement.sends for granted in grant.types)
    }
    receivers = {
        statement.participant
        for statement in participants
        if Role.RECEIVER in statement.roles
        and any(sides_meet(statement.participant, side) for side in grant.recipients)
    }
    return bool(senders) and bool(receivers) and not (len(senders) == 1 and senders == receivers)

"""What conditions and obligations mean for one another: whether one implies another, whether two can hold together.

Each answers yes only where that is sure; a no may also mean that nobody can tell from the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agreements.conditions import ListCondition, requirement
from agreements.conditions.area import Region, Within
from agreements.conditions.header import ExercisesAlone, HandlingCondition, StatusCondition, TlpCondition, at_most
from agreements.conditions.info import LanguageCondition, matches
from agreements.conditions.stated import Requirement
from agreements.document import Grant, jurisdiction_of
from agreements.obligations import Obligation, exercises_alone
from schemas.alerts.header import Status

EXERCISE: Status = "Exercise"


def requirements(grant: Grant, regions: Iterable[Region]) -> Mapping[str, Requirement]:
    """Return all that a clause asks of an alert, by tag; what makes it one for exercises alone stands as its own."""
    asked: dict[str, Requirement] = {each.condition: requirement(each, regions) for each in grant.conditions}
    if exercises_alone(grant.obligations):
        asked["exercise-only"] = ExercisesAlone()
    return asked


def implies(one: Requirement, other: Requirement) -> bool:
    """Say whether an alert that meets one surely meets the other."""
    match one, other:
        case TlpCondition(), TlpCondition():
            return at_most(one.ceiling, other.ceiling)
        case Within(), Within():
            return other.covers(one)
        case LanguageCondition(), LanguageCondition():
            return all(any(matches(each, wider) for wider in other.allowed) for each in one.allowed)
        case ExercisesAlone(), StatusCondition():
            return EXERCISE in other.allowed
        case _, ExercisesAlone():
            return one == other or (isinstance(one, StatusCondition) and one.allowed == (EXERCISE,))
        case _:
            return _both_list(one, other) and _values(one) <= _values(other)


def exclude(one: Requirement, other: Requirement) -> bool:
    """Say whether surely no alert meets both."""
    match one, other:
        case (ExercisesAlone(), StatusCondition() as status) | (StatusCondition() as status, ExercisesAlone()):
            return EXERCISE not in status.allowed
        case LanguageCondition(), LanguageCondition():
            pairs = ((each, wider) for each in one.allowed for wider in other.allowed)
            return not any(matches(each, wider) or matches(wider, each) for each, wider in pairs)
        case HandlingCondition(), _:
            return False  # an alert without any code meets every such condition
        case _:
            return _both_list(one, other) and not _values(one) & _values(other)


def _both_list(one: Requirement, other: Requirement) -> bool:
    return isinstance(one, ListCondition) and type(one) is type(other)


def _values(listing: Requirement) -> frozenset[str]:
    return frozenset[str](listing.allowed) if isinstance(listing, ListCondition) else frozenset()


def all_implied(by: Iterable[Requirement], asked: Iterable[Requirement]) -> bool:
    """Say whether an alert that meets all of the one surely meets all of the other."""
    given = tuple(by)
    return all(any(implies(each, other) for each in given) for other in asked)


def side_within(side: str, wider: str) -> bool:
    """Say whether a side of a grant names nobody but whom another names."""
    return side == wider or ("." in side and jurisdiction_of(side) == wider)


def type_within(pattern: str, wider: str) -> bool:
    """Say whether a type or pattern means no type but those that another means, types yet to come included."""
    return pattern == wider or (wider.endswith("/*") and pattern.partition("/")[0] == wider.partition("/")[0])


def facts(obligations: Iterable[Obligation]) -> frozenset[tuple[str, str, object]]:
    """Return what obligations say, each thing by itself: equal where they oblige to the same."""
    said: set[tuple[str, str, object]] = set()
    for obligation in obligations:
        members = obligation.model_dump(exclude_defaults=True)
        tag = members.pop("obligation")
        said.add((tag, "", None))
        for name, value in members.items():
            said |= {(tag, name, each) for each in (value if isinstance(value, tuple) else (value,))}
    return frozenset(said)

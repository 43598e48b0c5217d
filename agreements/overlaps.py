"""Whether parts of two clauses have something in common: what ``agreements.lint`` warns of.

All of these say "maybe": they know the words of a clause, not the alerts that will come.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from agreements.conditions import Condition, TlpCondition
from agreements.document import Grant, jurisdiction_of
from agreements.obligations import lane_of


def say_the_same(one: Grant, other: Grant) -> bool:
    """Whether two clauses differ in nothing but their number and the order of what they list."""
    return _content(one) == _content(other)


def may_both_permit(one: Grant, other: Grant) -> bool:
    """Whether one alert could reach one recipient under either of two clauses, in the same lane.

    Two clauses in different lanes are no accident: the urgent one is there for what its conditions single out.
    """
    return (
        lane_of(one.obligations) is lane_of(other.obligations)
        and any(sides_meet(*pair) for pair in product(one.origins, other.origins))
        and any(sides_meet(*pair) for pair in product(one.recipients, other.recipients))
        and any(types_meet(*pair) for pair in product(one.types, other.types))
        and not any(_exclude_each_other(*pair) for pair in product(one.conditions, other.conditions))
    )


def sides_meet(one: str, other: str) -> bool:
    """Whether two sides of grants share a participant: the same one, or a jurisdiction and one of its own."""
    return one == other or (jurisdiction_of(one) == jurisdiction_of(other) and ("." in one) != ("." in other))


def types_meet(one: str, other: str) -> bool:
    """Whether two patterns share an alert type."""
    if one.endswith("/*") or other.endswith("/*"):
        return one.partition("/")[0] == other.partition("/")[0]
    return one == other


def _exclude_each_other(one: Condition, other: Condition) -> bool:
    if isinstance(one, TlpCondition) or isinstance(other, TlpCondition) or one.condition != other.condition:
        return False
    return not set[str](one.allowed) & set[str](other.allowed)


def _content(grant: Grant) -> tuple[object, ...]:
    return (
        frozenset(grant.origins),
        frozenset(grant.recipients),
        frozenset(grant.types),
        frozenset(_meaning(condition) for condition in grant.conditions),
        lane_of(grant.obligations),
    )


def _meaning(condition: Condition) -> tuple[str, frozenset[str]]:
    allowed: Iterable[str] = (condition.ceiling,) if isinstance(condition, TlpCondition) else condition.allowed
    return condition.condition, frozenset(allowed)

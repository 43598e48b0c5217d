"""How two clauses of one document stand to each other: what ``agreements.lint`` warns of.

``may_both_permit`` says "maybe": it knows the words of a clause, not the alerts that will come. The others are sure.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from agreements.conditions.area import Region
from agreements.document import Grant, jurisdiction_of
from agreements.meaning import all_implied, exclude, facts, requirements, side_within, type_within
from agreements.obligations import copies_of, lane_of
from schemas.decisions import Lane


def say_the_same(one: Grant, other: Grant, regions: Iterable[Region]) -> bool:
    """Whether two clauses differ in nothing but their number and how they put it."""
    return _reaches(one, other, regions) and _reaches(other, one, regions) and _duties(one) == _duties(other)


def is_shadowed(one: Grant, by: Grant, regions: Iterable[Region]) -> bool:
    """Whether a clause changes nothing beside another: that one lets all of it through, as strictly and as fast."""
    faster = lane_of(one.obligations) is Lane.URGENT and lane_of(by.obligations) is Lane.ROUTINE
    mine = {fact for fact in _duties(one) if fact[0] != "lane"}
    return not faster and mine <= _duties(by) and _reaches(by, one, regions)


def may_both_permit(one: Grant, other: Grant, regions: Iterable[Region]) -> bool:
    """Whether one alert could reach one recipient under either of two clauses."""
    asked = requirements(one, regions).values(), requirements(other, regions).values()
    return (
        any(sides_meet(*pair) for pair in product(one.origins, other.origins))
        and any(sides_meet(*pair) for pair in product(_reached_by(one), _reached_by(other)))
        and any(types_meet(*pair) for pair in product(one.types, other.types))
        and not any(exclude(*pair) for pair in product(*asked))
    )


def sides_meet(one: str, other: str) -> bool:
    """Whether two sides of grants share a participant: the same one, or a jurisdiction and one of its own."""
    return one == other or (jurisdiction_of(one) == jurisdiction_of(other) and ("." in one) != ("." in other))


def types_meet(one: str, other: str) -> bool:
    """Whether two patterns share an alert type."""
    return type_within(one, other) or type_within(other, one)


def _reached_by(grant: Grant) -> tuple[str, ...]:
    return *grant.recipients, *copies_of(grant.obligations)


def _reaches(wider: Grant, other: Grant, regions: Iterable[Region]) -> bool:
    """Whether a clause lets through, to the same recipients at least, all that another does."""
    return (
        all(any(side_within(side, origin) for origin in wider.origins) for side in other.origins)
        and all(any(side_within(side, recipient) for recipient in wider.recipients) for side in other.recipients)
        and all(any(type_within(each, pattern) for pattern in wider.types) for each in other.types)
        and all_implied(requirements(other, regions).values(), requirements(wider, regions).values())
    )


def _duties(grant: Grant) -> frozenset[tuple[str, str, object]]:
    """Return what a clause obliges to; the lane that is taken where none is named stands as if it were."""
    lane = ("lane", "lane", lane_of(grant.obligations))
    return facts(each for each in grant.obligations if each.obligation != "lane") | {lane}

"""When content is to be erased: the shortest term that an agreement names, else the exchange's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.store.retention import DAY_MS, RetentionBasis, retention_of
from schemas.decisions import NO_TERMS, Permit
from tests.unit.gateway.ground import NYSP, VSP, permit

NOW = 1_800_000_000_000


def keeping(days: int | None) -> Permit:
    """Return a permit whose recipient may keep the alert for so many days."""
    return replace(permit(NYSP), terms=replace(NO_TERMS, retain_days=days))


@pytest.mark.parametrize(
    ("terms", "days", "basis"),
    [
        ((), 365, RetentionBasis.DEFAULT),
        ((None,), 365, RetentionBasis.DEFAULT),
        ((30,), 30, RetentionBasis.AGREEMENT),
        ((90, None, 30), 30, RetentionBasis.AGREEMENT),
        ((3650,), 3650, RetentionBasis.AGREEMENT),
    ],
)
def test_the_shortest_term_rules(terms: tuple[int | None, ...], days: int, basis: RetentionBasis) -> None:
    """Of all that an alert is passed on under, the least days; where none names any, the exchange's own."""
    found = retention_of([keeping(each) for each in terms], default_days=365, deadlines_ms=(), now_ms=NOW)
    assert (found.days, found.basis, found.due_ms) == (days, basis, NOW + days * DAY_MS)


def test_nothing_ends_before_its_copies_do() -> None:
    """A copy whose deadline comes after the term ends first: content is kept until then."""
    deadlines = [NOW + 5 * DAY_MS, NOW + 9 * DAY_MS]
    found = retention_of([keeping(1), permit(VSP)], default_days=365, deadlines_ms=deadlines, now_ms=NOW)
    assert (found.days, found.due_ms) == (1, NOW + 9 * DAY_MS)

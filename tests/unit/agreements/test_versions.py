"""Which version of an agreement rules, at every instant, out of one snapshot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements.book import Book, ConflictingVersionsError
from agreements.decide import decide
from agreements.reasons import Code
from agreements.snapshot import Snapshot
from agreements.succession import succession
from schemas.decisions import Deny, Permit
from tests.unit.agreements.builders import (
    NYSP,
    Json,
    alert,
    candidates,
    document,
    grant,
    info,
    ref,
    snapshot,
    verified,
)


def version(number: int, start: str, until: str, **changes: object) -> Json:
    """Return a version of the agreement, in force between two days; its clause bears its number."""
    valid = {"from": f"{start}T00:00:00Z", "until": f"{until}T00:00:00Z"}
    return document(grant(f"1.{number}"), version=number, valid=valid, **changes)


FIRST = version(1, "2026-01-01", "2028-01-01")
SECOND = version(2, "2026-07-01", "2027-01-01")


def ruling(day: str, *values: Json) -> tuple[str, str]:
    """Return the reason's code on a day, and the clause that it is about."""
    now = datetime.fromisoformat(f"{day}T00:00:00Z")
    (decision,) = decide(alert(info()), snapshot(*values, receivers=(NYSP,)), now, reached={})
    match decision:
        case Permit():
            return decision.reason.code, str(decision.under)
        case Deny():
            return decision.reason.code, ",".join(str(clause) for clause, _ in decision.considered)


@pytest.mark.parametrize(
    ("day", "code", "clause"),
    [
        ("2025-12-31", Code.NOT_YET_IN_FORCE, ref("1.1")),
        ("2026-01-01", Code.GRANTED, ref("1.1")),
        ("2026-06-30", Code.GRANTED, ref("1.1")),
        ("2026-07-01", Code.GRANTED, ref("1.2", version=2)),
        ("2026-12-31", Code.GRANTED, ref("1.2", version=2)),
        ("2027-01-01", Code.EXPIRED, ref("1.2", version=2)),
        ("2027-06-01", Code.EXPIRED, ref("1.2", version=2)),
    ],
)
def test_the_highest_version_rules_from_its_first_instant(day: str, code: Code, clause: object) -> None:
    """A later version takes over when it begins, and an earlier one never comes back, not even when it expires."""
    assert ruling(day, FIRST, SECOND) == (code, str(clause))
    assert ruling(day, SECOND, FIRST) == (code, str(clause))


def test_a_version_that_begins_no_later_replaces_at_once() -> None:
    """A version overtaken before it begins never rules, and before the first begins that one is named."""
    earlier = version(3, "2025-01-01", "2027-01-01")
    assert ruling("2026-08-01", FIRST, SECOND, earlier) == (Code.GRANTED, "ca-qc.us-ny.test/3#1.3")
    assert ruling("2024-06-01", FIRST, SECOND, earlier) == (Code.NOT_YET_IN_FORCE, "ca-qc.us-ny.test/3#1.3")


def test_an_incomplete_version_replaces_nothing() -> None:
    """A version that a party has yet to sign is no VerifiedAgreement, so the earlier one goes on ruling."""
    assert ruling("2026-08-01", FIRST) == (Code.GRANTED, "ca-qc.us-ny.test/1#1.1")


def test_others_cannot_replace_an_agreement() -> None:
    """A version that a party to an earlier one did not sign is refused: nobody ends an agreement for others."""
    usurper = version(2, "2026-07-01", "2027-01-01", parties=["US-NY", "US-VT"])
    usurper["grants"] = [{**grant(), "from": ["US-VT"]}]
    with pytest.raises(ConflictingVersionsError):
        snapshot(FIRST, usurper)
    joined = version(2, "2026-07-01", "2027-01-01", parties=["US-NY", "US-VT", "CA-QC"])
    assert ruling("2026-08-01", FIRST, joined)[0] == Code.GRANTED


def test_two_documents_of_one_version_are_refused() -> None:
    """An identifier and a version name one document."""
    with pytest.raises(ConflictingVersionsError):
        snapshot(FIRST, {**FIRST, "grants": [grant("7.7")]})


DAYS = st.integers(min_value=1, max_value=28)


@given(st.lists(st.tuples(DAYS, DAYS), min_size=1, max_size=5), DAYS)
def test_one_version_governs_at_each_instant(windows: list[tuple[int, int]], day: int) -> None:
    """Whatever the windows, at any instant exactly one version governs: the highest that has begun, if any has."""
    values = [
        version(number, f"2026-02-{start:02}", f"2027-02-{until:02}")
        for number, (start, until) in enumerate(windows, start=1)
    ]
    now = datetime(2026, 2, day, tzinfo=UTC)
    governing = [
        document.version
        for document, term in succession(Book.of(verified(value) for value in values))
        if term.governs(now)
    ]
    begun = [number for number, (start, _) in enumerate(windows, start=1) if start <= day]
    assert len(governing) == 1
    assert not begun or governing == [max(begun)]


def test_candidates_are_taken_once() -> None:
    """A candidate given twice is decided once."""
    twice = Snapshot.of([*candidates(NYSP), *candidates(NYSP)], [verified(FIRST)])
    assert len(decide(alert(info()), twice, datetime(2026, 6, 1, tzinfo=UTC), reached={})) == 1

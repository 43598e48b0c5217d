"""Periods, lines and groups: what both sides compute alike from what each of them has."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest
from pydantic import ValidationError

from schemas.decisions import Lane
from schemas.ids import AgreementId, DeliveryId, uuid7
from schemas.reconciliation import (
    EVERYTHING,
    MOST_LINES,
    UNKNOWN,
    Line,
    MalformedLinesError,
    Period,
    day_of,
    read_lines,
    tallied,
)

DAY: Final = day_of(date(2026, 11, 21))
DIGEST: Final = "ab" * 32


def delivery(at: datetime, number: int = 0) -> DeliveryId:
    """Return a delivery id of an instant."""
    return DeliveryId(uuid7(at=at, randomness=number.to_bytes(10)))


def test_an_instant_is_of_one_day() -> None:
    """The last millisecond of a day is inside, whatever the id's other bits, and the first of the next is not."""
    first, end = DAY.bounds
    last = datetime(2026, 11, 21, 23, 59, 59, 999_000, tzinfo=UTC)
    assert first <= delivery(DAY.first) < end
    assert first <= uuid7(at=last, randomness=b"\xff" * 10) < end
    assert delivery(DAY.end) == end
    assert uuid7(at=DAY.first - timedelta(milliseconds=1), randomness=b"\xff" * 10) < first


def test_a_group_is_its_lines() -> None:
    """A group's digest is the SHA-256 of its lines as they are sent, and who sends them gets the same lines read."""
    name = (AgreementId("ca-qc.us-ny.crime-2008"), Lane.URGENT)
    lines = [Line(delivery(DAY.first, number), DIGEST if number else UNKNOWN) for number in range(3)]
    body = b"".join(line.written for line in lines)
    (group,) = tallied((name, line) for line in lines)
    assert (group.name, group.deliveries) == (name, 3)
    assert group.digest == f"sha-256:{hashlib.sha256(body).hexdigest()}"
    assert read_lines(body, DAY) == lines
    assert read_lines(b"", DAY) == []


def test_what_are_no_lines() -> None:
    """More lines than are compared at once, and anything that is not written in the one way, is refused."""
    line = Line(delivery(DAY.first), DIGEST).written
    many = b"".join(Line(delivery(DAY.first, number), UNKNOWN).written for number in range(MOST_LINES + 1))
    for body in (many, b"\n", line + b"\n", line.replace(b" ", b"  "), line.replace(b"\n", b"\r\n"), line.upper()):
        with pytest.raises(MalformedLinesError):
            read_lines(body, DAY)


def test_a_period_is_short() -> None:
    """Thirty-one days are a period, and a millisecond more is none."""
    Period.model_validate({"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"})
    with pytest.raises(ValidationError):
        Period.model_validate({"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00.001Z"})


def test_groups_are_told_apart() -> None:
    """Lines fall into their groups in any order of groups, and the groups come sorted."""
    one, two = (AgreementId("a.one"), Lane.ROUTINE), (AgreementId("b.two"), Lane.URGENT)
    lines = [Line(delivery(DAY.first, number), DIGEST) for number in range(2)]
    assert [group.name for group in tallied(zip((two, one), lines, strict=True))] == [one, two]
    assert [group.name for group in tallied((EVERYTHING, line) for line in lines)] == [EVERYTHING]

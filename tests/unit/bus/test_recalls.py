"""Recalls as records: what is written reads back, nothing else reads, and what each of them covers."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.contract import Record
from bus.headers import MalformedRecordError
from bus.recalls import MOST_AS_OF, read_recall, write_recall
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, JurisdictionCode
from schemas.parcels import Parcel, Recall
from tests.unit.bus.parcels import NOON, ORIGIN, parcel

PARCEL = replace(parcel(), as_of=7)
"""From Québec to New York, let out by the registry's state 7."""
RECALL = Recall(PARCEL.under.agreement, PARCEL.under.version, None, as_of=8, at=NOON)
NY, VT = JurisdictionCode("US-NY"), JurisdictionCode("US-VT")

recalls = st.builds(
    Recall,
    agreement=st.just(RECALL.agreement),
    version=st.none() | st.integers(1, 999_999_999),
    party=st.none() | st.sampled_from([NY, VT]),
    as_of=st.integers(0, MOST_AS_OF),
    at=st.just(NOON),
)


@given(recalls)
def test_a_recall_reads_back(recall: Recall) -> None:
    """A recall survives the bus unchanged, and what recalls the same has the same key."""
    record = write_recall(recall, origin=ORIGIN)
    assert read_recall(record) == recall
    assert write_recall(replace(recall, as_of=0), origin=ORIGIN).key == record.key
    assert record.topic == "lacolle.recalled"


def test_a_recall_holds_no_content() -> None:
    """Whoever reads the topic learns of agreements, and of no alert or participant."""
    said = orjson.loads(write_recall(RECALL, origin=ORIGIN).value)
    assert set(said) == {"agreement", "version", "party", "as_of", "at"}


@pytest.mark.parametrize(
    ("recall", "covers"),
    [
        (RECALL, True),
        (replace(RECALL, as_of=7), True),
        (replace(RECALL, as_of=6), False),
        (replace(RECALL, version=None), True),
        (replace(RECALL, version=3), False),
        (replace(RECALL, agreement=AgreementId("ca-qc.us-ny.other")), False),
        (replace(RECALL, party=NY), True),
        (replace(RECALL, party=JurisdictionCode("CA-QC")), True),
        (replace(RECALL, party=VT), False),
    ],
)
def test_what_a_recall_covers(recall: Recall, *, covers: bool) -> None:
    """It covers what was let out before it, or by the same registry, under its version and for its party."""
    assert recall.covers(PARCEL) is covers


def test_a_clause_is_no_matter() -> None:
    """Every clause of a version lapses with it."""
    under = PARCEL.under
    other: Parcel = replace(PARCEL, under=ClauseRef(under.agreement, under.version, "other"))
    assert RECALL.covers(other)


def _with(**members: object) -> bytes:
    return orjson.dumps({**orjson.loads(write_recall(RECALL, origin=ORIGIN).value), **members})


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"agreement": "a.b.c", "agreement": "a.b.c"}',
        _with(more=1),
        _with(version=0),
        _with(version=True),
        _with(version="1"),
        _with(agreement="*"),
        _with(party="us-ny"),
        _with(as_of=-1),
        _with(as_of=MOST_AS_OF + 1),
        _with(at="yesterday"),
    ],
)
def test_anything_else_is_malformed(value: bytes) -> None:
    """A value that the exchange never writes is refused, and not repeated in the error."""
    with pytest.raises(MalformedRecordError, match=r"^the value is not (strict JSON|a recall)$"):
        read_recall(replace(write_recall(RECALL, origin=ORIGIN), value=value))


def test_another_event_is_malformed() -> None:
    """Without its headers, or with another event's, a record is no recall, whatever its value says."""
    record: Record = write_recall(RECALL, origin=ORIGIN)
    with pytest.raises(MalformedRecordError):
        read_recall(replace(record, headers=()))
    with pytest.raises(MalformedRecordError):
        read_recall(replace(record, headers=tuple((n, b"x" if n == "ce_type" else v) for n, v in record.headers)))

"""Entries: their canonical bytes, their commitment, and what each kind must say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import Draft, canonical_entry, commitment, read_entry, time_text
from audit.errors import MalformedEntryError
from audit.kinds import KINDS, Kind
from schemas.ids import AgreementId, AlertId, JurisdictionCode, ParticipantId
from schemas.signing.canonical import PlainValue, canonical_bytes

TIME = "2026-01-17T19:05:09.123Z"
ALERT = AlertId("01890a5d-ac96-774b-bcce-b302099a8057")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=10,
)


def draft(**changes: Any) -> Draft:  # noqa: ANN401 - whatever the test changes
    """Give a draft of a routed alert."""
    members: dict[str, Any] = {
        "kind": Kind.ROUTED,
        "actor": ParticipantId("ca-qc.sq"),
        "jurisdictions": (JurisdictionCode("US-NY"), JurisdictionCode("CA-QC")),
        "alert_id": ALERT,
        "agreement": AgreementId("ca-qc.us-ny.crime-2008"),
        "content": {"delivery_id": ALERT, "recipient": "us-ny.nysp", "lane": "urgent", "clause": "a/1#b"},
    }
    return Draft(**(members | changes))


def test_the_canonical_bytes_are_written_out() -> None:
    """The entry document is the one object of the specification, in RFC 8785's order and spelling."""
    assert canonical_entry(draft(), index=5, time=TIME).decode() == (
        '{"actor":"ca-qc.sq","agreement":"ca-qc.us-ny.crime-2008","alert_id":"01890a5d-ac96-774b-bcce-b302099a8057",'
        '"content":{"clause":"a/1#b","delivery_id":"01890a5d-ac96-774b-bcce-b302099a8057","lane":"urgent",'
        '"recipient":"us-ny.nysp"},"index":5,"jurisdictions":["CA-QC","US-NY"],"kind":"routed",'
        '"time":"2026-01-17T19:05:09.123Z"}'
    )


@given(VALUES, st.integers(min_value=0, max_value=2**53 - 1))
def test_canonical_bytes_are_rfc_8785(value: PlainValue, index: int) -> None:
    """For any content the bytes are those of RFC 8785, and read back as they went in."""
    made = draft(kind=Kind.WITHHELD, content={"withheld": value})
    canonical = canonical_entry(made, index=index, time=TIME)
    entry = read_entry(canonical)
    assert canonical_bytes(entry.model_dump(mode="json")) == canonical
    assert (entry.index, entry.time, entry.kind, entry.actor) == (index, TIME, made.kind, made.actor)
    assert (entry.jurisdictions, entry.alert_id, entry.agreement) == (made.jurisdictions, made.alert_id, made.agreement)
    assert entry.content == {"withheld": value}


def test_the_commitment_is_to_salt_and_bytes() -> None:
    """The commitment is SHA-256 over the salt followed by the canonical bytes."""
    salt, canonical = bytes(range(32)), canonical_entry(draft(), index=0, time=TIME)
    assert commitment(salt, canonical) == sha256(salt + canonical).digest()


def test_parties_are_sorted_and_named_once() -> None:
    """However the parties are given, the entry names each once, in order."""
    twice = tuple(JurisdictionCode(code) for code in ("US-VT", "CA-QC", "US-VT", "CA"))
    assert draft(jurisdictions=twice).jurisdictions == ("CA", "CA-QC", "US-VT")


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_its_members(kind: Kind) -> None:
    """A kind is captioned in both languages; a draft without a required member, or with one too many, is refused."""
    rule = KINDS[kind]
    assert rule.caption.fr != rule.caption.en
    assert rule.required <= rule.allowed
    assert rule.parties
    for members in (rule.required, rule.allowed):
        draft(kind=kind, content=dict.fromkeys(members, "x"))
    with pytest.raises(ValueError, match="has no"):
        draft(kind=kind, content=dict.fromkeys([*rule.required, "stranger"], "x"))
    for missing in rule.required:
        with pytest.raises(ValueError, match="lacks"):
            draft(kind=kind, content=dict.fromkeys(rule.required - {missing}, "x"))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"index":5', b'"index":5.0'),
        (b'"index":5', b'"index":-5'),
        (b'"index":5', b'"index":"5"'),
        (b'"index":5', b'"index": 5'),
        (b'"index":5', b'"index":5,"index":5'),
        (b'"kind":"routed"', b'"kind":"rerouted"'),
        (b'"kind":"routed",', b""),
        (b'"kind":"routed"', b'"kind":"routed","more":1'),
        (b"09.123Z", b"09.123+00:00"),
        (b"09.123Z", b"09Z"),
        (b'"CA-QC","US-NY"', b'"ca-qc","US-NY"'),
        (b'"actor":"ca-qc.sq"', b'"actor":"sq"'),
        (b'"lane":"urgent"', b'"lane":"\\u0075rgent"'),
        (b"}", b"} "),
        (b'{"actor', b'["actor'),
        (b"urgent", b"urg\xffnt"),
    ],
)
def test_what_is_no_canonical_entry_is_refused(was: bytes, becomes: bytes) -> None:
    """Bytes that are not an entry's, or are another spelling of one, are refused."""
    canonical = canonical_entry(draft(), index=5, time=TIME)
    assert read_entry(canonical).index == 5
    spoilt = canonical.replace(was, becomes)
    assert spoilt != canonical
    with pytest.raises(MalformedEntryError):
        read_entry(spoilt)


def test_times_are_utc_to_the_millisecond() -> None:
    """Whatever zone an instant is given in, it is written in UTC; one without a zone is refused."""
    eastern = timezone(timedelta(hours=-5))
    assert time_text(datetime(2026, 1, 17, 14, 5, 9, 123999, tzinfo=eastern)) == TIME
    assert time_text(datetime(2026, 1, 17, 19, 5, 9, tzinfo=UTC)) == "2026-01-17T19:05:09.000Z"
    with pytest.raises(ValueError, match="time zone"):
        time_text(datetime(2026, 1, 17, 19, 5, 9))  # noqa: DTZ001 - that is the point

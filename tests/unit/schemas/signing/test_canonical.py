"""What we sign has one sequence of bytes, RFC 8785's, however fast it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.signing.canonical import NotCanonicalError, PlainValue, canonical_bytes, canonical_plain_bytes
from schemas.signing.strict_json import MAX_INTEGER, JsonValue

ASCII_NAMES = st.text(st.characters(max_codepoint=0x7F), max_size=8)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ASCII_NAMES, inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(ASCII_NAMES, PLAIN, max_size=6))
def test_the_fast_way_is_rfc_8785_byte_for_byte(value: dict[str, PlainValue]) -> None:
    """Over its whole domain the hot path's writer gives the very bytes of the reference."""
    assert canonical_plain_bytes(value) == rfc8785.dumps(value)


def test_every_ascii_character_is_written_alike() -> None:
    """Control characters, quotes and DEL, as name and as value, come out as RFC 8785 section 3.2.2.2 says."""
    value = {chr(code): chr(code) for code in range(0x80)}
    assert canonical_plain_bytes(value) == rfc8785.dumps(value)


def test_names_sort_as_utf_16() -> None:
    """The general writer orders names by UTF-16 code units (RFC 8785 section 3.2.3), where code points differ."""
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2, "a": 3}) == '{"a":3,"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "value", [MAX_INTEGER + 1, -MAX_INTEGER - 1, float("nan"), float("inf"), "\ud800", {"\ud800": 1}]
)
def test_what_has_no_canonical_form_is_refused(value: JsonValue) -> None:
    """Integers beyond ±(2^53-1), numbers that are not finite and lone surrogates are refused, without being shown."""
    with pytest.raises(NotCanonicalError) as refused:
        canonical_bytes([value])
    assert "9007" not in str(refused.value)


@pytest.mark.parametrize("value", [MAX_INTEGER + 1, "\ud800", datetime(2026, 1, 17, tzinfo=UTC), b"x", {1: 2}, {1, 2}])
def test_the_fast_way_refuses_what_is_not_plain(value: object) -> None:
    """Nothing but text, integers, truth values, null, lists and objects is written."""
    with pytest.raises(NotCanonicalError):
        canonical_plain_bytes(cast("Mapping[str, PlainValue]", {"a": value}))

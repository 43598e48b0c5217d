"""The door refuses what readers could understand differently, and says why and where."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.signing import strict_json
from schemas.signing.strict_json import MAX_INTEGER, JsonError, JsonValue, escaped, parse_json

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def refusal(data: bytes, *, max_depth: int = 32) -> JsonError:
    """Return the error that a text is refused with."""
    with pytest.raises(JsonError) as refused:
        parse_json(data, max_depth=max_depth)
    return refused.value


@settings(deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_python_writes_is_read_back(value: JsonValue, ascii_only: bool, indent: str | int | None) -> None:  # noqa: FBT001 - hypothesis gives it
    """Every value of the domain comes back the same, however it was written."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    read = parse_json(text.encode())
    assert read == value
    assert json.dumps(read) == json.dumps(value)


@settings(deadline=None)
@given(st.text(alphabet='{}[]:,"\\ua0123456789.eE+- \n', max_size=40))
def test_where_it_accepts_it_agrees_with_the_standard_library(text: str) -> None:
    """Nothing is accepted that ``json`` refuses, and nothing is read otherwise than ``json`` reads it."""
    try:
        value = parse_json(text.encode())
    except JsonError:
        return
    assert json.dumps(value) == json.dumps(json.loads(text))


@settings(deadline=None)
@given(VALUES)
def test_the_two_readings_agree(value: JsonValue) -> None:
    """The examination of a text gives the very value that the fast reading gives."""
    data = json.dumps(value).encode()
    assert json.dumps(strict_json._examined(data, 32)) == json.dumps(parse_json(data))


@settings(deadline=None)
@given(st.dictionaries(TEXT, SCALARS, min_size=1, max_size=5), st.data())
def test_equal_names_are_always_found(members: dict[str, JsonValue], data: st.DataObject) -> None:
    """An object with one of its names written twice is refused at that name, escapes and colons or not."""
    name = data.draw(st.sampled_from(sorted(members)))
    pairs = data.draw(st.permutations([*members.items(), (name, data.draw(SCALARS))]))
    spelt = escaped_throughout if data.draw(st.booleans()) else json.dumps
    text = "{" + ",".join(f"{spelt(key)}:{json.dumps(value)}" for key, value in pairs) + "}"
    assert refusal(text.encode()).pointer == escaped(name)


def escaped_throughout(text: str) -> str:
    """Write a string with every character escaped."""
    units = text.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) + '"'


@pytest.mark.parametrize(
    ("text", "pointer", "word"),
    [
        (b'{"a":1,"a":1}', "/a", "twice"),
        (b'{"x":[0,{"a/b~":1,"a/b~":2}]}', "/x/1/a~1b~0", "twice"),
        (b'{"a":"\\u003a","a":":"}', "/a", "twice"),
        (b'{"a":":","a":"\\u003A"}', "/a", "twice"),
        (b'{"a":"","\\u0061":1}', "/a", "twice"),
        (b'{"a":{"a":1,"a":2},"a":3}', "/a", "twice"),
        (b"[9007199254740992]", "/0", "integer"),
        (b"[0,-9007199254740992]", "/1", "integer"),
        (b'{"n":100000000000000000000}', "/n", "integer"),
        (b"[1e999]", "/0", "finite"),
        (b"[-1e999]", "/0", "finite"),
        (b"[NaN]", "/0", "finite"),
        (b'{"a":Infinity}', "/a", "finite"),
        (b"[-Infinity]", "/0", "finite"),
        (b'["\\ud800"]', "/0", "surrogate"),
        (b'["\\udc00\\ud800"]', "/0", "surrogate"),
        (b'{"\\ud800":1}', "", "surrogate"),
        (b'{"a":"x\\u0000"}', "/a", "NUL"),
        (b'{"a":{"\\u0000":1}}', "/a", "NUL"),
        (b'"\x00"', None, "not JSON"),
        (b"1\x00", None, "not JSON"),
        (b"\xef\xbb\xbf1", None, "byte order mark"),
        (b"\xff\xfe1\x00", None, "UTF-8"),
        (b'"\xed\xa0\x80"', None, "UTF-8"),
        (b'"\xc0\x80"', None, "UTF-8"),
        (b"", None, "not JSON"),
        (b"{'a':1}", None, "not JSON"),
        (b"[1,]", None, "column"),
        (b"1 2", None, "column"),
        (b"// c\n1", None, "not JSON"),
    ],
)
def test_each_refusal_says_why_and_where(text: bytes, pointer: str | None, word: str) -> None:
    """A refusal carries its reason and, where the text could be read that far, its pointer."""
    error = refusal(text)
    assert word in error.reason.en
    assert error.pointer == pointer


@pytest.mark.parametrize(
    "text", [b'{"a":"secret","a":2}', b'["secret\\ud800"]', b'"secret', b"secret", b'{"a":"secret\\u0000"}']
)
def test_no_refusal_repeats_content(text: bytes) -> None:
    """The reason never shows what was sent."""
    reason = refusal(text).reason
    assert "secret" not in reason.fr + reason.en


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9007199254740991", MAX_INTEGER),
        (b"-9007199254740991", -MAX_INTEGER),
        (b"1e20", 1e20),
        (b"9007199254740993.0", 9007199254740992.0),
        (b"1e-999", 0.0),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'{"\\u003a":"\\u003a"}', {":": ":"}),
        (b'{"":{"":0}}', {"": {"": 0}}),
        (b"\t\r\n [ ] ", []),
    ],
)
def test_unusual_but_sound_texts_are_read(text: bytes, value: JsonValue) -> None:
    """What only looks suspicious is accepted."""
    assert parse_json(text) == value


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_counts_nested_arrays_and_objects(opening: bytes, closing: bytes) -> None:
    """As many levels as allowed are read; one more is refused."""
    inner = b"0"
    assert parse_json(opening * 32 + inner + closing * 32)
    assert "deep" in refusal(opening * 33 + inner + closing * 33).reason.en
    assert parse_json(opening + inner + closing, max_depth=1)
    assert "deep" in refusal(opening * 2 + inner + closing * 2, max_depth=1).reason.en


def test_depth_is_not_fooled_by_what_is_dropped_or_quoted() -> None:
    """Nesting under a name that occurs twice counts; brackets inside strings do not."""
    deep = b"[" * 900 + b"]" * 900
    assert "deep" in refusal(b'{"a":' + deep + b',"a":1}').reason.en
    assert parse_json(b'["' + b"[" * 100 + b'\\"[","\\u003a"]') == ["[" * 100 + '"[', ":"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[" * 2_097_152, id="brackets"),
        pytest.param(b'{"a":' * 400_000, id="objects"),
        pytest.param(b"1" * 2_000_000, id="integer"),
        pytest.param(b"[0." + b"7" * 2_000_000 + b",]", id="fraction"),
        pytest.param(b"1e" + b"9" * 2_000_000, id="exponent"),
        pytest.param(b'"' + b'\\"' * 1_000_000, id="open-string"),
        pytest.param(b'"' * 2_000_000, id="quotes"),
        pytest.param(b'{"a":0,"a":' + b"[" * 1_000_000, id="dropped-member"),
        pytest.param(b"[" + b'"\\u0000",' * 200_000 + b"0]", id="nul-strings"),
    ],
)
def test_hostile_megabytes_are_refused_in_linear_time(text: bytes) -> None:
    """Two megabytes made to hurt are refused within two seconds of CPU time, and the stack holds."""
    before = time.process_time()
    refusal(text)
    assert time.process_time() - before < 2


def test_floats_keep_their_sign_and_value() -> None:
    """Negative zero and the smallest double come through as they are."""
    zero, small = parse_json(b"[-0.0,5e-324]"), 5e-324
    assert isinstance(zero, list)
    assert isinstance(zero[0], float)
    assert math.copysign(1, zero[0]) == -1
    assert zero[1] == small

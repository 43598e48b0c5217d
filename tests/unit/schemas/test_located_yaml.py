"""YAML means what JSON would, refuses what surprises, and every complaint names file, line, place and reason."""

from __future__ import annotations

import json
import math
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.located_yaml import LocatedDocument, YamlError, errors_of, load_yaml, path_text
from schemas.signing.strict_json import MAX_INTEGER, JsonValue

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)

DOCUMENT = """\
# a comment
listen: {host: localhost, port: 8443}
partners:
  - name: us-ny.nysp

    formats:
      - native
      - cap
  - name: us-vt.vsp
    formats: []
"""


def loaded(text: str) -> LocatedDocument:
    """Load a text under a file's name."""
    return load_yaml(text, file="exchange.yaml")


def refusal(text: str) -> YamlError:
    """Return the error that a text is refused with."""
    with pytest.raises(YamlError) as refused:
        loaded(text)
    return refused.value


@settings(deadline=None)
@given(VALUES)
def test_json_is_yaml(value: JsonValue) -> None:
    """Whatever JSON says, the same text says here."""
    text = json.dumps(value, ensure_ascii=False)
    assert json.dumps(loaded(text).value) == json.dumps(value)


@settings(deadline=None)
@given(st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)))
def test_what_another_writer_quotes_is_read_back(value: JsonValue) -> None:
    """Block style with every text quoted comes back the same."""
    text = yaml.safe_dump(value, default_style='"', default_flow_style=False, allow_unicode=True)
    assert loaded(text).value == value


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("2026-01-17", "2026-01-17"),
        ("2026-01-17T14:05:09Z", "2026-01-17T14:05:09Z"),
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("+1", "+1"),
        (".5", ".5"),
        ("1.", "1."),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-0", 0),
        ("15", 15),
        (str(-MAX_INTEGER), -MAX_INTEGER),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_a_plain_scalar_is_what_json_would_read_and_else_text(scalar: str, value: JsonValue) -> None:
    """No date, no yes or no, no octal, no sexagesimal: only JSON's own constants and numbers are not text."""
    read = loaded(f"a: {scalar}").value
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value)


def test_keys_are_always_text() -> None:
    """A number or a constant as a key is its text, as in JSON."""
    assert loaded("1: a\nnull: b\ntrue: c\n3.10: d\n").value == {"1": "a", "null": "b", "true": "c", "3.10": "d"}


def test_negative_zero_keeps_its_sign() -> None:
    """A float is read as JSON reads it."""
    value = loaded("-0.0").value
    assert isinstance(value, float)
    assert math.copysign(1, value) == -1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("listen",), 2),
        (("listen", "port"), 2),
        (("partners", 0), 4),
        (("partners", 0, "formats"), 6),
        (("partners", 0, "formats", 1), 8),
        (("partners", 1, "name"), 9),
        (("partners", 1, "missing"), 9),
        (("partners", 7), 3),
        (("nowhere", 0, "x"), 2),
    ],
)
def test_every_value_knows_its_line(path: tuple[str | int, ...], line: int) -> None:
    """A member's line is its key's, an item's its own; what is missing has the line of what should hold it."""
    assert loaded(DOCUMENT).line_of(path) == line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "exchange.yaml:4: b.c: This key occurs twice."),
        ('a: 1\n"a": 2\n', "exchange.yaml:2: a: This key occurs twice."),
        ("1: a\n'1': b\n", "exchange.yaml:2: 1: This key occurs twice."),
        ("a: &x 1\n", "exchange.yaml:1: a: Anchors"),
        ("a: [1]\nb: *x\n", "exchange.yaml:2: b: Anchors"),
        ("&k a: 1\n", "exchange.yaml:1: Anchors"),
        ("- &x\n", "exchange.yaml:1: [0]: Anchors"),
        ("a: {b: 1}\n<<: {c: 2}\n", "exchange.yaml:2: The merge key"),
        ("a:\n  - !!int '5'\n", "exchange.yaml:2: a[0]: Tags"),
        ("!!python/object:os.system x\n", "exchange.yaml:1: Tags"),
        ("a: ! 5\n", "exchange.yaml:1: a: Tags"),
        ("a: !mine {b: 1}\n", "exchange.yaml:1: a: Tags"),
        ("!!str a: 1\n", "exchange.yaml:1: Tags"),
        ("a: 1\n---\nb: 2\n", "exchange.yaml:2: There must be one document"),
        ("? [a]\n: 1\n", "exchange.yaml:1: A member's key"),
        ("a: 9007199254740992\n", "exchange.yaml:1: a: This number is too large"),
        ("a: " + "9" * 5000, "exchange.yaml:1: a: This number is too large"),
        ("a: -1e999\n", "exchange.yaml:1: a: This number is too large"),
        ('a: "x\\0"\n', "exchange.yaml:1: a: This text contains the character NUL"),
        ('"\\0": 1\n', "exchange.yaml:1: This text contains the character NUL"),
        ('a: "\\ud800"\n', "exchange.yaml:1: This is not valid YAML"),
        ("é: 1\nb: \x07\n", "exchange.yaml:2: This is not valid YAML"),
        ("a: b: c\n", "exchange.yaml:1: This is not valid YAML"),
        ("a:\n\t- b\n", "exchange.yaml:2: This is not valid YAML"),
        ("a: [1, 2\nb: 3\n", "exchange.yaml:2: This is not valid YAML"),
        ("%YAML 3.0\n---\na: 1\n", "exchange.yaml:1: This is not valid YAML"),
    ],
)
def test_every_refusal_names_file_line_place_and_reason(text: str, complaint: str) -> None:
    """What is refused is refused where it stands."""
    assert str(refusal(text)).startswith(complaint)


def test_a_refusal_is_told_in_french_too() -> None:
    """The same place, in the other language."""
    assert refusal("a: 1\na: 2").in_language("fr") == "exchange.yaml:2: a: Cette clé figure deux fois."


def test_depth_is_bounded() -> None:
    """Thirty-two levels are read, one more is refused, and a hostile file does not overflow the stack."""
    assert loaded("[" * 32 + "]" * 32).value
    for levels in (33, 50_000):
        assert "deep" in refusal("[" * levels + "]" * levels).reason.en
    assert "deep" in refusal("".join("  " * level + "a:\n" for level in range(40))).reason.en


def test_an_empty_file_is_null() -> None:
    """A file with nothing in it is read, and says nothing; whoever needs something says so."""
    for text in ("", "# only a comment\n", "---\n", "\n\n"):
        assert loaded(text).value is None
    assert loaded("").line_of(("a",)) == 1


class Actual(BaseModel):
    """One kind of condition."""

    kind: Literal["status"]
    values: list[Literal["Actual", "Exercise"]]


class Ceiling(BaseModel):
    """Another kind of condition."""

    kind: Literal["tlp"]
    ceiling: str


class Grant(BaseModel):
    """What a document may hold."""

    model_config = ConfigDict(strict=True, extra="forbid")

    conditions: list[Annotated[Actual | Ceiling, Field(discriminator="kind")]]
    lane: Literal["urgent", "routine"]
    port: Annotated[int, Field(le=65_535)] = 443


def test_a_models_complaints_are_located() -> None:
    """Each fault of a model gets its line and path, without pydantic's own tags, and without the value."""
    document = loaded(
        "conditions:\n"
        "  - kind: status\n"
        "    values: [secret]\n"
        "  - kind: tlp\n"
        "  - kind: secret\n"
        "port: 70000\n"
        "secret: secret\n"
    )
    with pytest.raises(ValidationError) as refused:
        Grant.model_validate(document.value)
    assert [str(error) for error in errors_of(document, refused.value)] == [
        "exchange.yaml:3: conditions[0].values[0]: Allowed values: Actual or Exercise.",
        "exchange.yaml:4: conditions[1].ceiling: This member is required.",
        "exchange.yaml:5: conditions[2]: There is no such type of object here. Allowed types: status, tlp.",
        "exchange.yaml:1: lane: This member is required.",
        "exchange.yaml:6: port: This number must be at most 65535.",
        "exchange.yaml:7: secret: This member is not allowed here.",
    ]


def test_a_complaint_about_the_whole_document_has_no_path() -> None:
    """A list where an object belongs is told of the document itself."""
    document = loaded("- 1\n")
    with pytest.raises(ValidationError) as refused:
        Grant.model_validate(document.value)
    assert [str(error) for error in errors_of(document, refused.value)] == ["exchange.yaml:1: This must be an object."]


def test_a_path_is_written_as_people_write_it() -> None:
    """Members after a dot, positions in brackets."""
    assert path_text(("grants", 0, "conditions", 12, "in")) == "grants[0].conditions[12].in"
    assert path_text((3, "a")) == "[3].a"

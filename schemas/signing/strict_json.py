"""The one strict parse at the door: JSON that means the same to every reader (RFC 8259, RFC 7493, WIRE "Signatures").

Refused: bytes that are not UTF-8, a byte order mark, two equal names in one object, NaN and Infinity, integers outside
±(2^53-1), numbers no double can hold, lone surrogates, NUL, and nesting deeper than ``max_depth``.

Two readings. orjson reads fast but keeps the last of two equal names and turns a huge integer into a float, so its
value is accepted only where nothing of that kind can have happened. All else, valid or not, is *examined*: read by
the standard library with every member kept, then walked with the place at hand. Only the examination refuses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from schemas.bilingual import Bilingual

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
"""What a JSON text says. Objects keep the order of their members."""

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every reader takes as the same number (RFC 7493 section 2.2)."""


class JsonError(Exception):
    """The text is not JSON, or not JSON that every reader understands alike.

    ``reason`` says why without repeating content; ``pointer`` is the place (RFC 6901) where it is known.
    """

    def __init__(self, reason: Bilingual, pointer: str | None = None) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.pointer = pointer


def parse_json(data: bytes, *, max_depth: int = 32) -> JsonValue:
    """Return what a JSON text in UTF-8 says; ``max_depth`` bounds how many arrays and objects may be nested.

    Raises ``JsonError`` for every text that the module refuses, and nothing else.
    """
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        _examined(data, max_depth)
        raise JsonError(_NOT_JSON) from None
    if _means_one_thing(data, value, max_depth):
        return value
    return _examined(data, max_depth)


def escaped(name: str | int) -> str:
    """Return one reference token of a JSON Pointer, with its slash (RFC 6901 section 3)."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


def _means_one_thing(data: bytes, value: JsonValue, max_depth: int) -> bool:
    """Whether orjson's value is beyond doubt what the text says.

    Every member has one colon, and a colon of a string stands for itself unless it is written as an escape. So a
    value written out again has fewer colons than its text exactly where members were dropped: equal names.
    """
    if not _within_bounds((value,), max_depth + 1):
        return False
    if b"\\u00" in data and _ESCAPE_TO_EXAMINE.search(data):
        return False
    return data.count(b":") == orjson.dumps(value).count(b":")


_ESCAPE_TO_EXAMINE: Final = re.compile(rb"\\u00(?:3[aA]|00)")


def _within_bounds(items: Iterable[JsonValue], room: int) -> bool:
    if not room:
        return False
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict:
            if not _within_bounds(item.values(), room - 1):  # type: ignore[union-attr]  # kind says it is a dict
                return False
        elif kind is list:
            if not _within_bounds(item, room - 1):  # type: ignore[arg-type]  # kind says it is a list
                return False
        elif (kind is int or kind is float) and not -MAX_INTEGER <= item <= MAX_INTEGER:  # type: ignore[operator]  # kind says it is a number
            return False
    return True


def _examined(data: bytes, max_depth: int) -> JsonValue:
    text = _decoded(data)
    if _nesting_exceeds(text, max_depth):
        raise JsonError(Bilingual(fr="Ce JSON est imbriqué trop profondément.", en="This JSON is nested too deeply."))
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(
            Bilingual(
                fr=f"Ce texte n'est pas du JSON (ligne {error.lineno}, colonne {error.colno}).",
                en=f"This text is not JSON (line {error.lineno}, column {error.colno}).",
            )
        ) from None
    _refuse_faults(value, "")
    return value  # type: ignore[no-any-return]  # the decoder's hooks make JsonValue, once no flaw is left


def _decoded(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise JsonError(
            Bilingual(fr="Ce texte commence par un indicateur BOM.", en="This text begins with a byte order mark.")
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise JsonError(
            Bilingual(fr="Ce texte n'est pas de l'UTF-8 valide.", en="This text is not valid UTF-8.")
        ) from None


def _nesting_exceeds(text: str, max_depth: int) -> bool:
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            return True
    return False


_BRACKET: Final = re.compile(r"[\[\]{}]")
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, closed or not: that an open one matches too keeps the search linear."""


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the examined value where something must be refused."""

    reason: Bilingual


_NOT_JSON: Final = Bilingual(fr="Ce texte n'est pas du JSON.", en="This text is not JSON.")
_TWICE: Final = _Flaw(
    Bilingual(fr="Ce membre figure deux fois dans le même objet.", en="This member occurs twice in the same object.")
)
_INTEGER: Final = _Flaw(
    Bilingual(
        fr="Cet entier dépasse ±(2^53-1), ce que tout lecteur JSON comprend.",
        en="This integer is beyond ±(2^53-1), which every JSON reader understands.",
    )
)
_NOT_FINITE: Final = _Flaw(
    Bilingual(fr="Ce nombre n'est pas un nombre fini.", en="This number is not a finite number.")
)
_SURROGATE: Final = Bilingual(
    fr="Ce texte contient un demi-codet isolé, qui n'est pas de l'Unicode.",
    en="This text contains a lone surrogate, which is not Unicode.",
)
_NUL: Final = Bilingual(fr="Ce texte contient le caractère NUL.", en="This text contains the character NUL.")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = _TWICE
            seen.add(name)
    return members


def _integer(digits: str) -> int | _Flaw:
    # Seventeen characters hold a sign and every integer in range; int() is quadratic in the digits it is given.
    if len(digits) > 17:  # noqa: PLR2004 - explained above
        return _INTEGER
    value = int(digits)
    return value if -MAX_INTEGER <= value <= MAX_INTEGER else _INTEGER


def _real(digits: str) -> float | _Flaw:
    value = float(digits)
    return value if math.isfinite(value) else _NOT_FINITE


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=lambda _: _NOT_FINITE
)


def _refuse_faults(value: object, pointer: str) -> None:
    match value:
        case _Flaw(reason):
            raise JsonError(reason, pointer)
        case str():
            _refuse_characters(value, pointer)
        case list():
            for index, item in enumerate(value):
                _refuse_faults(item, f"{pointer}/{index}")
        case dict():
            for name, item in value.items():
                _refuse_characters(name, pointer)
                _refuse_faults(item, pointer + escaped(name))
        case _:
            pass


def _refuse_characters(text: str, pointer: str) -> None:
    if _SURROGATES.search(text):
        raise JsonError(_SURROGATE, pointer)
    if "\x00" in text:
        raise JsonError(_NUL, pointer)


_SURROGATES: Final = re.compile("[\ud800-\udfff]")

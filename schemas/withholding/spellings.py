"""Texts as the search compares them: folded to bare words, and read through the encodings that hide a word from no one.

Folding: compatibility forms, case, accents, invisible characters and punctuation are dropped (Unicode NFKD and full
case folding), so that ``MARCHAND-ROY, Léa`` is ``marchand roy lea``. Reading: percent-encoding, HTML and JSON escapes,
base64 in both alphabets from any of its characters on, hexadecimal with or without separators; two levels deep.
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

LEVELS: Final = 2
"""How many encodings around one another are read through."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text, as folded words with single spaces between.

    ``plain`` is false for what looks like a file's bytes: chance makes short words and long runs of letters in it.
    """

    words: str
    plain: bool

    @property
    def squeezed(self) -> str:
        """The words without what parts them."""
        return self.words.replace(" ", "")


def folded(text: str) -> str:
    """Return the words of a text, folded, with single spaces between."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = _INVISIBLE.sub("", text.translate(_LETTERS))
    return " ".join(_WORD.findall(text.lower()))


def readings(text: str) -> tuple[Reading, ...]:
    """Return every reading of a text, itself first."""
    found = {Reading(folded(text), plain=True): None}
    for decoded, plain in _decodings(text, LEVELS):
        found[Reading(folded(decoded), plain)] = None
    return tuple(found)


def _decodings(text: str, levels: int) -> Iterator[tuple[str, bool]]:
    if not levels:
        return
    for decoded, plain in (*_escapes(text), *_runs(text)):
        yield decoded, plain
        if plain:
            yield from _decodings(decoded, levels - 1)


def _escapes(text: str) -> Iterator[tuple[str, bool]]:
    for mark, decode in (("%", unquote), ("&", html.unescape), ("\\", _without_backslashes)):
        if mark in text:
            decoded = decode(text)
            if decoded != text:
                yield decoded, True


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    joined = text.replace("\r", "").replace("\n", "")
    for run in _BASE64.findall(joined):
        standard = run.replace("-", "+").replace("_", "/")
        for start in range(4):
            yield from _texts(_from_base64(standard[start:]))
    for run in _HEXADECIMAL.findall(joined):
        digits = re.sub("[^0-9A-Fa-f]", "", run)
        for start in range(2):
            yield from _texts(bytes.fromhex(digits[start : len(digits) - (len(digits) - start) % 2]))


def _from_base64(text: str) -> bytes:
    """Return the bytes of as many characters as make whole bytes."""
    usable = len(text) - 1 if len(text) % 4 == 1 else len(text)
    return binascii.a2b_base64(text[:usable] + "=" * (-usable % 4))


def _texts(data: bytes) -> Iterator[tuple[str, bool]]:
    """Yield what bytes say: one text where they are printable, else what can be picked out of them."""
    data = data.replace(b"\x00", b"")  # of UTF-16
    if not data:
        return
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield data.decode(errors="replace"), False
        text = data.decode("latin-1")
    yield text, all(character.isprintable() or character.isspace() for character in text)


def _without_backslashes(text: str) -> str:
    """Return a text with the escapes of JSON and JavaScript resolved (RFC 8259 section 7), and others dropped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else " ", text)


_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u0300-\u036f\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]"
)
"""Combining marks of Latin, Greek and Cyrillic, and characters that leave no trace on paper."""
_LETTERS: Final = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "\u0131": "i"}
)
"""Letters that no normalisation takes apart and that every registry spells in its own way."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[ :-]?[0-9A-Fa-f]{2}){2,}")

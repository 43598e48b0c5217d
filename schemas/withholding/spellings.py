"""Texts as the search compares them: folded to bare words, and read through the encodings that hide a word from no one.

Folding: compatibility forms, case, accents, invisible characters and punctuation are dropped (Unicode NFKD and full
case folding), so that ``MARCHAND-ROY, Léa`` is ``marchand roy lea``. Reading: percent-encoding, HTML and JSON escapes,
base64 in both alphabets from any of its characters on, hexadecimal with separators, prefixes or neither; two levels
deep.
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
    """Yield what a text says in other encodings, and whether that is plain text, which may be encoded in its turn."""
    if not levels:
        return
    plain = dict.fromkeys(_escapes(text))
    for runs in _binary(text):
        plain.update(dict.fromkeys(run for run in map(_printable, runs) if run is not None))
        data = b"\n".join(runs)
        yield data.decode(errors="replace"), False
        if not data.isascii():
            yield data.decode("latin-1"), False
    for decoded in plain:
        yield decoded, True
        yield from _decodings(decoded, levels - 1)


def _escapes(text: str) -> Iterator[str]:
    for mark, decode in (("%", unquote), ("&", html.unescape), ("\\", _without_backslashes)):
        if mark in text:
            decoded = decode(text)
            if decoded != text:
                yield decoded


def _binary(text: str) -> Iterator[list[bytes]]:
    """Yield the bytes of all runs of base64 or hexadecimal in a text, once for each character they may begin at.

    The zeros of UTF-16 are dropped.
    """
    joined = text.replace("\r", "").replace("\n", "")
    encoded = [run.replace("-", "+").replace("_", "/") for run in _BASE64.findall(joined)]
    digits = [_NOT_HEXADECIMAL.sub("", run) for run in _HEXADECIMAL.findall(joined)]
    if encoded:
        yield from ([_from_base64(run[start:]).replace(b"\x00", b"") for run in encoded] for start in range(4))
    if digits:
        yield from ([_from_hexadecimal(run[start:]).replace(b"\x00", b"") for run in digits] for start in range(2))


def _from_base64(text: str) -> bytes:
    """Return the bytes of as many characters as make whole bytes."""
    usable = text[:-1] if len(text) % 4 == 1 else text
    return binascii.a2b_base64(usable + "=" * (-len(usable) % 4))


def _from_hexadecimal(text: str) -> bytes:
    return bytes.fromhex(text[:-1] if len(text) % 2 else text)


def _printable(data: bytes) -> str | None:
    """Return the text that bytes are from end to end, if they are one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text and _UNPRINTABLE.search(text) is None else None


def _without_backslashes(text: str) -> str:
    """Return a text with the escapes of JSON and JavaScript resolved (RFC 8259 section 7), and others dropped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else " ", text)


_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u0300-\u036f\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\U000e0100-\U000e01ef]"
)
"""Combining marks of Latin, Greek and Cyrillic, and characters that leave no trace on paper."""
_LETTERS: Final = str.maketrans(
    {
        "ø": "o",
        "æ": "ae",
        "œ": "oe",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "\u0131": "i",
        **{chr(0xE0000 + code): chr(code) for code in range(0x20, 0x7F)},
        **{chr(0x1F1E6 + place): letter for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz")},
    }
)
"""Letters that no normalisation takes apart and that every registry spells in its own way; tags (U+E0020 on), which
nobody sees, and regional indicators, which look like flags.
"""
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_NOT_HEXADECIMAL: Final = re.compile("0[xX]|[^0-9A-Fa-f]")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[ :=,;-]{0,2}(?:0[xX]|[uU]\+)?[0-9A-Fa-f]{2}){2,}")
"""Quoted-printable among others, ``0x4d, 0x61`` and ``U+004D U+0061``."""

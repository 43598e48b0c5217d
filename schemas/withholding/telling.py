"""Which withheld values give away what was withheld when they stand elsewhere, and in which spellings.

The line, from the surest to the least:

* a text of ``LEAST`` letters and digits or more, and a number of as many digits, tell wherever they stand, inside words
  too; a telephone number also without its country and area;
* a shorter text tells as a word of its own if it is written with a capital or marked ``identifying``, as ``Roy`` is;
* of a marked text of two to four words, each word of ``LEAST`` letters tells as a word of its own, as does every order
  of the words: ``Marchand`` of ``Marchand-Roy``, ``hépatite`` of ``Hépatite A``;
* a date tells in every usual spelling, without its year too;
* a value of a closed list tells in prose only where it is marked ``health``, as a word of its own;
* anything else (an age, a sex, a colour of eyes) is too common to tell in prose, and tells only as the whole value of a
  member of the same name. ``unknown`` and its like, true, false, and codes of jurisdictions never tell.

The date of the alert's own sending tells nothing, unless it is marked. A translation, a synonym, a nickname, a part
of a sentence are beyond any search: an agreement that fears them withholds the prose itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import permutations
from typing import Final, TypeVar

from schemas.decisions import ClauseRef
from schemas.withholding.dates import digits_of, phrases_of, read_date, read_instant
from schemas.withholding.shapes import Leaf
from schemas.withholding.spellings import folded

LEAST: Final = 5
"""How many letters and digits tell by themselves."""

MOST_COMPARED: Final = 256
"""How many characters of a long value are looked for: whoever copied all of it copied these."""

_DULL: Final = frozenset({"", "unknown", "other", "none", "yes", "no", "inconnu", "autre", "aucun", "oui", "non"})
_LABELS: Final = frozenset({"valueName", "mimeType"})
"""Members that say what another one is and nothing of a person."""
_DENSE: Final = "\u2e80"
"""From here on, scripts write a word in a character or two, and no spaces."""


@dataclass(slots=True)
class Tells:
    """What to look for, each with the first clause that withholds it.

    ``anywhere`` are letters and digits without what parts them; ``phrases`` are folded words; ``members`` are values
    by the name of their member; ``days`` and ``instants`` are for members that are nothing but a date or a time.
    """

    own_day: date | None
    anywhere: dict[str, ClauseRef] = field(default_factory=dict)
    apart: dict[str, ClauseRef] = field(default_factory=dict)
    phrases: dict[str, ClauseRef] = field(default_factory=dict)
    members: dict[tuple[str, str], ClauseRef] = field(default_factory=dict)
    days: dict[date, ClauseRef] = field(default_factory=dict)
    instants: dict[datetime, ClauseRef] = field(default_factory=dict)

    def add(self, leaf: Leaf, under: ClauseRef) -> None:
        """Take in a value that a clause withholds."""
        match leaf.value:
            case _ if leaf.name in _LABELS:
                return
            case bool() | None:
                return
            case str() as text if (day := read_date(text)) is not None:
                self._date(day, text, under, marked=bool(leaf.shape.marks))
            case str() as text if leaf.shape.is_closed(text):
                self._closed(leaf, text, under)
            case str() as text:
                self._text(folded(text), text, under, marks=leaf.shape.marks)
            case number:
                if sum(map(str.isdigit, str(number))) >= LEAST:
                    self._anywhere(folded(str(number)), under)
        self._member(leaf, under)

    def _member(self, leaf: Leaf, under: ClauseRef) -> None:
        key = member_key(leaf)
        if key is not None:
            _first(self.members, key, under)

    def _date(self, day: date, text: str, under: ClauseRef, *, marked: bool) -> None:
        instant = read_instant(text)
        if instant is not None:
            _first(self.instants, instant, under)
        if day == self.own_day and not marked:
            return
        if instant is None or marked:
            _first(self.days, day, under)
        for digits in digits_of(day):
            _first(self.anywhere, digits, under)
        for phrase in phrases_of(day):
            _first(self.phrases, phrase, under)

    def _closed(self, leaf: Leaf, text: str, under: ClauseRef) -> None:
        words = folded(text)
        if "health" in leaf.shape.marks and words not in _DULL and leaf.shape.code is None and len(words) >= LEAST:
            _first(self.phrases, words, under)

    def _text(self, words: str, text: str, under: ClauseRef, *, marks: frozenset[str]) -> None:
        parts = words.split(" ")
        squeezed = "".join(parts)
        if words in _DULL:
            return
        if len(squeezed) >= LEAST or (len(squeezed) > 1 and max(squeezed) >= _DENSE):
            self._anywhere(words, under)
        elif len(squeezed) > 1 and (text != text.lower() or ("identifying" in marks and len(squeezed) > 2)):  # noqa: PLR2004 - two small letters are an article in every language
            _first(self.phrases, words, under)
        if 1 < len(parts) <= _FEW_WORDS:
            self._parts(parts, under, marked=bool(marks))
        if squeezed.isdigit() and len(squeezed) >= _WITH_AREA:
            self._anywhere(squeezed[-_WITH_AREA:], under)
            self._anywhere(squeezed[-_LOCAL:], under)

    def _parts(self, parts: list[str], under: ClauseRef, *, marked: bool) -> None:
        for order in permutations(parts):
            if len("".join(order)) >= LEAST:
                self._anywhere(" ".join(order), under)
            else:
                _first(self.phrases, " ".join(order), under)
        for part in parts if marked else ():
            if len(part) >= LEAST and not part.isdigit():
                _first(self.phrases, part, under)

    def _anywhere(self, words: str, under: ClauseRef) -> None:
        _first(self.anywhere, words.replace(" ", "")[:MOST_COMPARED], under)
        _first(self.apart, words[:MOST_COMPARED].rstrip(" "), under)


_Key = TypeVar("_Key")
_FEW_WORDS: Final = 4
_WITH_AREA: Final = 10
_LOCAL: Final = 7
"""The digits of a North American telephone number, with and without its area."""


def member_key(leaf: Leaf) -> tuple[str, str] | None:
    """Return a scalar's name and value as members are compared; None for what never tells."""
    match leaf.value:
        case bool() | None:
            return None
        case str() as text if leaf.shape.code is not None and leaf.shape.is_closed(text):
            return None
        case str() as text if len(text) > MOST_COMPARED:
            return None  # it is found as a text
        case str() as text:
            words = folded(text)
            return None if words in _DULL and (words or not text) else (leaf.name, words or text)
        case number:
            return leaf.name, str(number)


def _first(found: dict[_Key, ClauseRef], key: _Key, under: ClauseRef) -> None:
    found[key] = min(under, found.get(key, under))

"""Finding withheld values in what is left of an alert: every text, every number, every name that no schema knows.

One pass over all that is left says which values occur at all; only those are then looked for text by text. The work is
bounded by ``MOST_VISITED`` characters compared; what would go beyond, the longest texts first, is not searched and is
said to be so, and whoever plans withholds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.decisions import ClauseRef
from schemas.pointers import Place, pointer_of
from schemas.withholding.dates import read_date, read_instant
from schemas.withholding.shapes import Leaf
from schemas.withholding.spellings import Reading, readings
from schemas.withholding.telling import Tells, member_key

MOST_VISITED: Final = 300_000_000
"""How many characters may be compared for one alert: a second or two of work at most."""

LEAST_BY_CHANCE: Final = 7
"""How many given letters in a row chance hardly ever makes: less than once in a hundred million salts."""

UNTOUCHED: Final = frozenset({("type",), ("sender",), ("sent",)})
"""Members that say nothing of a person and that every recipient knows from the parcel itself."""

OWN_TIMES: Final = frozenset({"expires", "effective"})
"""Times of the message, in the header and the info blocks, whose day is no person's."""


@dataclass(frozen=True, slots=True)
class Found:
    """A place where something withheld stands, and the first clause that withholds it; None where none was searched."""

    place: Place
    under: ClauseRef | None


@dataclass(frozen=True, slots=True)
class _Text:
    place: Place
    text: str


def search(leaves: Iterable[Leaf], names: Iterable[Place], tells: Tells) -> tuple[Found, ...]:
    """Return where ``tells`` stands among leaves, and among the names of members, each given as the member's place."""
    found: dict[Place, ClauseRef | None] = {}
    texts = [_Text(place, str(place[-1])) for place in names]
    for leaf in leaves:
        if leaf.place in UNTOUCHED:
            continue
        under = _whole(leaf, tells)
        if under is not None:
            found[leaf.place] = under
        elif (text := _searchable(leaf)) is not None:
            texts.append(_Text(leaf.place, text))
    found.update(_searched(texts, tells))
    return tuple(Found(place, under) for place, under in found.items())


def tells_beside(texts: Iterable[str], tells: Tells) -> bool:
    """Say whether texts that should be random say what is withheld.

    Of what is withheld only ``LEAST_BY_CHANCE`` letters and digits or more tell: chance writes shorter ones.
    """
    telling = [each for each in tells.anywhere if len(each) >= LEAST_BY_CHANCE]
    if not telling:
        return False
    squeezed = [reading.squeezed for reading in readings(_BETWEEN.join(texts))]
    return any(each in reading for reading in squeezed for each in telling)


def _whole(leaf: Leaf, tells: Tells) -> ClauseRef | None:
    """Return the clause under which a member's whole value is withheld elsewhere."""
    if isinstance(leaf.value, str) and (day := read_date(leaf.value)) is not None:
        instant = read_instant(leaf.value)
        if instant is not None and instant in tells.instants:
            return tells.instants[instant]
        return None if _is_own_time(leaf) else tells.days.get(day)
    key = member_key(leaf)
    return None if key is None else tells.members.get(key)


def _is_own_time(leaf: Leaf) -> bool:
    return leaf.name in OWN_TIMES and leaf.place[0] in ("expires", "info")


def _searchable(leaf: Leaf) -> str | None:
    """Return the text of a leaf that may hold anything; None for a closed value, a time, true, false and null."""
    match leaf.value:
        case bool() | None:
            return None
        case str() as text if leaf.shape.is_closed(text) or read_date(text) is not None:
            return None
        case str() as text if leaf.place[0] == "references" and read_date(text.rpartition(",")[2]) is not None:
            return text.rpartition(",")[0]  # the rest is when that alert was sent
        case str() as text:
            return text
        case number:
            return str(number)


def _searched(texts: Sequence[_Text], tells: Tells) -> Mapping[Place, ClauseRef | None]:
    """Return where something stands in texts: all of them at once first, then one by one for what was there."""
    within, beyond = _affordable(texts, tells)
    everything = _narrowed(tells, readings(_BETWEEN.join(text.text for text in within)))
    hits: defaultdict[Place, list[ClauseRef]] = defaultdict(list)
    for text in within if _all(everything) else ():  # a member's name and its value have one place
        hits[text.place] += _all(_narrowed(everything, readings(text.text)))
    return {text.place: None for text in beyond} | {place: min(some) for place, some in hits.items() if some}


def _affordable(texts: Sequence[_Text], tells: Tells) -> tuple[list[_Text], list[_Text]]:
    room = MOST_VISITED // (_READINGS * (1 + len(tells.anywhere) + len(tells.apart) + len(tells.phrases)))
    within: list[_Text] = []
    beyond: list[_Text] = []
    for text in sorted(texts, key=lambda text: (len(text.text), pointer_of(text.place))):
        room -= len(text.text) * (1 if text.text.isascii() else _ACCENTED) + len(_BETWEEN)
        (within if room >= 0 else beyond).append(text)
    return within, beyond


_BETWEEN: Final = " \x1d "
"""What no encoding has in its alphabet and no word either, so that nothing is read across it."""
_READINGS: Final = 8
"""How many times as long as a text its readings are, about."""
_ACCENTED: Final = 2
"""The same again for a text that folding has to take apart."""


def _narrowed(tells: Tells, all_readings: Sequence[Reading]) -> Tells:
    """Return what of ``tells`` occurs in readings. A line feed between them keeps a match within one."""
    plain = [reading for reading in all_readings if reading.plain]
    squeezed = "\n".join(reading.squeezed for reading in plain)
    words = "\n".join(f" {reading.words} " for reading in plain)
    picked = "\n".join(reading.words for reading in all_readings if not reading.plain)
    return Tells(
        tells.own_day,
        anywhere={text: under for text, under in tells.anywhere.items() if text in squeezed},
        apart={text: under for text, under in tells.apart.items() if text in picked},
        phrases={text: under for text, under in tells.phrases.items() if f" {text} " in words},
    )


def _all(tells: Tells) -> list[ClauseRef]:
    return [*tells.anywhere.values(), *tells.apart.values(), *tells.phrases.values()]

"""Carrying out a plan on a document: what is left of it, with pseudonyms, years and regions where they were asked for.

Where several treatments meet, the strictest of those at the place and above it holds: nothing, a pseudonym, a year or a
region; a value that is to be both a year and a region is neither, and goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.decisions import Treatment
from schemas.ids import AgreementId
from schemas.pointers import Place, Scalar, leaves
from schemas.signing.strict_json import JsonValue
from schemas.withholding.dates import read_date
from schemas.withholding.plan import Cut
from schemas.withholding.pseudonyms import Pseudonyms
from schemas.withholding.regions import region_of


@dataclass(frozen=True, slots=True)
class Derived:
    """What is left of a document, the places of it that are gone altogether, and the values that were made here."""

    left: JsonValue
    gone: frozenset[Place]
    made: frozenset[Scalar]


def derived(document: JsonValue, cuts: Iterable[Cut], pseudonyms: Pseudonyms) -> Derived:
    """Return the document without what is cut.

    An object or a list that loses all it held stays, empty, unless a cut names it. The document itself is not changed.
    """
    deriving = _Deriving(cuts, pseudonyms)
    left = deriving.left(document, (), "", _NOTHING)
    whole: JsonValue = {} if left is _GONE else left  # type: ignore[assignment]  # only _GONE is no JSON
    return Derived(whole, frozenset(deriving.gone), frozenset(deriving.made))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of every scalar from a place down."""

    pseudonym: AgreementId | None = None
    year: bool = False


_NOTHING: Final = _Asked()
_GONE: Final = object()


class _Deriving:
    """One walk over a document."""

    def __init__(self, cuts: Iterable[Cut], pseudonyms: Pseudonyms) -> None:
        self.pseudonyms = pseudonyms
        self.cuts: dict[Place, list[Cut]] = defaultdict(list)
        for cut in cuts:
            self.cuts[cut.place].append(cut)
        self.gone: set[Place] = set()
        self.made: set[Scalar] = set()

    def left(self, value: JsonValue, place: Place, name: str, asked: _Asked) -> object:
        """Return what is left of a value, ``_GONE`` where nothing may be."""
        here = self.cuts.get(place, ())
        treatments = {cut.treatment for cut in here}
        if Treatment.REDACT in treatments:
            self.gone.add(place)
            return _GONE
        left = self._below(value, place, name, _stricter(asked, here))
        if Treatment.REGION in treatments and left is not _GONE:
            region = region_of(left, name)  # type: ignore[arg-type]  # only _GONE is no JSON
            self.made.update(value for _, value in leaves(region))
            left = _GONE if region is None else region
        if left is _GONE:
            self.gone.add(place)
        return left

    def _below(self, value: JsonValue, place: Place, name: str, asked: _Asked) -> object:
        match value:
            case dict():
                members = {each: self.left(inner, (*place, each), each, asked) for each, inner in value.items()}
                return {each: inner for each, inner in members.items() if inner is not _GONE}
            case list():
                items = [self.left(item, (*place, position), name, asked) for position, item in enumerate(value)]
                return [item for item in items if item is not _GONE]
            case _ if asked.pseudonym is not None:
                pseudonym = self.pseudonyms.of(value, member=name, agreement=asked.pseudonym)
                self.made.add(pseudonym)
                return pseudonym
            case _ if asked.year:
                return self._year_of(value)
            case _:
                return value

    def _year_of(self, value: Scalar) -> object:
        """Return the year of a date or an instant (RFC 3339 section 5.6); anything else has none that is sure."""
        if isinstance(value, str) and read_date(value) is not None:
            self.made.add(value[:4])
            return value[:4]
        return _GONE


def _stricter(asked: _Asked, here: Iterable[Cut]) -> _Asked:
    agreements = [cut.under.agreement for cut in here if cut.treatment is Treatment.PSEUDONYM]
    year = asked.year or any(cut.treatment is Treatment.YEAR for cut in here)
    if asked.pseudonym is not None or not agreements:
        return _Asked(asked.pseudonym, year)
    return _Asked(min(agreements), year)

"""Deciding what goes: the places that clauses name, the files that go with them, and where the values stand again.

The one step that both forms of a copy share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from schemas.decisions import ClauseRef, Treatment, Withholding
from schemas.ids import AlertType
from schemas.pointers import Place, leaves, pattern_of, places, pointer_of, value_at
from schemas.signing.strict_json import JsonValue
from schemas.withholding.dates import read_date
from schemas.withholding.regions import region_of
from schemas.withholding.search import Found, search
from schemas.withholding.shapes import Leaf, Shape, leaves_of, shape_at, shape_of
from schemas.withholding.telling import Tells


class Because(StrEnum):
    """Why something is withheld."""

    CLAUSE = "clause"
    """A clause names the place, or the class of the place."""
    ATTACHMENT = "attachment"
    """It is a file, and nobody searches what a picture shows: it goes with whatever marked is withheld."""
    FOUND = "found-elsewhere"
    """A withheld value stands in it."""
    UNSEARCHED = "not-searched"
    """It was too much to search."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One place that a recipient does not get as it is.

    ``pattern`` is how the clause named it, or the place's own pattern; ``mark`` the class that the clause named, "" for
    none; ``under`` the clause.
    """

    place: Place
    treatment: Treatment
    because: Because
    under: ClauseRef
    pattern: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one recipient does not get of one document, and what would give it away.

    ``cuts`` name places and never values, in the order of their pointers; ``tells`` holds values and shows none.
    """

    cuts: tuple[Cut, ...]
    tells: Tells = field(repr=False)

    @property
    def pointers(self) -> tuple[str, ...]:
        """The places, as RFC 6901 pointers, each once."""
        return tuple(dict.fromkeys(pointer_of(cut.place) for cut in self.cuts))


def plan(document: JsonValue, *, alert_type: AlertType, withholdings: Sequence[Withholding]) -> Plan:
    """Return what a recipient under these withholdings does not get of an alert.

    Raises ``KeyError`` for a type that there is not, ``ValueError`` for a pattern that is no pointer.
    """
    shape = shape_of(alert_type)
    named = tuple(_named(document, withholdings))
    cuts = named + tuple(_attachments(document, shape, named))
    tells = Tells(_own_day(document))
    for cut in cuts:
        for leaf in _lost(document, shape, cut):
            tells.add(leaf, cut.under)
    if cuts:
        fallback = min(cut.under for cut in cuts)
        cuts += tuple(
            _found(each, shape, fallback) for each in traces(document, shape, tells, {cut.place for cut in cuts})
        )
    return Plan(tuple(sorted(cuts, key=_order)), tells)


def traces(document: JsonValue, shape: Shape, tells: Tells, gone: AbstractSet[Place]) -> tuple[Found, ...]:
    """Return where withheld values stand outside the places in ``gone``."""
    left = (leaf for leaf in leaves_of(document, shape) if not _is_within(leaf.place, gone))
    names = (place for place in _unknown_names(document, shape) if not _is_within(place, gone))
    return search(left, names, tells)


def _named(document: JsonValue, withholdings: Sequence[Withholding]) -> Iterator[Cut]:
    for one in withholdings:
        for place in places(document, one.pointer):
            yield Cut(place, one.treatment, Because.CLAUSE, one.under, one.pointer, one.mark)


def _attachments(document: JsonValue, shape: Shape, named: Sequence[Cut]) -> Iterator[Cut]:
    marked = [cut.under for cut in named if cut.mark or _holds_marked(document, shape, cut)]
    if not marked:
        return
    redacted = {cut.place for cut in named if cut.treatment is Treatment.REDACT}
    for place in _resources(document):
        if not _is_within(place, redacted):
            yield Cut(place, Treatment.REDACT, Because.ATTACHMENT, min(marked), _known_pattern(place, shape))


def _holds_marked(document: JsonValue, shape: Shape, cut: Cut) -> bool:
    at = shape_at(shape, cut.place)
    return any(leaf.shape.marks for leaf in leaves_of(value_at(document, cut.place), at, cut.place))


def _resources(value: JsonValue, place: Place = ()) -> Iterator[Place]:
    """Yield the places of files: objects that say a media type (CAP 1.2 section 3.2.3)."""
    match value:
        case dict() if "mimeType" in value:
            yield place
        case dict():
            for name, member in value.items():
                yield from _resources(member, (*place, name))
        case list():
            for position, item in enumerate(value):
                yield from _resources(item, (*place, position))
        case _:
            pass


def _lost(document: JsonValue, shape: Shape, cut: Cut) -> Iterator[Leaf]:
    """Yield what a cut takes away; a region that stays may be told."""
    value = value_at(document, cut.place)
    name = next((step for step in reversed(cut.place) if isinstance(step, str)), "")
    kept = {left for _, left in leaves(region_of(value, name))} if cut.treatment is Treatment.REGION else set()
    for leaf in leaves_of(value, shape_at(shape, cut.place), cut.place, name):
        if leaf.value not in kept:
            yield leaf


def _unknown_names(value: JsonValue, shape: Shape, place: Place = ()) -> Iterator[Place]:
    match value:
        case dict():
            for name, member in value.items():
                if name not in shape.members:
                    yield (*place, name)
                yield from _unknown_names(member, shape_at(shape, (name,)), (*place, name))
        case list():
            for position, item in enumerate(value):
                yield from _unknown_names(item, shape_at(shape, (position,)), (*place, position))
        case _:
            pass


def _found(found: Found, shape: Shape, fallback: ClauseRef) -> Cut:
    because = Because.UNSEARCHED if found.under is None else Because.FOUND
    return Cut(found.place, Treatment.REDACT, because, found.under or fallback, _known_pattern(found.place, shape))


def _known_pattern(place: Place, shape: Shape) -> str:
    """Return the pattern of a place as far as the schema knows it: another name may be what is withheld."""
    for length, step in enumerate(place):
        if isinstance(step, str) and step not in shape.members:
            return pattern_of(place[:length])
        shape = shape_at(shape, (step,))
    return pattern_of(place)


def _own_day(document: JsonValue) -> date | None:
    match document:
        case {"sent": str(sent)}:
            return read_date(sent)
        case _:
            return None


def _is_within(place: Place, places_cut: AbstractSet[Place]) -> bool:
    return any(place[:length] in places_cut for length in range(len(place) + 1))


def _order(cut: Cut) -> tuple[str, str, str, ClauseRef, str]:
    return pointer_of(cut.place), cut.treatment, cut.because, cut.under, cut.pattern

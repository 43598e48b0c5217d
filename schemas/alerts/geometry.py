"""Polygons and circles of an alert's area: what may stand there, and what a drawing that may not is missing.

CAP 1.2 section 3.2.4: a polygon is a list of ``latitude,longitude`` pairs in WGS 84, at least four, the last one equal
to the first; several polygons of one area are taken together. A drawing is refused where two readers could take it for
two different places:

* it crosses or touches itself so that more than ``SLIP`` of what it encloses lies outside its largest part: an
  hourglass names two places. The small loops that a hand leaves where it closes a line are no such thing, and pass;
* it lies within another polygon of its area: meant as a hole, which CAP can't say, it would be read as covered.

The cost is bounded whatever is drawn: more than ``MOST_POINTS`` in one alert, or segments whose boxes overlap more
often than ``MOST_OVERLAPS``, are refused unexamined. A real coast of 41,000 points needs a twentieth of those overlaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import StringConstraints, TypeAdapter, ValidationError

from schemas.alerts.fields import MEBIBYTE
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    import numpy as np
    import shapely

    Coordinates = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_LATITUDE: Final = r"[-+]?(?:0*90(?:\.0*)?|0*[0-8]?[0-9](?:\.[0-9]*)?|\.[0-9]+)"
_LONGITUDE: Final = r"[-+]?(?:0*180(?:\.0*)?|0*(?:1[0-7][0-9]|[0-9]?[0-9])(?:\.[0-9]*)?|\.[0-9]+)"
_PAIR: Final = f"{_LATITUDE},{_LONGITUDE}"
_SPACE: Final = r"[ \t\r\n]"

POLYGON_PATTERN: Final = f"^{_SPACE}*{_PAIR}(?:{_SPACE}+{_PAIR})*{_SPACE}*$"
CIRCLE_PATTERN: Final = f"^{_SPACE}*{_PAIR}{_SPACE}+[0-9]+(?:\\.[0-9]*)?{_SPACE}*$"
"""A centre and a radius in kilometres, which may be zero: a point."""

Polygon = Annotated[str, StringConstraints(pattern=POLYGON_PATTERN, max_length=2 * MEBIBYTE)]
Circle = Annotated[str, StringConstraints(pattern=CIRCLE_PATTERN, max_length=200)]

SLIP: Final = 0.05
"""The largest share of a ring's area that small loops may hold."""

MOST_POINTS: Final = 200_000
"""How many points the polygons of one alert may have together."""

MOST_OVERLAPS: Final = 5_000_000
"""How many pairs of segments in one alert may have overlapping boxes: a quarter of a second of work."""

MOST_CROSSINGS: Final = 10_000
"""The same for the rings that cross themselves, whose parts are measured one by one."""

MOST_COMPARED: Final = 2_000_000
"""How many points in one alert may be compared with another polygon of their area."""


class Flaw(Enum):
    """Why a polygon may not stand."""

    OPEN = "polygon-not-closed"
    NO_AREA = "polygon-without-area"
    AMBIGUOUS = "polygon-crosses-itself"
    WITHIN = "polygon-within-another"
    COMPLEX = "polygon-too-complex"


SENTENCES: Final[Mapping[Flaw, Bilingual]] = {
    Flaw.OPEN: Bilingual(
        fr="Ce polygone n'est pas fermé : sa dernière paire doit être égale à la première.",
        en="This polygon is not closed: its last pair must equal the first.",
    ),
    Flaw.NO_AREA: Bilingual(
        fr="Ce polygone n'entoure rien : il lui faut au moins quatre paires, dont trois points non alignés.",
        en="This polygon encloses nothing: it needs at least four pairs, three of them not in line.",
    ),
    Flaw.AMBIGUOUS: Bilingual(
        fr="Ce polygone se croise ou se touche lui-même : on ne sait pas quelle zone il désigne.",
        en="This polygon crosses or touches itself: it does not say which area it means.",
    ),
    Flaw.WITHIN: Bilingual(
        fr="Ce polygone est à l'intérieur d'un autre de la même zone; le PAC ne connaît pas les trous.",
        en="This polygon lies within another of the same area; CAP has no holes.",
    ),
    Flaw.COMPLEX: Bilingual(
        fr="Ces polygones sont trop complexes pour être vérifiés.", en="These polygons are too complex to be checked."
    ),
}


def flaws(areas: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, Flaw]]:
    """Yield what is wrong with the polygons of an alert, each with its place: area, polygon.

    The texts match ``POLYGON_PATTERN``. The work done for all of them together is bounded.
    """
    budget = _Budget(MOST_POINTS, MOST_OVERLAPS, MOST_CROSSINGS, MOST_COMPARED)
    for number, texts in enumerate(areas):
        shapes = []
        for index, text in enumerate(texts):
            shape = _shape(text, budget)
            if isinstance(shape, Flaw):
                yield number, index, shape
            else:
                shapes.append((index, shape))
        if len(shapes) > 1:
            yield from ((number, index, flaw) for index, flaw in _within_another(shapes, budget))


def usable_polygons(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the drawings among the polygons of a CAP area, each with its position, as an alert's area takes them.

    CAP in the field has texts for ``polygon`` that say no area at all: words, longitude before latitude, a single point
    written as a closed ring. They mislead no machine, for none can read them; they are passed over. A ring that only
    lacks its last pair is closed. All else is left for ``flaws`` to judge.
    """
    for index, text in enumerate(texts):
        ring = _as_ring(text) if _fits(_POLYGON, text) else None
        if ring is not None:
            yield index, ring


def usable_circles(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the drawings among the circles of a CAP area, each with its position; see ``usable_polygons``."""
    return ((index, text) for index, text in enumerate(texts) if _fits(_CIRCLE, text))


_POLYGON: Final[TypeAdapter[str]] = TypeAdapter(Polygon)
_CIRCLE: Final[TypeAdapter[str]] = TypeAdapter(Circle)


def _fits(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def _as_ring(text: str) -> str | None:
    """Return a polygon's text as a closed ring where it draws an area, None where it is closed and draws none."""
    if text.count(",") > MOST_POINTS:
        return text
    pairs = text.split()
    closed = _point(pairs[0]) == _point(pairs[-1])
    if not _encloses(map(_point, pairs)):
        return None if closed else text
    return text if closed else f"{text} {pairs[0]}"


def _point(pair: str) -> tuple[float, float]:
    latitude, _, longitude = pair.partition(",")
    return float(latitude), float(longitude)


def _encloses(points: Iterable[Iterable[float]]) -> bool:
    """Whether the points are not all in one line."""
    rest = iter(points)
    y0, x0 = next(rest)
    away = next(((y - y0, x - x0) for y, x in rest if (y, x) != (y0, x0)), None)
    return away is not None and any(away[0] * (x - x0) != away[1] * (y - y0) for y, x in rest)


@dataclass(slots=True)
class _Budget:
    """The work that may still be done for an alert."""

    points: int
    overlaps: int
    crossings: int
    compared: int


def _shape(text: str, budget: _Budget) -> shapely.Polygon | Flaw:
    """Return the one area that a ring means."""
    import numpy as np  # noqa: PLC0415 - most alerts have no polygon, and these two take a tenth of a second to load
    import shapely  # noqa: PLC0415 - the same

    budget.points -= text.count(",")
    if budget.points < 0:
        return Flaw.COMPLEX
    points: Coordinates = np.array(text.replace(",", " ").split(), dtype=float).reshape(-1, 2)
    if not np.array_equal(points[0], points[-1]):
        return Flaw.OPEN
    if len(points) < 4 or not _encloses(points):  # noqa: PLR2004 - CAP 1.2 section 3.2.4
        return Flaw.NO_AREA
    overlaps = _overlaps(points)
    budget.overlaps -= overlaps
    if budget.overlaps < 0:
        return Flaw.COMPLEX
    polygon = shapely.Polygon(points)
    if polygon.is_valid:
        return polygon
    budget.crossings -= overlaps
    return Flaw.AMBIGUOUS if budget.crossings < 0 else _largest_part(polygon)


def _largest_part(polygon: shapely.Polygon) -> shapely.Polygon | Flaw:
    """Return what a ring that crosses or touches itself means, where its other parts are but slips."""
    import shapely  # noqa: PLC0415 - see _shape

    parts = shapely.get_parts(shapely.polygonize([shapely.node(polygon.exterior)]))
    areas = shapely.area(parts)
    if areas.sum() == 0:
        return Flaw.NO_AREA
    largest = int(areas.argmax())
    if areas.sum() - areas[largest] > SLIP * areas.sum():
        return Flaw.AMBIGUOUS
    shape: shapely.Polygon = parts[largest]
    return shape


def _overlaps(points: Coordinates) -> int:
    """Return a bound on how many pairs of segments have overlapping boxes: the fewer of the two axes' overlaps."""
    import numpy as np  # noqa: PLC0415 - see _shape

    low, high = np.minimum(points[:-1], points[1:]), np.maximum(points[:-1], points[1:])
    count = len(low)
    apart = [
        int((count - np.searchsorted(np.sort(low[:, axis]), high[:, axis], side="right")).sum()) for axis in (0, 1)
    ]
    return count * (count - 1) // 2 - max(apart)


def _within_another(shapes: Sequence[tuple[int, shapely.Polygon]], budget: _Budget) -> Iterator[tuple[int, Flaw]]:
    import numpy as np  # noqa: PLC0415 - see _shape
    import shapely  # noqa: PLC0415 - the same

    polygons: Any = np.array([polygon for _, polygon in shapes])
    low, high = np.split(shapely.bounds(polygons), 2, axis=1)
    inside = (low[:, None] >= low[None]).all(axis=2) & (high[:, None] <= high[None]).all(axis=2)
    inner, outer = np.nonzero(inside & ~np.eye(len(shapes), dtype=bool))
    size = shapely.get_num_coordinates(polygons)
    budget.compared -= int(size[inner].sum() + size[outer].sum())
    if budget.compared < 0:
        yield shapes[0][0], Flaw.COMPLEX
        return
    covered = shapely.covers(polygons[outer], polygons[inner]) & ~shapely.equals(polygons[outer], polygons[inner])
    for position in sorted(set(inner[covered].tolist())):
        yield shapes[position][0], Flaw.WITHIN

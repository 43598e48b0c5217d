"""Whether what an alert draws lies wholly within a territory: a yes is sure, and what can't be told is a no.

A territory is the union of its polygons, their boundary included. Polygons are CAP 1.2's (section 3.2.4): ``latitude,
longitude`` in WGS 84, closed. CAP does not say how two corners are joined; here, as on the maps that people draw on, by
a straight line in latitude and longitude, the territory's and the alert's alike.

* A polygon lies within when every part that its line encloses does, and the line itself.
* A circle is taken as an ellipse in latitude and longitude that surely holds it. On WGS 84 both radii of curvature are
  at least 6335.439 km, so a way of ``r`` km spans at most ``r / 6335.439`` radians of latitude, and that much over the
  least cosine on it of longitude.
* No, whatever the territory: a line of half a turn of longitude or more, which may mean the way round the other side;
  a circle that reaches the antimeridian or a pole; more than ``MOST_COMPARED`` points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from schemas.alerts import geometry
from schemas.alerts.geometry import SENTENCES, Flaw
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    import shapely

MOST_COMPARED: Final = 20_000
"""How many points a polygon may have that is compared with a territory."""

_LEAST_RADIUS: Final = 6335.439
"""The least radius of curvature of WGS 84, in kilometres: a(1 - e²), along the meridian at the equator."""

_CORNERS: Final = 64
_HALF_TURN: Final = 180.0
_NEAR_A_POLE: Final = 89.0


@dataclass(frozen=True, slots=True)
class Territory:
    """The union of some polygons. ``territory`` makes one."""

    _shape: shapely.Geometry

    def covers_polygon(self, text: str) -> bool:
        """Say whether a polygon surely lies within; ``text`` matches ``geometry.POLYGON_PATTERN``."""
        import shapely  # noqa: PLC0415 - most alerts are compared with no territory; it takes a tenth of a second to load

        points = _points(text)
        if len(points) > MOST_COMPARED or points[0] != points[-1] or not _plain(points):
            return False
        line = shapely.LineString(points)
        enclosed = shapely.get_parts(shapely.polygonize([shapely.node(line)]))
        return bool(shapely.covers(self._shape, line)) and bool(shapely.covers(self._shape, enclosed).all())

    def covers_circle(self, text: str) -> bool:
        """Say whether a circle surely lies within; ``text`` matches ``geometry.CIRCLE_PATTERN``, its radius in km."""
        import shapely  # noqa: PLC0415 - see covers_polygon

        centre, radius = text.split()
        longitude, latitude = _points(centre)[0]
        angle = float(radius) / _LEAST_RADIUS
        farthest = abs(latitude) + math.degrees(angle)
        if farthest > _NEAR_A_POLE:
            return False
        high = math.degrees(angle) / math.cos(math.pi / _CORNERS)
        wide = high / math.cos(math.radians(farthest))
        if abs(longitude) + wide >= _HALF_TURN:
            return False
        turns = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
        around = [(longitude + wide * math.cos(turn), latitude + high * math.sin(turn)) for turn in turns]
        holder = shapely.Polygon(around) if angle else shapely.Point(longitude, latitude)
        return bool(shapely.covers(self._shape, holder))

    def covers(self, other: Territory) -> bool:
        """Say whether another territory surely lies within."""
        import shapely  # noqa: PLC0415 - see covers_polygon

        return bool(shapely.covers(self._shape, other._shape))


@lru_cache(maxsize=256)
def territory(polygons: tuple[str, ...]) -> Territory:
    """Return the union of polygons in which ``flaw_of`` finds nothing."""
    import shapely  # noqa: PLC0415 - see Territory.covers_polygon

    shape = shapely.union_all([shapely.Polygon(_points(text)) for text in polygons])
    shapely.prepare(shape)
    return Territory(shape)


def flaw_of(polygons: Sequence[str]) -> tuple[int, Bilingual] | None:
    """Return what keeps polygons from being a territory: the first one that is wrong, and why.

    A territory's polygons say what they mean to the letter: besides what no alert may draw, a line that crosses itself
    at all, or that spans half a turn of longitude or touches the antimeridian, is refused.
    """
    import shapely  # noqa: PLC0415 - see Territory.covers_polygon

    for _, index, flaw in geometry.flaws([polygons]):
        return index, SENTENCES[flaw]
    for index, text in enumerate(polygons):
        points = _points(text)
        if not shapely.Polygon(points).is_valid:
            return index, SENTENCES[Flaw.AMBIGUOUS]
        if not _plain(points) or any(abs(longitude) >= _HALF_TURN for longitude, _ in points):
            return index, _ROUND_THE_OTHER_SIDE
    return None


def _points(text: str) -> list[tuple[float, float]]:
    """Return longitude and latitude of each pair."""
    pairs = (pair.partition(",") for pair in text.split())
    return [(float(longitude), float(latitude)) for latitude, _, longitude in pairs]


def _plain(points: Sequence[tuple[float, float]]) -> bool:
    """Whether no line between two corners could be meant the other way round the earth."""
    return all(abs(one[0] - other[0]) < _HALF_TURN for one, other in pairwise(points))


_ROUND_THE_OTHER_SIDE: Final = Bilingual(
    fr="Ce polygone touche l'antiméridien ou couvre la moitié du tour de la Terre : on ne sait pas quelle zone il "
    "désigne.",
    en="This polygon touches the antimeridian or spans half the earth: it does not say which area it means.",
)

"""Where an alert applies, against where a clause allows: a yes is sure, and what can't be told is a no."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agreements.conditions.area import AreaCondition, Within
from agreements.document import Agreement
from agreements.reasons import Code
from schemas.alerts.containment import territory
from schemas.faults import sentence_for
from tests.unit.agreements.builders import Json, agreement, alert, document, grant, info

SQUARE = "45,-74 45,-73 46,-73 46,-74 45,-74"
EAST = "45,-73 45,-72 46,-72 46,-73 45,-73"
REGIONS: list[Json] = [
    {"name": "lake", "fr": "Le lac", "en": "The lake", "polygon": [SQUARE]},
    {"name": "east", "fr": "L'est", "en": "The east", "polygon": [EAST], "codes": [{"scheme": "CLC", "in": ["035"]}]},
    {"name": "quebec", "fr": "Le Québec", "en": "Québec", "codes": [{"scheme": "SGC", "in": ["24"]}]},
]


def within(*regions: str, **codes: list[str]) -> Within:
    """Return what an alert is held to by an area condition of a document with three regions."""
    stated: Json = {"condition": "area"}
    if regions:
        stated["regions"] = list(regions)
    if codes:
        stated["codes"] = [{"scheme": scheme.replace("_", " "), "in": listed} for scheme, listed in codes.items()]
    read: Agreement = agreement(document(grant("1.1", stated), regions=REGIONS))
    asked = next(each for each in read.grants[0].conditions if isinstance(each, AreaCondition))
    return asked.within(read.regions)


def area(**members: object) -> Json:
    """Return an info block with one area."""
    return info(area=[{"areaDesc": "Ici", **members}])


def code(scheme: str, value: str) -> Json:
    """Return an info block with one area that a code names."""
    return area(geocode=[{"valueName": scheme, "value": value}])


INSIDE = "45.2,-73.8 45.2,-73.2 45.8,-73.2 45.8,-73.8 45.2,-73.8"
ACROSS = "45.2,-73.5 45.2,-72.5 45.8,-72.5 45.8,-73.5 45.2,-73.5"
OUTSIDE = "47,-74 47,-73 48,-73 48,-74 47,-74"
BULGING = "45,-74 45,-73 46,-73 46.1,-73.5 46,-74 45,-74"


@pytest.mark.parametrize(
    ("block", "passes"),
    [
        (area(polygon=[INSIDE]), True),
        (area(polygon=[SQUARE]), True),
        (area(polygon=[INSIDE, OUTSIDE]), False),
        (area(polygon=[ACROSS]), False),
        (area(polygon=[OUTSIDE]), False),
        (area(polygon=[BULGING]), False),
        (area(circle=["45.5,-73.5 30"]), True),
        (area(circle=["45.5,-73.5 60"]), False),
        (area(circle=["45.5,-73.5 0"]), True),
        (area(circle=["46.5,-73.5 0"]), False),
        (area(circle=["45.5,-73.5 1"], polygon=[OUTSIDE]), False),
        (area(polygon=[INSIDE], geocode=[{"valueName": "SGC", "value": "24"}]), False),
        (code("SGC", "24"), False),
        (area(), False),
        (info(), False),
    ],
)
def test_drawings_within_a_polygon(block: Json, passes: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Every polygon and circle must lie wholly within; a code that the region does not name can't be told to."""
    reason = within("lake").unmet(alert(block))
    assert (reason is None) == passes
    assert reason is None or (reason.code, reason.arguments) == (Code.AREA_NOT_WITHIN, (("areas", ("lake",)),))


def test_every_area_of_every_block_counts() -> None:
    """One area outside, or one block without an area, is enough to fail; so is an alert without any block."""
    inside = {"areaDesc": "Ici", "polygon": [INSIDE]}
    held = within("lake")
    assert held.unmet(alert(info(area=[inside, inside]), info(area=[inside]))) is None
    assert held.unmet(alert(info(area=[inside, {"areaDesc": "Là", "polygon": [OUTSIDE]}]))) is not None
    assert held.unmet(alert(info(area=[inside]), info())) is not None
    none = held.unmet(alert())
    assert none is not None
    assert none.code == Code.NO_INFO


def test_regions_are_taken_together() -> None:
    """What lies partly in one region and partly in the one beside it lies within both together."""
    assert within("lake").unmet(alert(area(polygon=[ACROSS]))) is not None
    assert within("lake", "east").unmet(alert(area(polygon=[ACROSS]))) is None


@pytest.mark.parametrize(
    ("held", "scheme", "value", "passes"),
    [
        (within(SGC=["24"]), "SGC", "24", True),
        (within(SGC=["24"]), "SGC", "2456060", True),
        (within(SGC=["24"]), "SGC", "35", False),
        (within(SGC=["24"]), "SGC", "2", False),
        (within(SGC=["24"]), "SGC", "24x", False),
        (within(SGC=["24"]), "SAME", "2456060", False),
        (within(SAME=["036"]), "SAME", "036019", True),
        (within(SAME=["036"]), "SAME", "136019", False),
        (within(ISO_3166=["CA"]), "ISO 3166", "CA-QC", True),
        (within(ISO_3166=["CA"]), "ISO 3166", "CA", True),
        (within(ISO_3166=["CA-Q"]), "ISO 3166", "CA-QC", False),
        (within(CLC=["03"]), "CLC", "035", False),
        (within("east"), "CLC", "035", True),
        (within("quebec"), "SGC", "2456060", True),
        (within("quebec", SGC=["35"]), "SGC", "3506", True),
        (within("lake", "quebec"), "SGC", "24", True),
    ],
)
def test_codes(held: Within, scheme: str, value: str, passes: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """A code passes where it is allowed, or where the list is a hierarchy and an allowed code holds it."""
    assert (held.unmet(alert(code(scheme, value))) is None) == passes


def test_a_drawing_is_not_told_by_codes() -> None:
    """Where only codes are allowed, a polygon can't be told to lie within, whatever code stands beside it."""
    block = area(polygon=[INSIDE], geocode=[{"valueName": "SGC", "value": "24"}])
    assert within("quebec").unmet(alert(block)) is not None
    assert within("quebec", "lake").unmet(alert(block)) is None


@pytest.mark.parametrize(
    "polygon",
    [
        "60,170 60,-170 50,-170 50,170 60,170",
        "60,165 -60,165 -60,-165 60,-165 60,165",
    ],
)
def test_near_the_antimeridian_nothing_is_within(polygon: str) -> None:
    """A line of half a turn may mean the other way round, and a circle may reach over: neither is told to be within."""
    world = territory(("-89,-179 -89,-60 -89,60 -89,179 89,179 89,60 89,-60 89,-179 -89,-179",))
    assert not world.covers_polygon(polygon)
    assert not world.covers_circle("50,179 100")
    assert not world.covers_circle("88.9,0 100")
    assert world.covers_circle("50,170 100")


@given(st.floats(-80, 80), st.floats(-150, 150), st.floats(0.1, 300), st.floats(0, 2 * math.pi), st.floats(0.01, 4))
def test_no_point_of_a_circle_within_is_outside(
    lat: float, lon: float, radius: float, turn: float, side: float
) -> None:
    """Whatever the square, a circle said to lie within it has no point of its edge, on the sphere, outside of it."""
    corners = [(lat - side, lon - side), (lat - side, lon + side), (lat + side, lon + side), (lat + side, lon - side)]
    square = territory((" ".join(f"{y:.9f},{x:.9f}" for y, x in (*corners, corners[0])),))
    if not square.covers_circle(f"{lat:.9f},{lon:.9f} {radius:.6f}"):
        return
    angle, here = radius / 6371.0, math.radians(lat)
    there = math.asin(math.sin(here) * math.cos(angle) + math.cos(here) * math.sin(angle) * math.cos(turn))
    east = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(here), math.cos(angle) - math.sin(here) * math.sin(there)
    )
    assert square.covers_circle(f"{math.degrees(there):.9f},{lon + math.degrees(east):.9f} 0")


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ({"polygon": []}, "at least one"),
        ({}, "at least one place"),
        ({"polygon": ["45,-74 45,-73 46,-73 46,-74"]}, "not closed"),
        ({"polygon": ["45,-74 46,-73 45,-73 46,-74 45,-74"]}, "crosses"),
        ({"polygon": ["45,-74 45,-73 46,-73 46.1,-73.5 46.1,-73.4 46,-73.6 46,-74 45,-74"]}, "crosses"),
        ({"polygon": ["60,170 60,-170 50,-170 50,170 60,170"]}, "antimeridian"),
        ({"polygon": ["60,170 60,180 50,180 50,170 60,170"]}, "antimeridian"),
        ({"polygon": [SQUARE, INSIDE]}, "within another"),
        ({"codes": [{"scheme": "SGC", "in": ["Québec"]}]}, "form"),
        ({"codes": [{"scheme": "SGC", "in": ["QC"]}]}, "can't be a code"),
        ({"codes": [{"scheme": "SGC", "in": []}]}, "at least one"),
    ],
)
def test_a_region_says_one_place(region: Json, why: str) -> None:
    """A region that is nowhere, or could be two places, makes the agreement invalid."""
    with pytest.raises(ValidationError) as refused:
        agreement(document(regions=[{"name": "x", "fr": "X", "en": "X", **region}]))
    (error,) = refused.value.errors(include_url=False)
    assert why in sentence_for(error).en


@pytest.mark.parametrize(
    "changes",
    [
        {"grants": [grant("1.1", {"condition": "area", "regions": ["sea"]})], "regions": REGIONS},
        {"grants": [grant("1.1", {"condition": "area"})]},
        {"regions": [REGIONS[0], {**REGIONS[1], "name": "lake"}]},
    ],
)
def test_regions_are_named_once_and_known(changes: Json) -> None:
    """A condition that names an unknown region or no place, or two regions of one name, makes the agreement invalid."""
    with pytest.raises(ValidationError):
        agreement(document(**changes))

"""A polygon stands where it names one area, and is refused where two readers could see two; the cost is bounded."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts.geometry import MOST_POINTS, Flaw, flaws, usable_circles, usable_polygons

SQUARE = "0,0 0,10 10,10 10,0 0,0"


def ring(points: Iterable[tuple[float, float]]) -> str:
    """Write points as a closed ring."""
    pairs = [f"{y:.7f},{x:.7f}" for y, x in points]
    return " ".join([*pairs, pairs[0]])


def comb(teeth: int) -> str:
    """Write a ring of long thin teeth lying aslant: it crosses nothing, and every two of its boxes overlap."""
    zigzag = [(0.0 if tooth % 2 == 0 else 10.0, tooth * 1e-5) for tooth in range(teeth + 1)]
    outline = [*zigzag, (-1.0, teeth * 1e-5), (-1.0, 0.0)]
    return ring((x - y, x + y) for x, y in outline)


def star(points: int) -> str:
    """Write a ring that crosses itself as often as one can."""
    turns = [2 * math.pi * step * (points // 2) / points for step in range(points)]
    return ring((math.cos(turn), math.sin(turn)) for turn in turns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SQUARE, None),
        ("0,0 0,10 0,10 10,10 10,0 0,0", None),
        ("0,0 0,10 10,10 10,0", Flaw.OPEN),
        ("0,0 0,10", Flaw.OPEN),
        ("0,0 0,10 0,0", Flaw.NO_AREA),
        ("0,0 0,10 0,20 0,0", Flaw.NO_AREA),
        ("5,5 5,5 5,5 5,5", Flaw.NO_AREA),
        ("0,0 10,10 0,10 10,0 0,0", Flaw.AMBIGUOUS),
        ("0,0 0,10 10,10 10,0 5,10 0,0", Flaw.AMBIGUOUS),
        ("0,0 0,10 10,10 10,0 0.1,0 -0.1,0.1 0,0", None),
        ("0,0 0,10 10,10 15,10 10,10 10,0 0,0", None),
    ],
    ids=[
        "square",
        "a point twice in a row",
        "open",
        "two points",
        "there and back",
        "a line",
        "one point",
        "hourglass",
        "touching itself across",
        "a small loop where the hand closed it",
        "a spike without area",
    ],
)
def test_rings(text: str, expected: Flaw | None) -> None:
    """What encloses one area passes with the slips of a hand; what names two, or none, does not."""
    assert [flaw for _, _, flaw in flaws([[text]])] == ([] if expected is None else [expected])


def test_a_polygon_within_another_is_refused() -> None:
    """An inner polygon would be meant as a hole and be read as covered, in the same area alone."""
    inner = "4,4 4,6 6,6 6,4 4,4"
    assert list(flaws([[SQUARE, inner]])) == [(0, 1, Flaw.WITHIN)]
    assert list(flaws([[inner, SQUARE]])) == [(0, 0, Flaw.WITHIN)]
    assert list(flaws([[SQUARE], [inner]])) == []


def test_polygons_that_overlap_or_repeat_are_taken_together() -> None:
    """CAP joins the polygons of an area: overlapping ones, neighbours and one drawn twice name one area."""
    beside, across = "0,10 0,20 10,20 10,10 0,10", "5,5 5,15 15,15 15,5 5,5"
    assert list(flaws([[SQUARE, beside, across, SQUARE]])) == []


@pytest.mark.parametrize(
    "areas", [[[comb(3_000)]], [[comb(30_000)]], [[star(101)] * 300], [[star(2_001)]], [["1,1 " * MOST_POINTS + "1,2"]]]
)
def test_hostile_rings_cost_little(areas: list[list[str]]) -> None:
    """Rings made to be slow are judged or refused in a bounded time, however many of them an alert has."""
    begin = time.process_time()
    found = list(flaws(areas))
    assert time.process_time() - begin < 2
    assert found or areas == [[comb(3_000)]]


def test_rings_nested_without_touching_cost_little() -> None:
    """Five hundred hooks, each in the crook of the next, all boxes within one another: compared in bounded time."""
    hooks = []
    for number in range(512):
        reach = 80 - number * 0.1
        hooks.append(
            ring([(-reach, -reach), (reach, -reach), (reach, 0.05 - reach), (0.05 - reach, 0.05 - reach),
                  (0.05 - reach, reach), (-reach, reach)])
        )  # fmt: skip
    begin = time.process_time()
    assert list(flaws([hooks])) == []
    assert time.process_time() - begin < 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=3, max_size=12))
def test_no_ring_is_beyond_judgement(points: list[tuple[float, float]]) -> None:
    """Whatever is drawn within the world gets a verdict, and the same one backwards."""
    forward, backward = list(flaws([[ring(points)]])), list(flaws([[ring(points[::-1])]]))
    assert forward == backward


def test_what_is_no_drawing_is_passed_over() -> None:
    """Texts that no reader can draw are left out; a ring lacking its last pair is closed; the others stay in place."""
    texts = ["downtown", "100.3,7.9 100.4,7.9 100.4,8 100.3,7.9", "1,1 1,1", "1,1 2,2 1,1", "0,0 0,1 1,1", SQUARE]
    assert list(usable_polygons(texts)) == [(4, "0,0 0,1 1,1 0,0"), (5, SQUARE)]
    assert list(usable_circles(["here", "45,-73 5"])) == [(1, "45,-73 5")]


def test_an_hourglass_and_two_open_points_are_left_to_be_refused() -> None:
    """What can be drawn and says no one area is not passed over."""
    texts = ["0,0 10,10 0,10 10,0 0,0", "0,0 0,10"]
    assert [text for _, text in usable_polygons(texts)] == texts

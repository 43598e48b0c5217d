"""Tile paths and coordinates (C2SP tlog-tiles)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import MalformedTilePathError
from audit.merkle import HASH_SIZE, Node, leaf_hash
from audit.tiles import EntryBundle, Tile, parse_tile_path, span_of, split_hashes, tile_width
from tests.unit.audit.naive_tree import NaiveTree

INDEXES = st.integers(min_value=0, max_value=(1 << 63) - 1)
WIDTHS = st.integers(min_value=1, max_value=256)


@given(st.integers(min_value=0, max_value=63), INDEXES, WIDTHS)
def test_a_path_reads_back(level: int, index: int, width: int) -> None:
    """Every tile and every bundle is read from its own path."""
    tile, bundle = Tile(level, index, width), EntryBundle(index, width)
    assert parse_tile_path(tile.path) == tile
    assert parse_tile_path(bundle.path) == bundle


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/x001/x234/067", Tile(0, 1234067)),
        ("tile/0/000", Tile(0, 0)),
        ("tile/0/999", Tile(0, 999)),
        ("tile/0/x001/000", Tile(0, 1000)),
        ("tile/2/000.p/1", Tile(2, 0, 1)),
        ("tile/63/000.p/255", Tile(63, 0, 255)),
        ("tile/entries/x273/000.p/112", EntryBundle(273000, 112)),
    ],
)
def test_paths_are_spelt_as_the_standard_says(path: str, tile: Tile | EntryBundle) -> None:
    """Groups of three digits, all but the last with an x; the width only where the tile is partial."""
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/\N{ARABIC-INDIC DIGIT ZERO}00",
        "tile/entry/000",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ],
)
def test_other_spellings_are_refused(path: str) -> None:
    """A path that is not the one spelling of a tile names nothing."""
    with pytest.raises(MalformedTilePathError):
        parse_tile_path(path)


@given(
    st.integers(min_value=0, max_value=1 << 40),
    st.integers(min_value=0, max_value=4),
    st.integers(min_value=0, max_value=20),
)
def test_the_last_tile_is_as_wide_as_the_standard_says(size: int, level: int, back: int) -> None:
    """At each level, tiles before the last are full, the last has floor(size / 256^l) mod 256, none comes after."""
    last = size // 256 ** (level + 1)
    assert tile_width(level, last, size) == size // 256**level % 256
    assert tile_width(level, last + 1 + back, size) == 0
    if last - 1 - back >= 0:
        assert tile_width(level, last - 1 - back, size) == 256


def test_a_tree_of_70000_has_the_standards_tiles() -> None:
    """The example of tlog-tiles: 273 full tiles and one of 112, one full and one of 17, one of 1."""
    widths = [[tile_width(level, index, 70_000) for index in range(275)] for level in range(4)]
    assert widths[0] == [256] * 273 + [112, 0]
    assert widths[1][:3] == [256, 17, 0]
    assert widths[2][:2] == [1, 0]
    assert not any(widths[3])


def test_every_node_is_found_in_its_tile() -> None:
    """The hash of each complete subtree of a small tree comes out of the tile and the hashes that ``span_of`` names."""
    tree = NaiveTree([b"%d" % index for index in range(1024)])
    for level in range(11):
        for index in range(1024 >> level):
            span = span_of(Node(level, index))
            height = span.level * 8
            start = span.index * 256 << height
            tile = b"".join(tree.hash(start + (at << height), start + (at + 1 << height)) for at in range(span.end))
            assert span.root(tile) == tree.hash(index << level, (index + 1) << level)


def test_a_tile_holds_whole_hashes() -> None:
    """Hashes come apart as they were joined, and a part of one is no tile."""
    hashes = [leaf_hash(b"%d" % index) for index in range(5)]
    assert split_hashes(b"".join(hashes)) == hashes
    with pytest.raises(ValueError, match="whole hashes"):
        split_hashes(bytes(HASH_SIZE + 1))

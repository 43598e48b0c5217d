"""Tiles as they come out of a growing tree."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from audit.growth import FullTile, Growth, filled_levels
from audit.merkle import Frontier, complete_root
from audit.tiles import split_hashes

LEAVES = [sha256(b"%d" % index).digest() for index in range(256 * 256 + 300)]


def test_leaves_come_out_as_tiles() -> None:
    """65,836 leaves give 257 tiles of level 0 and one of level 1, each with its place, its hashes and their root."""
    growth = Growth(Frontier())
    full = growth.extend(LEAVES)
    lowest = [tile for tile in full if tile.level == 0]
    assert [tile.index for tile in lowest] == list(range(257))
    assert b"".join(tile.data for tile in lowest) == b"".join(LEAVES[: 257 * 256])
    assert all(tile.root == complete_root(split_hashes(tile.data)) for tile in full)
    (above,) = [tile for tile in full if tile.level != 0]
    assert (above.level, above.index) == (1, 0)
    assert above.data == b"".join(tile.root for tile in lowest[:256])
    assert growth.frontier.size == len(LEAVES)


def test_what_has_not_filled_is_at_the_edge() -> None:
    """The partial tiles are those of the tree's size, with the hashes that full ones would begin with."""
    growth = Growth(Frontier())
    full = growth.extend(LEAVES)
    partial = {tile.path: data for tile, data in growth.partial_tiles()}
    assert partial == {
        "tile/0/257.p/44": b"".join(LEAVES[257 * 256 :]),
        "tile/1/001.p/1": full[-1].root,
        "tile/2/000.p/1": next(tile.root for tile in full if tile.level == 1),
    }


@given(st.lists(st.integers(min_value=0, max_value=700), max_size=6))
def test_however_the_leaves_arrive_the_tiles_are_the_same(batches: list[int]) -> None:
    """Leaves one by one, or in batches of any size, fill the same tiles and grow the same edge."""
    single, batched = Growth(Frontier()), Growth(Frontier())
    start = 0
    for count in batches:
        leaves = LEAVES[start : start + count]
        start += count
        one_by_one: list[FullTile] = []
        for leaf in leaves:
            one_by_one += single.append(leaf)
        assert batched.extend(leaves) == one_by_one
    assert single.frontier == batched.frontier
    assert single.partial_tiles() == batched.partial_tiles()


@given(st.integers(min_value=0, max_value=1200), st.integers(min_value=0, max_value=600))
def test_a_growth_resumes_with_the_tiles_that_are_going_to_fill(size: int, added: int) -> None:
    """A growth that is given the edge and the last hashes of each level to be filled goes on as if never stopped."""
    whole = Growth(Frontier())
    whole.extend(LEAVES[:size])
    partial = {tile.level: split_hashes(data) for tile, data in whole.partial_tiles()}
    wanted = filled_levels(size, added)
    resumed = Growth(whole.frontier.copy(), {level: partial.get(level, []) for level in wanted})
    full = resumed.extend(LEAVES[size : size + added])
    assert full == whole.extend(LEAVES[size : size + added])
    assert tuple(sorted({tile.level for tile in full})) == wanted


def test_filled_levels_are_those_whose_tile_ends() -> None:
    """Level l fills where the size passes a multiple of 256^(l+1)."""
    assert filled_levels(0, 255) == ()
    assert filled_levels(0, 256) == (0,)
    assert filled_levels(255, 1) == (0,)
    assert filled_levels(65_535, 1) == (0, 1)
    assert filled_levels(65_536, 0) == ()
    assert filled_levels((1 << 24) - 1, 1) == (0, 1, 2)

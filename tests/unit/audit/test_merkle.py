"""The tree of RFC 6962, against the RFC's own recursion and transparency-dev's vectors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ProofError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    complete_root,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_nodes,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.audit.naive_tree import NaiveTree

LARGEST = 1025
TREE: Final = NaiveTree([b"entry %d" % index for index in range(LARGEST)])
SIZES: Final = st.integers(min_value=1, max_value=LARGEST)

SHORT_ROOTS = "additional/sizes-are-equal-one-and-proof-is-empty.json"
"""The one vector that we refuse although it is labelled valid: its two equal "roots" are twelve bytes of text."""


def read(node: Node) -> bytes:
    """Give a complete subtree's hash, as the recursion has it."""
    return TREE.hash(node.index << node.level, (node.index + 1) << node.level)


def vectors(data: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and content of each vector of one kind; a folder without any would prove nothing."""
    paths = sorted((data / "conf-merkle" / kind).rglob("*.json"))
    assert paths
    for path in paths:
        yield str(path.relative_to(data / "conf-merkle" / kind)), json.loads(path.read_text())


def decoded(vector: dict[str, Any], member: str) -> bytes:
    """Give a hash of a vector."""
    return base64.b64decode(vector[member])


def proof_of(vector: dict[str, Any]) -> list[bytes]:
    """Give the proof of a vector; an empty one is null in some."""
    return [base64.b64decode(each) for each in vector["proof"] or ()]


def holds(vector: dict[str, Any], *, start: int = 0) -> bool:
    """Say whether an inclusion vector verifies; a subtree from ``start`` on is a tree of its own."""
    size = vector["treeSize"] if "treeSize" in vector else vector["end"] - start
    leaf, root = decoded(vector, "leafHash"), decoded(vector, "root")
    try:
        verify_inclusion(leaf=leaf, index=vector["leafIdx"] - start, size=size, proof=proof_of(vector), root=root)
    except ProofError:
        return False
    return True


def is_consistent(vector: dict[str, Any], *, first: int, second: int) -> bool:
    """Say whether a consistency vector verifies."""
    roots = {"first_root": decoded(vector, "root1"), "second_root": decoded(vector, "root2")}
    try:
        verify_consistency(first=first, second=second, proof=proof_of(vector), **roots)
    except ProofError:
        return False
    return True


def test_inclusion_vectors(shared_data: Path) -> None:
    """Each inclusion vector verifies or is refused, as it is labelled."""
    for name, vector in vectors(shared_data, "inclusion"):
        assert holds(vector) is not vector["wantErr"], name


def test_subtree_inclusion_vectors(shared_data: Path) -> None:
    """An inclusion proof within a subtree is one in the tree that the subtree is."""
    for name, vector in vectors(shared_data, "subtreeinclusion"):
        assert holds(vector, start=vector["start"]) is not vector["wantErr"], name


def test_consistency_vectors(shared_data: Path) -> None:
    """Each consistency vector verifies or is refused, as it is labelled, but for the one whose roots are no hashes."""
    for name, vector in vectors(shared_data, "consistency"):
        expected = not vector["wantErr"] and name != SHORT_ROOTS
        assert is_consistent(vector, first=vector["size1"], second=vector["size2"]) is expected, name


def test_subtree_consistency_vectors(shared_data: Path) -> None:
    """A subtree that starts at 0 is an earlier tree; others belong to a proof system that RFC 6962 does not have."""
    for name, vector in vectors(shared_data, "subtreeconsistency"):
        if vector["start"] == 0:
            expected = not vector["wantErr"] and name != SHORT_ROOTS
            assert is_consistent(vector, first=vector["end"], second=vector["size"]) is expected, name


def test_every_root_up_to_1025_leaves() -> None:
    """The frontier, grown leaf by leaf, has the recursion's root at every size, and so does a tree made of nodes."""
    frontier = Frontier()
    for size in range(LARGEST + 1):
        assert frontier.size == size
        assert frontier.root() == tree_root(size, read) == TREE.root(size)
        if size < LARGEST:
            frontier.append(leaf_hash(TREE.entries[size]))


def test_inclusion_proofs_up_to_1025_leaves() -> None:
    """At every size, the proofs of the first, the last and leaves in between are the recursion's, and verify."""
    for size in range(1, LARGEST + 1):
        for index in {0, size // 3, size // 2, size * 7 // 8, size - 1}:
            proof = inclusion_proof(index, size, read)
            assert proof == TREE.path(index, size)
            leaf = leaf_hash(TREE.entries[index])
            verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root=TREE.root(size))


def test_consistency_proofs_of_every_pair_up_to_257() -> None:
    """Between any two sizes up to 257 the proof is the recursion's, and verifies."""
    for second in range(1, 258):
        for first in range(1, second + 1):
            proof = consistency_proof(first, second, read)
            assert proof == TREE.proof(first, second)
            roots = {"first_root": TREE.root(first), "second_root": TREE.root(second)}
            verify_consistency(first=first, second=second, proof=proof, **roots)


@given(SIZES, st.data())
def test_a_frontier_resumes_where_it_was_left(size: int, data: st.DataObject) -> None:
    """A frontier remade from its size and hashes grows as the first would have, and a copy leaves the first alone."""
    middle = data.draw(st.integers(min_value=0, max_value=size))
    first = Frontier()
    for entry in TREE.entries[:middle]:
        first.append(leaf_hash(entry))
    resumed, copy = Frontier(size=first.size, hashes=first.hashes.copy()), first.copy()
    for entry in TREE.entries[middle:size]:
        resumed.append(leaf_hash(entry))
        copy.append(leaf_hash(entry))
    assert resumed.root() == copy.root() == TREE.root(size)
    assert first.root() == TREE.root(middle)


@given(st.integers(min_value=0, max_value=9), st.integers(min_value=0, max_value=10))
def test_a_frontier_takes_whole_subtrees(level: int, count: int) -> None:
    """Appending the roots of complete subtrees gives the tree of their leaves."""
    count = min(count, LARGEST >> level)
    frontier = Frontier()
    for index in range(count):
        closed = frontier.append(read(Node(level, index)), level=level)
        assert closed == [TREE.hash((index + 1 - (1 << up) << level), index + 1 << level) for up in range(len(closed))]
    assert (frontier.size, frontier.root()) == (count << level, TREE.root(count << level))


@pytest.mark.parametrize(("size", "hashes"), [(1, 0), (0, 1), (3, 1), (-1, 1), (4, 3)])
def test_a_frontier_that_belongs_to_no_tree_is_refused(size: int, hashes: int) -> None:
    """A frontier has as many hashes as its size has one bits."""
    with pytest.raises(ValueError, match="one hash for each one bit"):
        Frontier(size=size, hashes=[EMPTY_ROOT] * hashes)


def test_complete_root_is_the_subtrees_root() -> None:
    """The root over the hashes of 2^n leaves is the recursion's."""
    for level in range(11):
        assert complete_root([leaf_hash(entry) for entry in TREE.entries[: 1 << level]]) == TREE.root(1 << level)


@given(SIZES, st.data())
def test_a_spoilt_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    """A flipped bit in leaf, root or proof, a hash too many or too few, another index or size: none verifies."""
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaf, root, path = leaf_hash(TREE.entries[index]), TREE.root(size), TREE.path(index, size)
    bit = data.draw(st.integers(min_value=0, max_value=255))
    spoilt = [
        (flipped(leaf, bit), index, size, path, root),
        (leaf, index, size, path, flipped(root, bit)),
        (leaf, index, size, (*path, root), root),
        (leaf, index, size, (leaf, *path), root),
        (leaf, size, size, path, root),
        (leaf, -1, size, path, root),
        (leaf, index, size, (*path, b"short"), root),
        *((leaf, index, size, path[:at] + path[at + 1 :], root) for at in range(len(path))),
        *((leaf, index, size, (*path[:at], flipped(path[at], bit), *path[at + 1 :]), root) for at in range(len(path))),
    ]
    for each_leaf, each_index, each_size, each_path, each_root in spoilt:
        with pytest.raises(ProofError):
            verify_inclusion(leaf=each_leaf, index=each_index, size=each_size, proof=each_path, root=each_root)


@given(SIZES, st.data())
def test_a_spoilt_consistency_proof_is_refused(second: int, data: st.DataObject) -> None:
    """A flipped bit in a root or the proof, a hash too many or too few, sizes swapped: none verifies."""
    first = data.draw(st.integers(min_value=1, max_value=second))
    old, new, proof = TREE.root(first), TREE.root(second), TREE.proof(first, second)
    bit = data.draw(st.integers(min_value=0, max_value=255))
    spoilt = [
        (first, second, flipped(old, bit), new, proof),
        (first, second, old, flipped(new, bit), proof),
        (first, second, old, new, (*proof, new)),
        (0, second, EMPTY_ROOT, new, proof),
        (second + 1, second, old, new, proof),
        (first, second, old[:-1], new, proof),
        *((first, second, old, new, proof[:at] + proof[at + 1 :]) for at in range(len(proof))),
        *(
            (first, second, old, new, (*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]))
            for at in range(len(proof))
        ),
    ]
    for each_first, each_second, first_root, second_root, each in spoilt:
        with pytest.raises(ProofError):
            verify_consistency(
                first=each_first, second=each_second, first_root=first_root, second_root=second_root, proof=each
            )


def test_asking_for_a_proof_that_can_not_be_is_an_error() -> None:
    """No proof is made of a leaf outside the tree, nor from an empty or larger first tree."""
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="not in the tree"):
            inclusion_proof(index, size, read)
    for first, second in ((0, 5), (6, 5)):
        with pytest.raises(ValueError, match="neither empty nor larger"):
            consistency_proof(first, second, read)


@given(SIZES, st.data())
def test_the_nodes_that_are_named_are_the_nodes_that_are_read(size: int, data: st.DataObject) -> None:
    """Proofs and roots read just the nodes that were announced, each of them complete and within the tree."""
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    seen: list[Node] = []

    def reading(node: Node) -> bytes:
        seen.append(node)
        return read(node)

    inclusion_proof(index, size, reading)
    consistency_proof(index + 1, size, reading)
    tree_root(size, reading)
    assert seen == [*inclusion_nodes(index, size), *consistency_nodes(index + 1, size), *root_nodes(size)]
    assert all((node.index + 1) << node.level <= size for node in seen)


def test_leaves_and_nodes_hash_apart() -> None:
    """The empty tree's, an empty leaf's and a node's hash are the published ones (RFC 9162 section 2.1.1)."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


def flipped(value: bytes, bit: int) -> bytes:
    """Return the value with one bit turned."""
    turned = bytearray(value)
    turned[bit // 8 % len(turned)] ^= 1 << bit % 8
    return bytes(turned)

"""The Merkle tree of RFC 6962, which RFC 9162 section 2.1 keeps: hashes, growth, proofs, and their verification.

Pure. A tree of n leaves is made of *complete* subtrees, each a ``Node``: at level l, number i, it covers the leaves
``[i * 2^l, (i + 1) * 2^l)``. A proof is made in two steps, so that its maker may fetch in between: ``…_nodes`` names
the nodes that it needs, ``…_proof`` folds their hashes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

from audit.errors import ProofError
from schemas.bilingual import Bilingual

HASH_SIZE: Final = 32
"""Bytes of a SHA-256 hash."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves (RFC 9162 section 2.1.1)."""

_LEAF: Final = hashlib.sha256(b"\x00")
_NODE: Final = hashlib.sha256(b"\x01")
"""What all leaves begin with, and all other nodes: to go on from a copy takes less time than to begin anew."""


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A complete subtree: at ``level`` l, number ``index`` i, the leaves ``[i * 2^l, (i + 1) * 2^l)``."""

    level: int
    index: int


HashReader = Callable[[Node], bytes]
"""Gives the hash of a complete subtree of the tree."""


def leaf_hash(entry: bytes) -> bytes:
    """Return ``SHA-256(0x00 || entry)`` (RFC 9162 section 2.1.1)."""
    leaf = _LEAF.copy()
    leaf.update(entry)
    return leaf.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)`` (RFC 9162 section 2.1.1)."""
    node = _NODE.copy()
    node.update(left + right)
    return node.digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring hashes of one level; their number is a power of two."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: the roots of the complete subtrees it is made of, largest first.

    One for each one bit of ``size``: all that is needed to append, at one hash a leaf on average.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse an edge that does not belong to the size."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash for each one bit of its size")

    def append(self, root: bytes, *, level: int = 0) -> list[bytes]:
        """Add a leaf's hash, or the root of a complete subtree of 2^level leaves where ``size`` is a multiple of that.

        Returns the roots of the complete subtrees that end here, from ``level`` up: what was given, then each one
        that it closed.
        """
        closed = [root]
        position = self.size >> level
        while position & 1:
            closed.append(node_hash(self.hashes.pop(), closed[-1]))
            position >>= 1
        self.hashes.append(closed[-1])
        self.size += 1 << level
        return closed

    def root(self) -> bytes:
        """Return the tree's root."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def root_with(self, rest: bytes) -> bytes:
        """Return the root with more leaves, at most as many as the last subtree here has; ``rest`` is their root."""
        return _fold([*self.hashes, rest])

    def copy(self) -> Frontier:
        """Return an edge of its own, to grow another way."""
        return Frontier(size=self.size, hashes=self.hashes.copy())


def root_nodes(size: int) -> tuple[Node, ...]:
    """Return the complete subtrees that a tree is made of, largest first."""
    return tuple(_nodes_of(0, size))


def tree_root(size: int, read: HashReader) -> bytes:
    """Return the root of the tree of the first ``size`` leaves."""
    return _fold([read(node) for node in root_nodes(size)]) if size else EMPTY_ROOT


def inclusion_nodes(index: int, size: int) -> tuple[Node, ...]:
    """Return the nodes whose hashes ``inclusion_proof`` reads."""
    return tuple(node for start, end in _inclusion_ranges(index, size) for node in _nodes_of(start, end))


def inclusion_proof(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 9162 section 2.1.3.1).

    Raises ``ValueError`` unless ``0 <= index < size``.
    """
    return tuple(_range_hash(start, end, read) for start, end in _inclusion_ranges(index, size))


def consistency_nodes(first: int, second: int) -> tuple[Node, ...]:
    """Return the nodes whose hashes ``consistency_proof`` reads."""
    return tuple(node for start, end in _consistency_ranges(first, second) for node in _nodes_of(start, end))


def consistency_proof(first: int, second: int, read: HashReader) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``first`` leaves begins that of ``second`` (RFC 9162 section 2.1.4.1).

    Raises ``ValueError`` unless ``0 < first <= second``.
    """
    return tuple(_range_hash(start, end, read) for start, end in _consistency_ranges(first, second))


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf's hash is at ``index`` of the tree with this size and root (RFC 9162 section 2.1.3.2).

    Raises ``ProofError``.
    """
    _require_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(_NOT_IN_TREE)
    node, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(_WRONG_LENGTH)
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            node, last = _up_to_a_right_child(node, last)
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError(_WRONG_LENGTH)
    if not hmac.compare_digest(current, root):
        raise ProofError(_NO_INCLUSION)


def verify_consistency(
    *, first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the second tree only adds leaves to the first (RFC 9162 section 2.1.4.2).

    The empty tree is consistent with every tree and proves nothing, so ``first`` is at least 1. Raises
    ``ProofError``.
    """
    _require_hashes(first_root, second_root, *proof)
    if not 0 < first <= second:
        raise ProofError(_NOT_IN_TREE)
    if first == second:
        if proof:
            raise ProofError(_WRONG_LENGTH)
        recomputed = first_root, first_root
    else:
        recomputed = _consistent_roots(first, second, first_root, proof)
    if recomputed != (first_root, second_root):
        raise ProofError(_NO_CONSISTENCY)


def _consistent_roots(first: int, second: int, first_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    # Steps 1 to 6 of RFC 9162 section 2.1.4.2.
    path = [first_root, *proof] if first.bit_count() == 1 else list(proof)
    if not proof:
        raise ProofError(_WRONG_LENGTH)
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first_current = second_current = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError(_WRONG_LENGTH)
        if node & 1 or node == last:
            first_current = node_hash(sibling, first_current)
            second_current = node_hash(sibling, second_current)
            node, last = _up_to_a_right_child(node, last)
        else:
            second_current = node_hash(second_current, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError(_WRONG_LENGTH)
    return first_current, second_current


def _up_to_a_right_child(node: int, last: int) -> tuple[int, int]:
    # "right-shift both equally until either LSB(fn) is set or fn is 0": a level without a sibling adds no hash.
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _split(count: int) -> int:
    # The largest power of two smaller than the count (RFC 9162 section 2.1.1).
    return 1 << (count - 1).bit_length() - 1


def _inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    # PATH(m, D[n]) of RFC 9162 section 2.1.3.1: the sibling of every subtree on the way, nearest the leaf first.
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    ranges, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def _consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    # PROOF(m, D[n]) of RFC 9162 section 2.1.4.1. The verifier has MTH(D[0:m]) already: it is left out where it is
    # itself a subtree of the second tree, which is what the RFC's flag b says.
    if not 0 < first <= second:
        raise ValueError("the first tree must be neither empty nor larger than the second")
    ranges, start, end = [], 0, second
    while end > first:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start > 0:
        ranges.append((start, end))
    return ranges[::-1]


def _nodes_of(start: int, end: int) -> Iterator[Node]:
    # ``start`` is a multiple of the largest power of two in the range's length, as every range above is.
    while start < end:
        level = (end - start).bit_length() - 1
        yield Node(level, start >> level)
        start += 1 << level


def _range_hash(start: int, end: int, read: HashReader) -> bytes:
    return _fold([read(node) for node in _nodes_of(start, end)])


def _fold(roots: Sequence[bytes]) -> bytes:
    return reduce(lambda right, left: node_hash(left, right), reversed(roots))


def _require_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_SIZE for value in hashes):
        raise ProofError(_WRONG_LENGTH)


_NOT_IN_TREE: Final = Bilingual(
    fr="L'inscription ou la taille demandée n'existe pas dans cet arbre.",
    en="The tree has no such entry or size.",
)
_WRONG_LENGTH: Final = Bilingual(
    fr="La preuve n'a pas la longueur que la taille de l'arbre exige.",
    en="The proof has not the length that the tree's size calls for.",
)
_NO_INCLUSION: Final = Bilingual(
    fr="La preuve ne mène pas à la racine : l'inscription n'est pas à cette place du journal.",
    en="The proof does not lead to the root: the entry is not at this place of the log.",
)
_NO_CONSISTENCY: Final = Bilingual(
    fr="La preuve ne mène pas aux deux racines : le second arbre n'est pas la suite du premier.",
    en="The proof does not lead to both roots: the second tree does not continue the first.",
)

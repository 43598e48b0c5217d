"""Small logs in memory, whose checkpoints and proofs tests hold against whoever shall believe them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from audit.checkpoints import CheckpointBody
from audit.merkle import Frontier, Node, complete_root, consistency_proof, leaf_hash
from audit.note import LogSigner
from audit.witness import AddCheckpoint


class SmallLog:
    """A log of as many entries as are wanted; another ``seed`` is another history under the same key."""

    def __init__(self, signer: LogSigner, count: int, *, seed: str = "") -> None:
        self.signer = signer
        self.leaves = [leaf_hash(hashlib.sha256(f"{seed}{number}".encode()).digest()) for number in range(count)]

    def root(self, size: int) -> bytes:
        """Return the root of the first entries."""
        frontier = Frontier()
        for leaf in self.leaves[:size]:
            frontier.append(leaf)
        return frontier.root()

    def note(self, size: int) -> bytes:
        """Return the signed checkpoint of the first entries."""
        return self.signer.sign(CheckpointBody(self.signer.origin, size, self.root(size)).text).encode()

    def proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """Return the proof that the larger tree continues the smaller."""
        return consistency_proof(first, second, self._hash)

    def request(self, old: int, size: int, *, proof: Sequence[bytes] | None = None) -> AddCheckpoint:
        """Return the request to cosign a size after another."""
        right = self.proof(old, size) if 0 < old <= size else ()
        return AddCheckpoint(old, right if proof is None else tuple(proof), self.note(size))

    def _hash(self, node: Node) -> bytes:
        return complete_root(self.leaves[node.index << node.level : (node.index + 1) << node.level])

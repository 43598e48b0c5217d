"""The exchange log: append, Merkle tree, checkpoints, proofs, verification."""

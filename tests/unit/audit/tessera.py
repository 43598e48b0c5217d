"""Tessera's test log, as its makers publish it: its verifier key, and the form of its entries."""

from __future__ import annotations

from typing import Final

VKEY: Final = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def split_bundle(bundle: bytes) -> list[bytes]:
    """Give the entries of an entry bundle, each of which follows its length (C2SP tlog-tiles)."""
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2])
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries

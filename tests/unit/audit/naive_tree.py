"""RFC 6962's definitions word for word: recursive, slow, and sharing no line with the tree under test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256


class NaiveTree:
    """The tree over a list of entries."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = tuple(entries)
        self.hash = lru_cache(maxsize=None)(self._hash)

    def root(self, size: int) -> bytes:
        """MTH(D[size])."""
        return self.hash(0, size)

    def path(self, index: int, size: int) -> tuple[bytes, ...]:
        """PATH(index, D[size]) of section 2.1.1."""
        return self._path(index, 0, size)

    def proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """PROOF(first, D[second]) of section 2.1.2."""
        return self._subproof(first, 0, second, known=True)

    def _hash(self, start: int, end: int) -> bytes:
        count = end - start
        if count == 0:
            return sha256().digest()
        if count == 1:
            return sha256(b"\x00" + self.entries[start]).digest()
        middle = start + _largest_power_below(count)
        return sha256(b"\x01" + self.hash(start, middle) + self.hash(middle, end)).digest()

    def _path(self, index: int, start: int, end: int) -> tuple[bytes, ...]:
        if end - start == 1:
            return ()
        k = _largest_power_below(end - start)
        if index < k:
            return (*self._path(index, start, start + k), self.hash(start + k, end))
        return (*self._path(index - k, start + k, end), self.hash(start, start + k))

    def _subproof(self, m: int, start: int, end: int, *, known: bool) -> tuple[bytes, ...]:
        if m == end - start:
            return () if known else (self.hash(start, end),)
        k = _largest_power_below(end - start)
        if m <= k:
            return (*self._subproof(m, start, start + k, known=known), self.hash(start + k, end))
        return (*self._subproof(m - k, start + k, end, known=False), self.hash(start, start + k))


def _largest_power_below(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power

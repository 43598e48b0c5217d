"""Marks: what stands in a database in the place of words that it must tell apart and must not tell.

A mark is HMAC-SHA-256 (RFC 2104, FIPS 198-1) under one key that is nowhere but in the folder of the keys that wrap. So
the same words are found again for as long as there is an exchange, also after the content they were sealed with is
gone, and nobody who has the database alone, or a backup of it, confirms a guess.
"""

from __future__ import annotations

import hashlib
from typing import Final

MARK_SIZE: Final = 32
"""Bytes of a mark."""
_BLOCK: Final = 64
"""Bytes of a block of SHA-256."""
_LENGTH: Final = 8
"""Bytes before each part that say how many it has, the most significant first."""


class Marks:
    """Makes marks under one key. Any thread may ask."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Make marks under a key of 32 bytes, which is hashed once for all of them (RFC 2104 section 4)."""
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(each ^ 0x36 for each in block))
        self._outer = hashlib.sha256(bytes(each ^ 0x5C for each in block))

    def of(self, *parts: str) -> bytes:
        """Return the mark of some texts in their order, 32 bytes.

        Each part is preceded by its length, so no two lists of parts are one: not ``("a", "bc")`` and ``("ab", "c")``.
        The first part says what the others are, so that a mark made for one purpose is none of another's.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        for part in parts:
            # any text has a mark, a lone surrogate's too, which a query of a URL may name
            data = part.encode("utf-8", "surrogatepass")
            inner.update(len(data).to_bytes(_LENGTH, "big") + data)
        outer.update(inner.digest())
        return outer.digest()

    @property
    def check(self) -> bytes:
        """A mark of nothing that anybody says: by it a database knows the key that its marks were made under."""
        return self.of("check")

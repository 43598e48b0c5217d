"""Marks: what stands in a database in the place of words that it must tell apart and must not tell.

A mark is HMAC-SHA-256 (RFC 2104, FIPS 198-1) under one key that is nowhere but in the folder of the keys that wrap. So
the same words are found again for as long as there is an exchange, also after the content they were sealed with is
gone, and nobody who has the database alone, or a backup of it, confirms a guess.
"""

from __future__ import annotations

import hmac
from typing import Final

MARK_SIZE: Final = 32
"""Bytes of a mark."""
_LENGTH: Final = 8
"""Bytes before each part that say how many it has, the most significant first."""


class Marks:
    """Makes marks under one key. Any thread may ask."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, *parts: str) -> bytes:
        """Return the mark of some texts in their order, 32 bytes.

        Each part is preceded by its length, so no two lists of parts are one: not ``("a", "bc")`` and ``("ab", "c")``.
        The first part says what the others are, so that a mark made for one purpose is none of another's.
        """
        encoded = bytearray()
        for part in parts:
            # any text has a mark, a lone surrogate's too, which a query of a URL may name
            data = part.encode("utf-8", "surrogatepass")
            encoded += len(data).to_bytes(_LENGTH, "big") + data
        return hmac.digest(self._key, encoded, "sha256")

    @property
    def check(self) -> bytes:
        """A mark of nothing that anybody says: by it a database knows the key that its marks were made under."""
        return self.of("check")

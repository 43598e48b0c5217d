"""Which 32 bytes are a sound Ed25519 public key (RFC 8032 section 5.1.3, and what it leaves open).

OpenSSL takes any 32 bytes as a key and finds out while verifying; a registry must not. Refused here: encodings that
are not canonical, bytes that are no point of the curve, and the points of small order, under which one signature fits
many messages. A point with a small-order component besides its large one is a sound key.
"""

from __future__ import annotations

from typing import Final

P: Final = 2**255 - 19
"""The field's prime (RFC 8032 section 5.1)."""
D: Final = -121665 * pow(121666, -1, P) % P
"""The curve's constant: -x² + y² = 1 + d·x²·y²."""

_ORDER_EIGHT: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL_ORDER: Final = frozenset({0, 1, P - 1, _ORDER_EIGHT, P - _ORDER_EIGHT})
"""The y coordinates of the eight points whose order divides 8."""


def is_sound_point(encoded: bytes) -> bool:
    """Whether 32 bytes are the canonical encoding of a point of the curve whose order is large."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= P or y in SMALL_ORDER:
        return False
    # x² = (y² - 1) / (d·y² + 1) has a root exactly where numerator times denominator is a square. It is not zero:
    # only y = ±1 make the numerator so, which are of small order, and nothing the denominator.
    numerator, denominator = y * y - 1, D * y * y + 1
    return pow(numerator * denominator, (P - 1) // 2, P) == 1

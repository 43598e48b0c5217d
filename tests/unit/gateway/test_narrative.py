"""What the narrative makes of texts that others wrote."""

from __future__ import annotations

import sys
import unicodedata
from typing import Final

from gateway.narrative.page import visible

_HIDING: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_whatever_hides_or_turns_around_is_shown() -> None:
    """Each character that this Python knows to be of such a kind is written as its code point, and letters are not."""
    for each in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(each)
        if category in _HIDING:
            assert visible(each) == f"[U+{ord(each):04X}]"
        elif category != "Cn":
            assert visible(each) == each


def test_a_letter_of_a_later_unicode_is_left_as_it_is() -> None:
    """Whether this Python knows it or not: the same evidence has the same narrative wherever it is written."""
    for later in ("\U0001fae8", "\U0001fa89", "\U000113d1", "\u1c8a"):  # of Unicode 15 and 16
        assert visible(later) == later
    for never in ("\ufdd0", "\U0001ffff", "\U000e0fff"):
        assert visible(never).startswith("[U+")

"""Lists that say something: never empty, nothing in them twice.

Checked once every item is right by itself, so that a wrong item is not reported as a missing one too.
"""

from __future__ import annotations

from typing import Final, TypeVar

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError

_Item = TypeVar("_Item")


def some(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Refuse an empty list: it would name nobody and allow nothing, and so was hardly meant."""
    if not items:
        raise BrokenRuleError(_EMPTY)
    return items


def some_once(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Refuse an empty list, and one that names an item twice: a reader would wonder what the second one means."""
    if len(set(items)) != len(items):
        raise BrokenRuleError(_TWICE)
    return some(items)


def two_or_more(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Refuse a list of one, an empty one, and one that names an item twice."""
    if len(some_once(items)) == 1:
        raise BrokenRuleError(_ALONE)
    return items


_EMPTY: Final = Bilingual(
    fr="Une liste vide ne désigne rien ni personne : il faut au moins un élément.",
    en="An empty list means nothing and nobody: there must be at least one item.",
)
_TWICE: Final = Bilingual(fr="Un élément figure deux fois dans cette liste.", en="An item stands twice in this list.")
_ALONE: Final = Bilingual(fr="Il en faut au moins deux.", en="There must be at least two.")

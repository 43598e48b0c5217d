"""Rules that join several members of an alert, which no type of a single one can express."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.bilingual import Bilingual

Path = tuple[str | int, ...]
"""Member names and list positions, from the object whose rule it is."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that does not hold: where, its stable name, and why, without the values."""

    path: Path
    code: str
    reason: Bilingual


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its stable name and the sentence that says it; ``at`` says where it is broken."""

    code: str
    reason: Bilingual

    def at(self, *path: str | int) -> BrokenRule:
        """Return that the rule does not hold at a place below the object whose rule it is."""
        return BrokenRule(path, self.code, self.reason)


class BrokenRulesError(ValueError):
    """Members that are each well formed do not go together; ``rules`` names every rule that is broken."""

    def __init__(self, rules: tuple[BrokenRule, ...]) -> None:
        super().__init__(", ".join(rule.code for rule in rules))
        self.rules = rules


PART_ABOVE_WHOLE: Final = Rule(
    "part-above-whole",
    Bilingual(fr="Une partie ne peut dépasser l'ensemble.", en="A part can't be greater than the whole."),
)
"""Of two counts the one is among the other, and yet greater."""

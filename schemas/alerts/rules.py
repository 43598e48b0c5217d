"""Rules that join several members of an alert, which no type of a single one can express."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.bilingual import Bilingual

Path = tuple[str | int, ...]
"""Member names and list positions, from the object whose rule it is."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that does not hold: where, its stable name, and why, without the values."""

    path: Path
    code: str
    reason: Bilingual


class BrokenRulesError(ValueError):
    """Members that are each well formed do not go together; ``rules`` names every rule that is broken."""

    def __init__(self, rules: tuple[BrokenRule, ...]) -> None:
        super().__init__(", ".join(rule.code for rule in rules))
        self.rules = rules

"""Text that a person reads: always in French and in English."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["fr", "en"]


@dataclass(frozen=True, slots=True)
class Bilingual:
    """The same sentence in French and in English; neither may be empty."""

    fr: str
    en: str

    def __post_init__(self) -> None:
        """Refuse a text that one language lacks."""
        if not self.fr.strip() or not self.en.strip():
            raise ValueError("a bilingual text needs both fr and en")

    def in_language(self, language: Language) -> str:
        """Return the text in one language."""
        return self.fr if language == "fr" else self.en


def preferred_language(accept_language: str | None) -> Language:
    """Return the language an ``Accept-Language`` field asks for first (RFC 9110 section 12.5.4); English else."""
    best: tuple[float, Language] = (0.0, "en")
    for item in (accept_language or "").split(",")[:16]:
        tag, _, parameters = item.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if primary in ("fr", "en") and weight > best[0]:
            best = (weight, "fr" if primary == "fr" else "en")
    return best[1]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0

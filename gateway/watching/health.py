"""Is the process alive, and can it do its work? Each part of it by name, with what is the matter.

A part works, or is degraded (it matters, and alerts are accepted all the same), or fails: then nothing can be accepted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.bilingual import Bilingual

LASTS: Final = 0.5
"""Seconds that a report is good for, so that whoever asks often costs the database nothing."""
PATIENCE: Final = 2.0
"""Seconds that a part may take to answer."""


class Condition(StrEnum):
    """How a part is, and with all of them the process."""

    WORKING = "ready"
    DEGRADED = "degraded"
    FAILING = "unavailable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part's condition; ``detail`` is a short fixed phrase, or numbers, ``reason`` what a person is to know."""

    condition: Condition
    detail: str = ""
    reason: Bilingual | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The finding as JSON's types."""
        detail = {"detail": self.detail} if self.detail else {}
        reason = {} if self.reason is None else {"reason": {"fr": self.reason.fr, "en": self.reason.en}}
        return {"state": self.condition.value, **detail, **reason}


WORKS: Final = Finding(Condition.WORKING)

Check = Callable[[], Awaitable[Finding]]
"""Looks at one part. Raises nothing that it can explain."""


@dataclass(frozen=True, slots=True)
class Report:
    """What every part was found to be."""

    parts: tuple[tuple[str, Finding], ...]

    @property
    def condition(self) -> Condition:
        """The worst of all."""
        found = {finding.condition for _, finding in self.parts}
        return next((each for each in (Condition.FAILING, Condition.DEGRADED) if each in found), Condition.WORKING)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON's types."""
        return {
            "status": self.condition.value,
            "broken": [name for name, finding in self.parts if finding.condition is not Condition.WORKING],
            "parts": {name: finding.document for name, finding in self.parts},
        }


class Health:
    """What readiness depends on. ``overdue`` is what a part is where it does not answer in time, or breaks."""

    def __init__(
        self, parts: Sequence[tuple[str, Check, Condition]], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._parts = tuple(parts)
        self._now = now
        self._report: Report | None = None
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def report(self) -> Report:
        """Return how every part is, found lately."""
        async with self._looking:
            if self._report is None or self._now() >= self._until:
                found = await asyncio.gather(*(_look(check, overdue) for _, check, overdue in self._parts))
                self._report = Report(tuple((part[0], each) for part, each in zip(self._parts, found, strict=True)))
                self._until = self._now() + LASTS
            return self._report


async def _look(check: Check, overdue: Condition) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check()
    except TimeoutError:
        return Finding(overdue, "no answer in time")
    except Exception as error:  # noqa: BLE001 - whatever keeps a part from answering is what is the matter with it
        return Finding(overdue, type(error).__name__)

"""How the versions of one agreement follow one another.

* The highest version whose ``valid.from`` has come governs. An earlier one never comes back, not even when the later
  one expires.
* Before any has begun, the one that begins first governs, so that "not yet in force" can be said.
* A version replaces another only if every party of that other one signed it: nobody ends an agreement for others.

So at each instant one version of each agreement governs, and it is in force or it is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agreements import reasons
from agreements.book import Book, Chapter
from agreements.document import Agreement
from agreements.life import Life, State
from schemas.decisions import Reason
from schemas.ids import JurisdictionCode


@dataclass(frozen=True, slots=True)
class Term:
    """When one version governs, when it is in force, and for whom: instants in UTC, each end exclusive.

    ``governs_from`` and ``governs_until`` are None where there is no such end. ``lapse`` is why it is not in force for
    whoever looks, at any instant, where that is so.
    """

    governs_from: datetime | None
    governs_until: datetime | None
    valid_from: datetime
    valid_until: datetime
    too_early: Reason
    too_late: Reason
    life: Life
    lapse: Reason | None = None

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The instants at which something about this version changes."""
        turns = (self.governs_from, self.governs_until, self.valid_from, self.valid_until, *self.life.turns)
        return tuple(instant for instant in turns if instant is not None)

    def governs(self, now: datetime) -> bool:
        """Return whether this version, and no other of its agreement, is the one to look at."""
        return (self.governs_from is None or self.governs_from <= now) and (
            self.governs_until is None or now < self.governs_until
        )

    def outside(self, now: datetime) -> Reason | None:
        """Return why this version is not in force, or nothing where it is."""
        if self.lapse is not None:
            return self.lapse
        over = self.life.over(now)
        if over is not None:
            return over
        if now < self.valid_from:
            return self.too_early
        return self.too_late if now >= self.valid_until else self.life.suspended(now)

    def between(self, one: JurisdictionCode, other: JurisdictionCode, now: datetime) -> Reason | None:
        """Return why nothing may pass between two jurisdictions under this version, or nothing where it may."""
        if not self.governs(now) and self.governs_until is not None and self.governs_until <= now:
            return reasons.replaced(self.governs_until)
        return self.outside(now) or self.life.unbound(one, now) or self.life.unbound(other, now)

    def lapsed(self, reason: Reason) -> Term:
        """Return the term as those see it for whom the version is not in force."""
        return replace(self, lapse=reason)

    def state(self, now: datetime) -> State:
        """Return what the version is at an instant."""
        if self.life.over(now) is not None:
            return State.ENDED
        if self.governs_until is not None and self.governs_until <= now:
            return State.REPLACED
        if now < self.valid_from:
            return State.SIGNED
        if now >= self.valid_until:
            return State.EXPIRED
        return State.IN_FORCE if self.life.suspended(now) is None else State.SUSPENDED


def succession(book: Book) -> Iterator[tuple[Agreement, Term]]:
    """Yield every version of a book with its term, also one that is overtaken before it ever governs."""
    families: defaultdict[str, list[Chapter]] = defaultdict(list)
    for chapter in book.chapters.values():
        families[chapter.agreement.document.id].append(chapter)
    for _, family in sorted(families.items()):
        yield from _governing(sorted(family, key=lambda chapter: chapter.life.version))


def _governing(family: Sequence[Chapter]) -> Iterator[tuple[Agreement, Term]]:
    documents = [chapter.agreement.document for chapter in family]
    earliest = min(documents, key=lambda document: (document.valid.first, -document.version))
    for position, (document, chapter) in enumerate(zip(documents, family, strict=True)):
        begins = document.valid.first.astimezone(UTC)
        ends = min((later.valid.first.astimezone(UTC) for later in documents[position + 1 :]), default=None)
        yield (
            document,
            Term(
                governs_from=None if document is earliest else begins,
                governs_until=ends,
                valid_from=begins,
                valid_until=document.valid.end.astimezone(UTC),
                too_early=reasons.not_yet_in_force(document.valid.start),
                too_late=reasons.expired(document.valid.until),
                life=chapter.life,
            ),
        )

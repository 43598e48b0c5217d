"""How the versions of one agreement follow one another.

* The highest version whose ``valid.from`` has come governs. An earlier one never comes back, not even when the later
  one expires.
* Before any has begun, the one that begins first governs, so that "not yet in force" can be said.
* A version replaces another only if every party of that other one signed it: nobody ends an agreement for others.

So at each instant one version of each agreement governs, and it is in force or it is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agreements import reasons
from agreements.document import Agreement
from agreements.signed import VerifiedAgreement
from schemas.bilingual import Bilingual
from schemas.decisions import Reason
from schemas.ids import JurisdictionCode


class ConflictingVersionsError(Exception):
    """Two documents claim one version of an agreement, or one would replace another that others signed."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Term:
    """When one version governs, and when it is in force: instants in UTC, each end exclusive, ``None`` for no end."""

    governs_from: datetime | None
    governs_until: datetime | None
    valid_from: datetime
    valid_until: datetime
    too_early: Reason
    too_late: Reason

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The instants at which something about this version changes."""
        turns = (self.governs_from, self.governs_until, self.valid_from, self.valid_until)
        return tuple(instant for instant in turns if instant is not None)

    def governs(self, now: datetime) -> bool:
        """Return whether this version, and no other of its agreement, is the one to look at."""
        return (self.governs_from is None or self.governs_from <= now) and (
            self.governs_until is None or now < self.governs_until
        )

    def outside(self, now: datetime) -> Reason | None:
        """Return why this version is not in force, or nothing where it is."""
        if now < self.valid_from:
            return self.too_early
        return self.too_late if now >= self.valid_until else None


def succession(agreements: Iterable[VerifiedAgreement]) -> Iterator[tuple[Agreement, Term]]:
    """Yield every version that governs at some instant, with its term. Raises ``ConflictingVersionsError``."""
    families: defaultdict[str, list[Agreement]] = defaultdict(list)
    for verified in agreements:
        families[verified.document.id].append(verified.document)
    for _, family in sorted(families.items()):
        family.sort(key=lambda document: document.version)
        _refuse_conflicts(family)
        yield from _governing(family)


def _governing(family: Sequence[Agreement]) -> Iterator[tuple[Agreement, Term]]:
    earliest = min(family, key=lambda document: (document.valid.first, -document.version))
    for position, document in enumerate(family):
        begins = document.valid.first.astimezone(UTC)
        ends = min((later.valid.first.astimezone(UTC) for later in family[position + 1 :]), default=None)
        if ends is None or begins < ends:
            yield (
                document,
                Term(
                    governs_from=None if document is earliest else begins,
                    governs_until=ends,
                    valid_from=begins,
                    valid_until=document.valid.end.astimezone(UTC),
                    too_early=reasons.not_yet_in_force(document.valid.start),
                    too_late=reasons.expired(document.valid.until),
                ),
            )


def _refuse_conflicts(family: Sequence[Agreement]) -> None:
    if len({document.version for document in family}) < len(family):
        raise ConflictingVersionsError(_SAME_VERSION)
    signers: set[JurisdictionCode] = set()
    for document in family:
        if not signers <= set(document.parties):
            raise ConflictingVersionsError(_OTHERS_SIGNED)
        signers.update(document.parties)


_SAME_VERSION: Final = Bilingual(
    fr="Deux documents portent le même identifiant d'entente et la même version.",
    en="Two documents bear the same agreement identifier and the same version.",
)
_OTHERS_SIGNED: Final = Bilingual(
    fr="Une version ne peut remplacer une entente sans la signature de toutes les parties à celle-ci.",
    en="A version cannot replace an agreement without the signature of every party to it.",
)

"""Which witnesses must have cosigned a checkpoint for it to be believed. An empty policy is no policy: it is refused.

Jurisdictions count, not witnesses: two of one jurisdiction are one voice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from audit.cosignature import Cosignature, CosignerKey, cosignatures
from audit.errors import UnmetPolicyError
from audit.note import read_note
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Group:
    """At least ``threshold`` of the jurisdictions that ``of`` names; ``US-*`` names all whose code begins so."""

    of: tuple[str, ...]
    threshold: int = 1

    def names(self, jurisdiction: str) -> bool:
        """Say whether a jurisdiction is in the group."""
        return any(
            jurisdiction.startswith(each.removesuffix(_ANY)) if each.endswith(_ANY) else jurisdiction == each
            for each in self.of
        )

    def is_met_by(self, jurisdictions: Collection[str]) -> bool:
        """Say whether enough of the group are among these."""
        return sum(map(self.names, set(jurisdictions))) >= self.threshold

    def __str__(self) -> str:
        return f"{self.threshold} of {', '.join(self.of)}"


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """The witnesses that are known, by key, each with its jurisdiction; and the groups that must all be met.

    ``within`` is the seconds that the exchange gives its witnesses; what was cosigned once holds for good.
    """

    witnesses: Mapping[CosignerKey, JurisdictionCode]
    groups: tuple[Group, ...]
    within: int = 60

    def __post_init__(self) -> None:
        """Refuse a policy that demands nothing."""
        if not self.groups or any(group.threshold < 1 for group in self.groups):
            raise ValueError("a policy demands at least one jurisdiction")

    def unmet(self, names: Collection[str]) -> tuple[Group, ...]:
        """Return the groups that the witnesses of these names do not meet."""
        found = {jurisdiction for key, jurisdiction in self.witnesses.items() if key.name in names}
        return tuple(group for group in self.groups if not group.is_met_by(found))

    def is_met_by(self, names: Collection[str]) -> bool:
        """Say whether the witnesses of these names are enough."""
        return not self.unmet(names)

    def require(self, note: bytes) -> tuple[Cosignature, ...]:
        """Return the cosignatures of a checkpoint that is cosigned as the policy demands.

        Raises ``UnmetPolicyError``; ``MalformedNoteError``; ``UntrustedNoteError`` for a cosignature that is wrong.
        """
        found = cosignatures(read_note(note), self.witnesses)
        unmet = self.unmet([each.name for each in found])
        if unmet:
            raise UnmetPolicyError(missing(unmet))
        return found


def missing(groups: Collection[Group]) -> Bilingual:
    """Say which groups are not met."""
    fr = "; ".join(f"{group.threshold} parmi {', '.join(group.of)}" for group in groups)
    en = "; ".join(map(str, groups))
    return Bilingual(
        fr=f"Il manque au point de contrôle des cosignatures de témoins : {fr}.",
        en=f"The checkpoint lacks cosignatures of witnesses: {en}.",
    )

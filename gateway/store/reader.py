"""Who asks to read something, of which it may see its own part."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.ids import JurisdictionCode, ParticipantId


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: a participant, its jurisdiction, and whether it audits for that jurisdiction."""

    participant: ParticipantId
    jurisdiction: JurisdictionCode
    auditor: bool

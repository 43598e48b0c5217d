"""What checking a bundle finds: one finding for each check, in words that say no more than was checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audit.errors import AuditError
from schemas.bilingual import Bilingual


class Check(StrEnum):
    """What is checked, in the order in which it is told."""

    MANIFEST = "manifest"
    CHECKPOINT = "checkpoint"
    WITNESSES = "witnesses"
    ENTRIES = "entries"
    STATEMENTS = "statements"
    RECEIPT = "receipt"
    CONTENT = "content"
    AGREEMENTS = "agreements"
    DECISIONS = "decisions"
    REPLAY = "replay"
    DELIVERIES = "deliveries"
    ACKNOWLEDGEMENTS = "acknowledgements"
    CONSENTS = "consents"
    NARRATIVE = "narrative"
    VERIFIER = "verifier"


class Outcome(StrEnum):
    """How a check ended. ``not-made`` is no failure: something that it needs is not there."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_MADE = "not-made"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check ended, and what that means."""

    check: Check
    outcome: Outcome
    words: Bilingual


class WantingError(AuditError):
    """A check fails; ``reason`` says on what."""


class UncheckableError(AuditError):
    """A check can't be made; ``reason`` says what it lacks."""


CAPTIONS: Final = {
    Check.MANIFEST: Bilingual(fr="Dossier signé", en="Signed bundle"),
    Check.CHECKPOINT: Bilingual(fr="Point de contrôle", en="Checkpoint"),
    Check.WITNESSES: Bilingual(fr="Témoins", en="Witnesses"),
    Check.ENTRIES: Bilingual(fr="Inscriptions au journal", en="Log entries"),
    Check.STATEMENTS: Bilingual(fr="Attestations d'autorité", en="Authority statements"),
    Check.RECEIPT: Bilingual(fr="Reçu", en="Receipt"),
    Check.CONTENT: Bilingual(fr="Contenu de l'alerte", en="Content of the alert"),
    Check.AGREEMENTS: Bilingual(fr="Ententes", en="Agreements"),
    Check.DECISIONS: Bilingual(fr="Décisions", en="Decisions"),
    Check.REPLAY: Bilingual(fr="Décisions refaites", en="Decisions made again"),
    Check.DELIVERIES: Bilingual(fr="Remises", en="Deliveries"),
    Check.ACKNOWLEDGEMENTS: Bilingual(fr="Accusés de réception", en="Acknowledgements"),
    Check.CONSENTS: Bilingual(fr="Consentements", en="Consents"),
    Check.NARRATIVE: Bilingual(fr="Récit", en="Narrative"),
    Check.VERIFIER: Bilingual(fr="Programme de vérification joint", en="Verifier enclosed"),
}
OUTCOMES: Final = {
    Outcome.PASSED: Bilingual(fr="vérifié", en="verified"),
    Outcome.FAILED: Bilingual(fr="ÉCHEC", en="FAILED"),
    Outcome.NOT_MADE: Bilingual(fr="non vérifié", en="not checked"),
}

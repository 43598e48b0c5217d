"""Every check of a bundle, in order; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from audit.errors import AuditError
from audit.evidence.archive import NARRATIVE, VERIFIER
from audit.evidence.bundle import Bundle, Pins
from audit.evidence.document import NARRATIVE_VERSION
from audit.evidence.findings import Check, Finding, Outcome, UncheckableError, WantingError
from audit.evidence.logged import check_checkpoint, check_entries, check_manifest, check_witnesses
from audit.evidence.said import check_acknowledgements, check_consents, check_deliveries
from audit.evidence.signed import check_content, check_receipt, check_statements
from gateway.narrative.page import narrative_page
from lacolle.evidence.agreed import check_agreements
from lacolle.evidence.decided import check_decisions, check_replay
from schemas.bilingual import Bilingual

Checking = Callable[[Bundle, Pins], Bilingual]
"""Returns what a check has found; raises ``WantingError``, or another ``AuditError``, and ``UncheckableError``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of every check."""

    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether none failed."""
        return all(each.outcome is not Outcome.FAILED for each in self.findings)


def verify_bundle(bundle: Bundle, pins: Pins) -> Verdict:
    """Return what comes of checking a bundle against what its reader has pinned. Nothing of it raises."""
    return Verdict(tuple(_findings(bundle, pins)))


def _findings(bundle: Bundle, pins: Pins) -> Iterator[Finding]:
    for check, checking in CHECKS.items():
        try:
            yield Finding(check, Outcome.PASSED, checking(bundle, pins))
        except UncheckableError as error:
            yield Finding(check, Outcome.NOT_MADE, error.reason)
        except AuditError as error:
            yield Finding(check, Outcome.FAILED, error.reason)
        except _MISSHAPEN:
            yield Finding(check, Outcome.FAILED, _NOT_AS_WRITTEN)


def check_narrative(bundle: Bundle, _pins: Pins) -> Bilingual:
    """Find the narrative to be the one that this version writes from the same evidence."""
    if bundle.evidence.narrative != NARRATIVE_VERSION:
        raise UncheckableError(_OTHER_VERSION)
    if narrative_page(bundle) != bundle.members[NARRATIVE]:
        raise WantingError(_OTHER_NARRATIVE)
    return _SAME_NARRATIVE


def check_verifier(bundle: Bundle, _pins: Pins) -> Bilingual:
    """Find the enclosed program to be the one that this version encloses."""
    own = resources.files("audit.evidence").joinpath(VERIFIER).read_bytes()
    if bundle.members[VERIFIER] != own:
        raise UncheckableError(_OTHER_PROGRAM)
    return _SAME_PROGRAM


CHECKS: Final[Mapping[Check, Checking]] = {
    Check.MANIFEST: check_manifest,
    Check.CHECKPOINT: check_checkpoint,
    Check.WITNESSES: check_witnesses,
    Check.ENTRIES: check_entries,
    Check.STATEMENTS: check_statements,
    Check.RECEIPT: check_receipt,
    Check.CONTENT: check_content,
    Check.AGREEMENTS: check_agreements,
    Check.DECISIONS: check_decisions,
    Check.REPLAY: check_replay,
    Check.DELIVERIES: check_deliveries,
    Check.ACKNOWLEDGEMENTS: check_acknowledgements,
    Check.CONSENTS: check_consents,
    Check.NARRATIVE: check_narrative,
    Check.VERIFIER: check_verifier,
}

_MISSHAPEN: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError)
"""What reading entries of the right kind and the wrong members raises: whoever made them up decides which."""
_NOT_AS_WRITTEN: Final = Bilingual(
    fr="Une inscription ou un document n'a pas la forme qu'il doit avoir.",
    en="An entry or a document is not of the form that it must have.",
)
_OTHER_VERSION: Final = Bilingual(
    fr="Le récit est d'une autre version du logiciel : lisez celui que vous écrivez avec --narrative.",
    en="The narrative is another software version's: read the one that you write with --narrative.",
)
_OTHER_NARRATIVE: Final = Bilingual(
    fr="Le récit joint n'est pas celui de ces preuves : ne vous y fiez pas; écrivez-le avec --narrative.",
    en="The narrative enclosed is not that of this evidence: do not rely on it; write it with --narrative.",
)
_SAME_NARRATIVE: Final = Bilingual(
    fr="Le récit joint est, octet pour octet, celui de ces preuves.",
    en="The narrative enclosed is, byte for byte, that of this evidence.",
)
_OTHER_PROGRAM: Final = Bilingual(
    fr="verify.py n'est pas celui de cette version : ne l'exécutez pas sans savoir d'où il vient.",
    en="verify.py is not this version's: do not run it without knowing where it comes from.",
)
_SAME_PROGRAM: Final = Bilingual(
    fr="verify.py est, octet pour octet, celui de cette version.",
    en="verify.py is, byte for byte, this version's.",
)

"""Checks of the agreements in a bundle: signed by every party, and as the log knew them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agreements.book import Book, ConflictingVersionsError
from agreements.life import StepRefusedError
from agreements.signed import UntrustedAgreementError, VerifiedAgreement, read_signed
from agreements.steps import LoggedStep, UnsoundStepError, VerifiedStep, document_digest, read_step
from audit.entry import Entry
from audit.evidence.bundle import Bundle, Pins
from audit.evidence.findings import WantingError
from audit.kinds import Kind
from schemas.bilingual import Bilingual
from schemas.ids import AgreementId
from schemas.timestamps import read_utc

STEP_KINDS: Final = frozenset(
    {Kind.AGREEMENT_SUSPENDED, Kind.AGREEMENT_RESUMED, Kind.AGREEMENT_WITHDRAWN, Kind.AGREEMENT_ACCEDED}
)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An agreement with its parties' steps, all verified, and the entries about them that the reader may see.

    ``binds`` is the entry that says that all have signed; None where the reader's jurisdiction only acceded later.
    """

    agreement: VerifiedAgreement
    binds: Entry | None
    steps: tuple[tuple[VerifiedStep, Entry], ...]


def check_agreements(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find every agreement signed by all of its parties' pinned authorities, and each step by its party's."""
    found = enclosed(bundle, pins)
    book_before(found, _NO_END)
    signatures = sum(len(each.agreement.signed.signatures) for each in found)
    steps = sum(len(each.steps) for each in found)
    return Bilingual(
        fr=f"{len(found)} versions d'ententes, {signatures} signatures d'autorités, {steps} déclarations de parties.",
        en=f"{len(found)} versions of agreements, {signatures} authorities' signatures, {steps} parties' statements.",
    )


def enclosed(bundle: Bundle, pins: Pins) -> tuple[Enclosed, ...]:
    """Return the agreements of a bundle. Raises ``WantingError`` for one that is not what was signed and logged."""
    about = _entries_about_agreements(bundle)
    found = []
    taken: set[int] = set()
    for each in bundle.evidence.agreements:
        try:
            agreement = VerifiedAgreement(read_signed(each.signed.encode("utf-8"), pins.jurisdictions))
            steps = [read_step(step.encode("ascii"), pins.jurisdictions) for step in each.steps]
        except (UntrustedAgreementError, UnsoundStepError) as error:
            raise WantingError(error.reason) from None
        except ValueError:
            raise WantingError(_UNSIGNED) from None
        binds = _binding(about.get(agreement.document.id, []), agreement)
        pairs = tuple((step, _entry_of(about.get(agreement.document.id, []), step)) for step in steps)
        taken |= {entry.index for _, entry in pairs} | ({binds.index} if binds else set())
        found.append(Enclosed(agreement, binds, pairs))
    _require_all_taken(about, taken)
    return tuple(found)


def book_before(found: tuple[Enclosed, ...], index: int) -> Book:
    """Return what the enclosed agreements and steps came to below an index of the log. Raises ``WantingError``."""
    book = Book()
    logged: list[tuple[int, VerifiedAgreement | LoggedStep]] = [
        (-1 if each.binds is None else each.binds.index, each.agreement) for each in found
    ]
    logged += [(entry.index, LoggedStep(step, read_utc(entry.time))) for each in found for step, entry in each.steps]
    try:
        for place, item in sorted(logged, key=lambda pair: pair[0]):
            if place < index:
                book = book.with_agreement(item) if isinstance(item, VerifiedAgreement) else book.with_step(item)
    except ConflictingVersionsError as error:
        raise WantingError(error.reason) from None
    except StepRefusedError as error:
        raise WantingError(error.reason) from None
    return book


def _entries_about_agreements(bundle: Bundle) -> dict[AgreementId, list[Entry]]:
    about: dict[AgreementId, list[Entry]] = {}
    for each in bundle.evidence.entries:
        entry = each.read
        if entry.alert_id is None and entry.agreement is not None:
            about.setdefault(entry.agreement, []).append(entry)
    return about


def _binding(entries: list[Entry], agreement: VerifiedAgreement) -> Entry | None:
    document = agreement.document
    for entry in entries:
        if entry.kind == Kind.AGREEMENT_IN_FORCE and entry.content["version"] == document.version:
            if entry.content["digest"] != document_digest(agreement.signed.payload):
                raise WantingError(_OTHER_DOCUMENT)
            return entry
    return None


def _entry_of(entries: list[Entry], step: VerifiedStep) -> Entry:
    for entry in entries:
        if entry.kind in STEP_KINDS and entry.content["statement"] == f"sha-256:{step.digest.hex()}":
            return entry
    raise WantingError(_STEP_NOT_LOGGED)


def _require_all_taken(about: dict[AgreementId, list[Entry]], taken: set[int]) -> None:
    """Raise ``WantingError`` where an entry is about an agreement or a step that is not enclosed."""
    kinds = STEP_KINDS | {Kind.AGREEMENT_IN_FORCE}
    if any(entry.kind in kinds and entry.index not in taken for entries in about.values() for entry in entries):
        raise WantingError(_NOT_ENCLOSED)


_NO_END: Final = (1 << 63) - 1
_UNSIGNED: Final = Bilingual(
    fr="Une entente n'est pas signée par toutes ses parties.", en="An agreement is not signed by all of its parties."
)
_OTHER_DOCUMENT: Final = Bilingual(
    fr="Une entente n'est pas le document que le journal dit signé.",
    en="An agreement is not the document that the log says was signed.",
)
_STEP_NOT_LOGGED: Final = Bilingual(
    fr="Une déclaration de partie n'a pas son inscription au journal.",
    en="A party's statement does not have its log entry.",
)
_NOT_ENCLOSED: Final = Bilingual(
    fr="Le journal parle d'une entente ou d'une déclaration qui n'est pas jointe.",
    en="The log speaks of an agreement or a statement that is not enclosed.",
)

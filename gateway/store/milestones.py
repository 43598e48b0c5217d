"""The log's entries of an agreement's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from agreements.book import Book
from agreements.document import Agreement
from agreements.life import Life
from agreements.signed import PartySignature, SignedAgreement, VerifiedAgreement
from agreements.steps import StepKind, VerifiedStep, document_digest
from audit.entry import Draft
from audit.kinds import Kind
from schemas.ids import AgreementId
from schemas.signing.canonical import PlainValue
from schemas.timestamps import utc_text

STEP_KINDS: Final[Mapping[StepKind, Kind]] = {
    StepKind.SUSPENSION: Kind.AGREEMENT_SUSPENDED,
    StepKind.RESUMPTION: Kind.AGREEMENT_RESUMED,
    StepKind.WITHDRAWAL: Kind.AGREEMENT_WITHDRAWN,
    StepKind.ACCESSION: Kind.AGREEMENT_ACCEDED,
}


def proposed_entry(item: SignedAgreement) -> Draft:
    """Return the entry of a document that a party has put to the others."""
    return _entry(
        Kind.AGREEMENT_PROPOSED,
        item.document,
        {
            "version": item.document.version,
            "digest": document_digest(item.payload),
            "jurisdiction": item.signatures[0].party,
        },
    )


def signature_entry(signed: SignedAgreement, signature: PartySignature) -> Draft:
    """Return the entry of one party's signature."""
    return _entry(
        Kind.AGREEMENT_SIGNED,
        signed.document,
        {
            "version": signed.document.version,
            "digest": document_digest(signed.payload),
            "jurisdiction": signature.party,
            "kid": signature.kid,
            "signed_at": utc_text(signature.signed_at),
        },
    )


def in_force_entry(item: VerifiedAgreement) -> Draft:
    """Return the entry of a document that every party has signed."""
    return _entry(
        Kind.AGREEMENT_IN_FORCE,
        item.document,
        {
            "version": item.document.version,
            "digest": document_digest(item.signed.payload),
            "from": item.document.valid.start,
            "until": item.document.valid.until,
        },
    )


def replaced_entries(book: Book, document: Agreement) -> list[Draft]:
    """Return an entry for each version in a book that a document will replace."""
    earlier = [version for name, version in book.chapters if name == document.id and version < document.version]
    return [
        _entry(
            Kind.AGREEMENT_REPLACED,
            document,
            {"version": version, "by": document.version, "from": document.valid.start},
        )
        for version in sorted(earlier)
    ]


def step_entry(item: VerifiedStep, life: Life) -> Draft:
    """Return the entry of a step, which made this life."""
    step = item.step
    content: dict[str, PlainValue] = {
        "version": step.version,
        "digest": step.digest,
        "jurisdiction": step.party,
        "kid": item.kid,
        "statement": f"sha-256:{item.digest.hex()}",
        "stated_at": step.at,
    }
    match step.step:
        case StepKind.RESUMPTION:
            running = life.open_suspension
            content["awaits"] = [] if running is None else sorted(life.bound - running.resuming)
        case StepKind.SUSPENSION | StepKind.WITHDRAWAL | StepKind.ACCESSION:
            pass
        case unreachable:
            assert_never(unreachable)
    return _life_entry(STEP_KINDS[step.step], step.agreement, life, content)


def ended_entry(item: VerifiedStep, life: Life) -> Draft:
    """Return the entry of an agreement that a withdrawal has ended."""
    step = item.step
    content: dict[str, PlainValue] = {"version": step.version, "digest": step.digest, "jurisdiction": step.party}
    return _life_entry(Kind.AGREEMENT_ENDED, step.agreement, life, content)


def _life_entry(kind: Kind, agreement: AgreementId, life: Life, content: Mapping[str, PlainValue]) -> Draft:
    return Draft(
        kind=kind,
        actor=None,
        jurisdictions=tuple(life.members),
        alert_id=None,
        agreement=agreement,
        content=content,
    )


def _entry(kind: Kind, document: Agreement, content: Mapping[str, PlainValue]) -> Draft:
    return Draft(
        kind=kind,
        actor=None,
        jurisdictions=tuple(document.parties),
        alert_id=None,
        agreement=document.id,
        content=content,
    )

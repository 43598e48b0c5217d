"""Holding the agreements in the database against their signatures and against the log.

A row is believed where its bytes are signed by the parties themselves, and the log has the entry that it says it has,
under the commitment that the log made to it; an entry whose row is gone, or a row that no entry vouches for, is as bad
as a changed byte. Whatever is wrong concerns one agreement, and makes all of its versions of no effect: the others go
on. Pure, but for what it remembers: bytes that were verified once are not verified again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agreements.book import Book, ConflictingVersionsError
from agreements.life import StepRefusedError
from agreements.signed import UntrustedAgreementError, VerifiedAgreement, claimed, read_signed
from agreements.steps import LoggedStep, UnsoundStepError, VerifiedStep, document_digest, read_step
from audit.entry import Entry, commitment, read_entry
from audit.errors import MalformedEntryError
from audit.kinds import Kind
from schemas.ids import AgreementId, JurisdictionCode
from schemas.statements import Jurisdiction
from schemas.timestamps import read_utc


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A complete agreement's file, or a step, under the name and the place in the log that its row gives it."""

    name: AgreementId
    version: int
    content: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A log entry about an agreement and no alert: its columns, and the bytes that the log committed to."""

    log_index: int
    kind: str
    name: AgreementId
    salt: bytes
    content: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class StoredAgreements:
    """What the database holds of complete agreements, in the order of the log."""

    agreements: tuple[StoredDocument, ...] = ()
    steps: tuple[StoredDocument, ...] = ()
    entries: tuple[StoredEntry, ...] = ()

    @property
    def restores(self) -> bool:
        """Whether an agreement was found sound again."""
        return any(entry.kind == Kind.AGREEMENT_RESTORED for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Assayed:
    """What was found: the ``book`` of all that is sound, and, by name, what is ``altered`` and how.

    ``alarmed`` are those of which the log's last word is that they are altered; ``beyond`` those with a party that this
    process has not pinned.
    """

    book: Book = field(default_factory=Book)
    altered: Mapping[AgreementId, str] = field(default_factory=dict)
    alarmed: frozenset[AgreementId] = frozenset()
    beyond: frozenset[AgreementId] = frozenset()


NOTHING_FOUND: Final = Assayed()
_STEPS: Final = frozenset(
    {Kind.AGREEMENT_SUSPENDED, Kind.AGREEMENT_RESUMED, Kind.AGREEMENT_WITHDRAWN, Kind.AGREEMENT_ACCEDED}
)


class _AlteredError(Exception):
    """What is stored is not what was signed or logged; its message is a short fixed phrase."""


class Assayer:
    """Assays what one process reads, with the jurisdictions that this process has pinned."""

    def __init__(self, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> None:
        self._jurisdictions = jurisdictions
        self._agreements: dict[bytes, VerifiedAgreement] = {}
        self._steps: dict[bytes, VerifiedStep] = {}

    def assay(self, stored: StoredAgreements, *, before: Assayed | None = None) -> Assayed:
        """Return what is found in rows and entries, which follow on those that ``before`` was found in."""
        found = _Findings(before or Assayed())
        entries = {entry.log_index: entry for entry in stored.entries}
        documents = {row.log_index: row for row in stored.agreements}
        steps = {row.log_index: row for row in stored.steps}
        for row in (*stored.agreements, *stored.steps):
            if row.log_index not in entries:
                found.alter(row.name, "no entry")
        for index, entry in sorted(entries.items()):
            try:
                self._take(found, entry, documents.get(index), steps.get(index))
            except _AlteredError as error:
                for name in {entry.name, *(each.name for each in (documents.get(index), steps.get(index)) if each)}:
                    found.alter(name, str(error))
        return found.assayed()

    def _take(
        self, found: _Findings, entry: StoredEntry, document: StoredDocument | None, step: StoredDocument | None
    ) -> None:
        said = _entry(entry)
        match said.kind:
            case Kind.AGREEMENT_IN_FORCE:
                self._take_document(found, said, _row_of(said, document))
            case kind if kind in _STEPS:
                self._take_step(found, said, _row_of(said, step))
            case Kind.AGREEMENT_ALTERED | Kind.AGREEMENT_RESTORED if "proposal" in said.content:
                pass  # what was only proposed binds nobody: gateway.upkeep.proposals
            case Kind.AGREEMENT_ALTERED:
                found.alarmed.add(entry.name)
            case Kind.AGREEMENT_RESTORED:
                found.alarmed.discard(entry.name)
            case _:
                pass

    def _take_document(self, found: _Findings, said: Entry, row: StoredDocument) -> None:
        try:
            if any(party not in self._jurisdictions for party in claimed(row.content).parties):
                found.beyond.add(row.name)
                return
            verified = self._agreements.get(row.content)
            if verified is None:
                verified = VerifiedAgreement(read_signed(row.content, self._jurisdictions))
                self._agreements[row.content] = verified
            if document_digest(verified.signed.payload) != said.content["digest"]:
                raise _AlteredError("another document")
            found.book = found.book.with_agreement(verified)
        except UntrustedAgreementError:
            raise _AlteredError("signatures") from None
        except (ConflictingVersionsError, ValueError):
            raise _AlteredError("another document") from None
        if (verified.document.id, verified.document.version) != (row.name, row.version):
            raise _AlteredError("another name")

    def _take_step(self, found: _Findings, said: Entry, row: StoredDocument) -> None:
        if row.name in found.beyond:
            return
        try:
            verified = self._steps.get(row.content)
            if verified is None:
                verified = self._steps[row.content] = read_step(row.content, self._jurisdictions)
            if f"sha-256:{verified.digest.hex()}" != said.content["statement"]:
                raise _AlteredError("another statement")
            if row.name not in found.altered:
                found.book = found.book.with_step(LoggedStep(verified, read_utc(said.time)))
        except UnsoundStepError:
            raise _AlteredError("signatures") from None
        except StepRefusedError:
            raise _AlteredError("another statement") from None
        if verified.step.about != (row.name, row.version):
            raise _AlteredError("another name")


class _Findings:
    """What has been found so far."""

    def __init__(self, before: Assayed) -> None:
        self.book = before.book
        self.altered = dict(before.altered)
        self.alarmed = set(before.alarmed)
        self.beyond = set(before.beyond)

    def alter(self, name: AgreementId, what: str) -> None:
        """Take note of the first thing that is wrong with an agreement."""
        self.altered.setdefault(name, what)

    def assayed(self) -> Assayed:
        """Return the findings as a value."""
        return Assayed(self.book, self.altered, frozenset(self.alarmed), frozenset(self.beyond))


def committed_entry(stored: StoredEntry) -> Entry | None:
    """Return an entry whose bytes are what the log committed to at its index; None for any other."""
    try:
        said = read_entry(stored.content)
    except MalformedEntryError:
        return None
    is_committed = commitment(stored.salt, stored.content) == stored.commitment
    return said if is_committed and said.index == stored.log_index else None


def _entry(stored: StoredEntry) -> Entry:
    """Return an entry that is what the log committed to, and what its columns say."""
    said = committed_entry(stored)
    if said is None or (stored.kind, stored.name) != (said.kind, said.agreement):
        raise _AlteredError("entry")
    return said


def _row_of(said: Entry, row: StoredDocument | None) -> StoredDocument:
    if row is None:
        raise _AlteredError("missing")
    if (row.name, row.version) != (said.agreement, said.content["version"]):
        raise _AlteredError("another name")
    return row

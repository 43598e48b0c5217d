"""Everything that parties have bound themselves by: the complete versions, and what each of them stated since.

A book is a value, made by adding documents and steps in the order of the log; a new one makes a new book.

* A step counts for the version that it names, and, but for an accession, for every later version of the agreement that
  all parties had signed by then: who suspends an agreement or leaves it does not find itself bound again by a
  successor that was waiting. A successor that is signed afterwards is bound by nothing from before.
* A version replaces another only if everybody who is bound by that one signed it, and only the latest can be acceded
  to: nobody ends an agreement for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agreements.life import Life, StepRefusedError
from agreements.signed import SignedAgreement, VerifiedAgreement
from agreements.steps import LoggedStep, StepKind, VersionName, document_digest
from schemas.bilingual import Bilingual
from schemas.ids import AgreementId


class ConflictingVersionsError(Exception):
    """Two documents claim one version of an agreement, or one would replace another that others signed."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Chapter:
    """One complete version, its life, and the steps that made it, in order."""

    agreement: VerifiedAgreement
    life: Life
    steps: tuple[LoggedStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """The complete versions by name. Build it with ``of`` and the methods that follow."""

    chapters: Mapping[VersionName, Chapter] = field(default_factory=dict)
    known: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, agreements: Iterable[VerifiedAgreement]) -> Book:
        """Return the book of documents to which nothing has happened. Raises ``ConflictingVersionsError``."""
        book = cls()
        for agreement in agreements:
            book = book.with_agreement(agreement)
        return book

    @property
    def agreements(self) -> tuple[VerifiedAgreement, ...]:
        """Every complete version, in the order in which they came."""
        return tuple(chapter.agreement for chapter in self.chapters.values())

    def with_agreement(self, agreement: VerifiedAgreement) -> Book:
        """Return the book with one more complete version; the same document again changes nothing.

        Raises ``ConflictingVersionsError``; this book stays as it is.
        """
        document = agreement.document
        if self.holds(agreement.signed):
            return self
        chapter = Chapter(agreement, Life.of(document))
        for other in self._versions(document.id):
            earlier, later = (other, chapter) if other.life.version < document.version else (chapter, other)
            if not earlier.life.bound <= set(later.agreement.document.parties):
                raise ConflictingVersionsError(_OTHERS_SIGNED)
        chapters = {**self.chapters, (document.id, document.version): chapter}
        return replace(self, chapters=chapters)

    def holds(self, signed: SignedAgreement) -> bool:
        """Return whether a document, of whose signatures some may be missing, is among the complete versions.

        Raises ``ConflictingVersionsError`` where another document is, under the same name.
        """
        known = self.chapters.get((signed.document.id, signed.document.version))
        if known is None:
            return False
        if known.agreement.signed.payload != signed.payload:
            raise ConflictingVersionsError(_SAME_VERSION)
        return True

    def with_step(self, logged: LoggedStep) -> Book:
        """Return the book once a step stands in the log; a step that stands there already changes nothing.

        Raises ``StepRefusedError``; this book stays as it is.
        """
        if logged.verified.digest in self.known:
            return self
        step, chapter = logged.step, self.chapters.get(logged.step.about)
        if chapter is None or document_digest(chapter.agreement.signed.payload) != step.digest:
            raise StepRefusedError(_NO_SUCH_DOCUMENT)
        later = [each for each in self._versions(step.agreement) if each.life.version > step.version]
        if step.step is StepKind.ACCESSION and later:
            raise StepRefusedError(_NOT_THE_LATEST)
        changed = {step.about: _after(chapter, logged)}
        for each in later:
            try:
                changed[step.agreement, each.life.version] = _after(each, logged)
            except StepRefusedError:  # it has no say there: it left that version, or what it lifts is not what holds it
                continue
        chapters = {**self.chapters, **changed}
        return Book(chapters, self.known | {logged.verified.digest})

    def without(self, agreements: Iterable[AgreementId]) -> Book:
        """Return the book without any version of some agreements."""
        left_out = set(agreements)
        kept = {name: chapter for name, chapter in self.chapters.items() if name[0] not in left_out}
        return replace(self, chapters=kept)

    def as_in(self, other: Book, agreements: Iterable[AgreementId]) -> Book:
        """Return the book with some agreements as another book has them, where it has them."""
        taken = set(agreements)
        there = {name: chapter for name, chapter in other.chapters.items() if name[0] in taken}
        return replace(self, chapters={**self.chapters, **there})

    def _versions(self, agreement: AgreementId) -> list[Chapter]:
        return [chapter for name, chapter in self.chapters.items() if name[0] == agreement]


def _after(chapter: Chapter, logged: LoggedStep) -> Chapter:
    return replace(chapter, life=chapter.life.after(logged), steps=(*chapter.steps, logged))


_SAME_VERSION: Final = Bilingual(
    fr="Deux documents portent le même identifiant d'entente et la même version.",
    en="Two documents bear the same agreement identifier and the same version.",
)
_OTHERS_SIGNED: Final = Bilingual(
    fr="Une version ne peut remplacer une entente sans la signature de toutes les parties à celle-ci.",
    en="A version cannot replace an agreement without the signature of every party to it.",
)
_NO_SUCH_DOCUMENT: Final = Bilingual(
    fr="Aucune entente signée par toutes ses parties n'a cet identifiant, cette version et cette empreinte.",
    en="No agreement that all of its parties signed has this identifier, this version and this digest.",
)
_NOT_THE_LATEST: Final = Bilingual(
    fr="On n'adhère qu'à la version la plus récente d'une entente.",
    en="Only the latest version of an agreement can be acceded to.",
)

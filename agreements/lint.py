"""What is wrong with an agreement as it is written, and what is odd about it, line by line.

An *error* makes the document void here, and it is not to be signed: it is no agreement, it names a jurisdiction or a
participant that the exchange does not know, it is over already, a passage of it is blank, a clause can let nothing
through, or withholds what the types that it names do not have. A *warning* is for whoever signs: clauses that repeat,
shadow or overlap each other, or differ in how they treat one alert; a type that no alert has, a class that no type has,
a clause that nobody can use today, a region that no clause names; a party that has not signed, or that nobody answers
for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agreements import clause_lint
from agreements import lint_words as words
from agreements.clause_lint import Remark
from agreements.conditions.area import AreaCondition
from agreements.document import Agreement
from agreements.written import InvalidAgreementError, agreement_in
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode
from schemas.located_yaml import Path, YamlError, load_yaml, path_text
from schemas.statements import ParticipantStatement


class Severity(StrEnum):
    """Whether the document is void, or only odd."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a file: on which line (from 1), at which path (empty for the whole document), and what."""

    file: str
    line: int
    path: str
    severity: Severity
    reason: Bilingual


def lint(
    text: str,
    *,
    file: str,
    now: datetime,
    jurisdictions: Collection[JurisdictionCode],
    participants: Iterable[ParticipantStatement],
    signed: Collection[JurisdictionCode] | None = None,
) -> tuple[Finding, ...]:
    """Return everything wrong or odd in an agreement's YAML, in the order of its lines.

    ``file`` is its name in findings, ``jurisdictions`` and ``participants`` those of the exchange, ``now`` the instant
    at which it is read. ``signed`` are the parties that have signed, where that is asked: then a party
    that has not, or that names no contact, is told too. Never raises for what is written.
    """
    try:
        located = load_yaml(text, file=file)
        document = agreement_in(located)
    except YamlError as error:
        return (_error(error),)
    except InvalidAgreementError as invalid:
        return tuple(sorted((_error(error) for error in invalid.errors), key=_position))
    remarks = _remarks(document, now, jurisdictions, tuple(participants), signed)
    findings = [
        Finding(file=file, line=located.line_of(path), path=path_text(path), severity=Severity(severity), reason=reason)
        for path, severity, reason in remarks
    ]
    return tuple(sorted(findings, key=_position))


def _error(error: YamlError) -> Finding:
    return Finding(error.file, error.line, path_text(error.path), Severity.ERROR, error.reason)


def _position(finding: Finding) -> tuple[int, Severity, str, str]:
    return finding.line, finding.severity, finding.path, finding.reason.en


def _remarks(
    document: Agreement,
    now: datetime,
    jurisdictions: Collection[JurisdictionCode],
    participants: Collection[ParticipantStatement],
    signed: Collection[JurisdictionCode] | None,
) -> Iterator[Remark]:
    known = {*jurisdictions, *(statement.participant for statement in participants)}
    for index, party in enumerate(document.parties):
        if party not in jurisdictions:
            yield ("parties", index), "error", words.UNKNOWN_PARTY
    if document.valid.end <= now:
        yield ("valid", "until"), "error", words.OVER
    yield from _left_blank(document)
    if signed is not None:
        yield from _still_missing(document, signed)
    yield from _unused_regions(document)
    for index, grant in enumerate(document.grants):
        path: Path = ("grants", index)
        yield from clause_lint.unknown_names(path, grant, known)
        yield from clause_lint.useless(path, grant, participants)
        yield from clause_lint.contradictions(path, grant, document.regions)
        yield from clause_lint.withheld_nowhere(path, grant)
        yield from clause_lint.beside(path, grant, document.grants[:index], document.regions)


def _left_blank(document: Agreement) -> Iterator[Remark]:
    """Yield the passages that say nothing, such as those of a new draft."""
    passages = {
        "title": document.title,
        "purpose": document.purpose,
        "legal_basis": document.legal_basis,
        "privacy_assessment": document.privacy_assessment,
    }
    for name, passage in passages.items():
        for language, text in (("fr", passage.fr), ("en", passage.en)):
            if not any(map(str.isalnum, text)):
                yield (name, language), "error", words.BLANK


def _still_missing(document: Agreement, signed: Collection[JurisdictionCode]) -> Iterator[Remark]:
    answering = {contact.party for contact in document.contacts}
    for index, party in enumerate(document.parties):
        if party not in answering:
            yield ("parties", index), "warning", words.NO_CONTACT
        if party not in signed:
            yield ("parties", index), "warning", words.NOT_SIGNED


def _unused_regions(document: Agreement) -> Iterator[Remark]:
    conditions = (condition for grant in document.grants for condition in grant.conditions)
    used = {name for each in conditions if isinstance(each, AreaCondition) for name in each.regions}
    for index, region in enumerate(document.regions):
        if region.name not in used:
            yield ("regions", index), "warning", words.UNUSED_REGION

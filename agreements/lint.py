"""What is wrong with an agreement as it is written, and what is odd about it, line by line.

An *error* makes the document void here: it is no agreement, it names a jurisdiction or a participant that the
exchange does not know, or it is over already. A *warning* is for whoever signs: a clause that says what another says,
two clauses of one lane that could both let the same alert through, a type that no alert has, a clause that nobody can
use today.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from agreements.conditions.area import Region
from agreements.document import Agreement, Grant
from agreements.obligations import lane_of
from agreements.overlaps import may_both_permit, say_the_same, sides_meet, types_meet
from agreements.written import InvalidAgreementError, agreement_in
from schemas.alerts.catalogue import alert_types
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode
from schemas.located_yaml import Path, YamlError, load_yaml, path_text
from schemas.registry import ParticipantStatement, Role


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
) -> tuple[Finding, ...]:
    """Return everything wrong or odd in an agreement's YAML, in the order of its lines.

    ``file`` is its name in findings, ``jurisdictions`` and ``participants`` those of the exchange, ``now`` the instant
    at which it is read. Never raises for what is written.
    """
    try:
        located = load_yaml(text, file=file)
        document = agreement_in(located)
    except YamlError as error:
        return (_error(error),)
    except InvalidAgreementError as invalid:
        return tuple(sorted((_error(error) for error in invalid.errors), key=_position))
    remarks = _remarks(document, now, jurisdictions, tuple(participants))
    findings = [
        Finding(file=file, line=located.line_of(path), path=path_text(path), severity=severity, reason=reason)
        for path, severity, reason in remarks
    ]
    return tuple(sorted(findings, key=_position))


_Remark: TypeAlias = tuple[Path, Severity, Bilingual]


def _error(error: YamlError) -> Finding:
    return Finding(error.file, error.line, path_text(error.path), Severity.ERROR, error.reason)


def _position(finding: Finding) -> tuple[int, Severity, str, str]:
    return finding.line, finding.severity, finding.path, finding.reason.en


def _remarks(
    document: Agreement,
    now: datetime,
    jurisdictions: Collection[JurisdictionCode],
    participants: Collection[ParticipantStatement],
) -> Iterator[_Remark]:
    known = {*jurisdictions, *(statement.participant for statement in participants)}
    for index, party in enumerate(document.parties):
        if party not in jurisdictions:
            yield ("parties", index), Severity.ERROR, _UNKNOWN_PARTY
    if document.valid.end <= now:
        yield ("valid", "until"), Severity.ERROR, _OVER
    for index, grant in enumerate(document.grants):
        path: Path = ("grants", index)
        yield from _unknown_names(path, grant, known)
        yield from _repetitions(path, grant, document.grants[:index], document.regions)
        if not _usable(grant, participants):
            yield path, Severity.WARNING, _UNUSABLE


def _unknown_names(path: Path, grant: Grant, known: Collection[str]) -> Iterator[_Remark]:
    for member, sides in (("from", grant.origins), ("to", grant.recipients)):
        for index, side in enumerate(sides):
            if "." in side and side not in known:
                yield (*path, member, index), Severity.ERROR, _UNKNOWN_PARTICIPANT
    for index, pattern in enumerate(grant.types):
        if not any(types_meet(pattern, alert_type) for alert_type in alert_types()):
            yield (*path, "types", index), Severity.WARNING, _UNKNOWN_TYPE


def _repetitions(path: Path, grant: Grant, earlier: Iterable[Grant], regions: Iterable[Region]) -> Iterator[_Remark]:
    for other in earlier:
        if say_the_same(other, grant, regions):
            yield path, Severity.WARNING, _same_as(other)
        elif lane_of(other.obligations) is lane_of(grant.obligations) and may_both_permit(other, grant, regions):
            yield path, Severity.WARNING, _overlaps(other)


def _usable(grant: Grant, participants: Collection[ParticipantStatement]) -> bool:
    senders = {
        statement.participant
        for statement in participants
        if Role.SENDER in statement.roles
        and any(sides_meet(statement.participant, side) for side in grant.origins)
        and any(types_meet(sent, granted) for sent in statement.sends for granted in grant.types)
    }
    receivers = {
        statement.participant
        for statement in participants
        if Role.RECEIVER in statement.roles
        and any(sides_meet(statement.participant, side) for side in grant.recipients)
    }
    return bool(senders) and bool(receivers) and not (len(senders) == 1 and senders == receivers)


def _same_as(grant: Grant) -> Bilingual:
    return Bilingual(
        fr=f"Cette clause dit la même chose que la clause {grant.clause}.",
        en=f"This clause says the same as clause {grant.clause}.",
    )


def _overlaps(grant: Grant) -> Bilingual:
    return Bilingual(
        fr=f"Une même alerte peut être permise par cette clause et par la clause {grant.clause}, dans la même voie.",
        en=f"One alert may be permitted by this clause and by clause {grant.clause}, in the same lane.",
    )


_UNKNOWN_PARTY: Final = Bilingual(
    fr="Cette plateforme ne connaît pas cette juridiction.", en="This exchange does not know this jurisdiction."
)
_UNKNOWN_PARTICIPANT: Final = Bilingual(
    fr="Cette plateforme ne connaît pas ce participant.", en="This exchange does not know this participant."
)
_OVER: Final = Bilingual(fr="Cette entente a déjà pris fin.", en="This agreement is over already.")
_UNKNOWN_TYPE: Final = Bilingual(
    fr="Cette plateforme ne connaît aucun type d'alerte de ce nom.",
    en="This exchange knows no type of alert by this name.",
)
_UNUSABLE: Final = Bilingual(
    fr="Personne ne peut se prévaloir de cette clause : aucun expéditeur de ces types, ou aucun destinataire.",
    en="Nobody can use this clause: no sender of these types, or no receiver.",
)

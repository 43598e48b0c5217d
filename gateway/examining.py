"""Looking at stored alerts through a draft, in a process beside: what that process imports, and no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from agreements.simulation import Findings, PastAlert, Worlds, simulate
from schemas.alerts.catalogue import InvalidAlertError, parse_alert
from schemas.decisions import ClauseRef
from schemas.ids import AlertId, ParticipantId
from schemas.signing.jws import MalformedJwsError
from schemas.submission import read_submission


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An accepted alert: the submission, when it was accepted, and by which clauses its thread had reached whom.

    Of one whose content was erased there is no ``submission``.
    ``whole`` says whether the reader may know of all its recipients, or of those alone that it speaks for; ``known``
    whether it has had all that the alert says.
    """

    alert_id: AlertId
    submission: bytes | None
    at: datetime
    reached: dict[ParticipantId, ClauseRef]
    whole: bool
    known: bool


@dataclass(frozen=True, slots=True)
class Examination:
    """What alerts are looked at with: the agreements, and how many samples are wanted.

    ``own`` are the recipients that are told of an alert that is not seen whole.
    """

    worlds: Worlds
    own: frozenset[ParticipantId]
    samples: int


def examine(stored: Sequence[StoredAlert], examination: Examination) -> Findings:
    """Return what a draft would have done with stored alerts; one that can't be read any more is counted as that."""
    past = list(_read(stored, examination.own))
    findings = simulate(past, examination.worlds, samples=examination.samples)
    findings.unreadable = len(stored) - len(past)
    return findings


def prepare(examination: Examination) -> None:
    """Have this process look at alerts with these agreements from now on."""
    _prepared.append(examination)


def examine_prepared(stored: Sequence[StoredAlert]) -> Findings:
    """Return what ``examine`` does, with what this process was prepared for."""
    return examine(stored, _prepared[-1])


_prepared: list[Examination] = []
"""A worker's one examination: sent once, when the process starts, and not with every page."""


def _read(stored: Sequence[StoredAlert], own: frozenset[ParticipantId]) -> Iterator[PastAlert]:
    for each in stored:
        if each.submission is None:
            continue
        try:
            # strict JSON it was already, or it would not have been accepted
            document = orjson.loads(read_submission(each.submission).alert_json())
            alert = parse_alert(document)
        except (
            MalformedJwsError,
            orjson.JSONDecodeError,
            InvalidAlertError,
        ):  # of a type that this version knows no more
            continue
        among = None if each.whole else own
        yield PastAlert(each.alert_id, document, alert, each.at, each.reached, among, each.known)

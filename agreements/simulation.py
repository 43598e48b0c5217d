"""What a draft would have done with past alerts, beside what was in force: nothing is sent, nothing is stored.

Each alert is decided twice as of the instant at which it came: with the agreements as they are, and with the draft in
place of every version of its agreement, or beside the others where it is a new one. Three things are taken for granted:

* The draft counts as signed and in force at each of those instants, whatever its own validity says.
* A thread has reached whom it did reach. What the agreement that is replaced let through counts, for the draft, as let
  through by its clause of the same number.
* What alerts pass on of other senders' alerts is left out of account: neither side asks for an originator's consent.

An alert of which whoever asks has not had all, since its copy lacks something or never came, is decided only by a draft
that asks of headers alone, which no copy lacks: else the answer would tell, condition by condition, what was withheld.

What is counted are copies: one for each recipient of each alert. ``Findings`` add up, so that the alerts can be looked
at in any number of parts; they hold ids, clauses and pointers, and nothing that an alert says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from agreements.book import Book
from agreements.conditions import HeaderCondition
from agreements.decide import decide
from agreements.document import Agreement, Validity
from agreements.routes import Candidate
from agreements.signed import PartySignature, SignedAgreement, VerifiedAgreement, agreement_bytes
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Permit, Treatment
from schemas.ids import AgreementId, AlertId, AlertType, KeyId, ParticipantId
from schemas.pointers import places
from schemas.signing.strict_json import JsonValue


class Effect(StrEnum):
    """What becomes of one copy of an alert under the draft."""

    SAME = "same"
    """It goes out on the same terms, perhaps by another clause."""
    GAINED = "gained"
    """The recipient receives what it did not receive."""
    LOST = "lost"
    """The recipient no longer receives it."""
    CHANGED = "changed"
    """It goes out on other terms, or in another lane."""


class Side(StrEnum):
    """Which of the two decisions is meant."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that was accepted at an instant: its JSON, the alert it is, and whom its thread had reached by then.

    ``among`` are the recipients that may be told of; None for all. ``known`` says whether those who are told have had
    all of it.
    """

    alert_id: AlertId
    document: JsonValue
    alert: Alert
    at: datetime
    reached: Mapping[ParticipantId, ClauseRef]
    among: frozenset[ParticipantId] | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Worlds:
    """The agreements without the draft and with it, for the same recipients.

    ``of_headers`` says whether the draft asks of nothing but what stands in an alert's header.
    """

    before: Snapshot
    after: Snapshot
    draft: AgreementId
    version: int
    of_headers: bool

    @classmethod
    def of(cls, candidates: Iterable[Candidate], book: Book, draft: Agreement) -> Worlds:
        """Return both: a suspension, an accession or an end in the book counts, but for the draft's own agreement."""
        receivers = tuple(candidates)
        return cls(
            before=Snapshot.under(receivers, book),
            after=Snapshot.under(receivers, book.without([draft.id]).with_agreement(_as_if_in_force(draft))),
            draft=draft.id,
            version=draft.version,
            of_headers=all(isinstance(each, HeaderCondition) for grant in draft.grants for each in grant.conditions),
        )

    def carried_over(self, reached: Mapping[ParticipantId, ClauseRef]) -> Mapping[ParticipantId, ClauseRef]:
        """Return whom a thread reached, as if the draft had let through what its agreement did."""
        return {
            participant: ClauseRef(self.draft, self.version, under.clause) if under.agreement == self.draft else under
            for participant, under in reached.items()
        }


@dataclass(frozen=True, slots=True)
class Sample:
    """One alert that the draft changes something about, by its id alone, and for whom, in alphabetical order."""

    alert_id: AlertId
    type: AlertType
    gained: tuple[ParticipantId, ...]
    lost: tuple[ParticipantId, ...]
    changed: tuple[ParticipantId, ...]


@dataclass(slots=True)
class Findings:
    """What a draft would have done with some alerts.

    ``copies`` counts by recipient, type and effect, ``clauses`` by the clause that rules, ``fields`` by the pointer and
    the treatment of what is withheld, each copy in which something stands there once. ``changed`` are alerts of which
    any copy is not the same, by type in ``changed_types``; ``unreadable`` are alerts that can't be read any more,
    ``unknown`` those that were not looked at because whoever asks has not had all of them.
    """

    alerts: int = 0
    changed: int = 0
    unreadable: int = 0
    unknown: int = 0
    types: Counter[AlertType] = field(default_factory=Counter)
    changed_types: Counter[AlertType] = field(default_factory=Counter)
    copies: Counter[tuple[ParticipantId, AlertType, Effect]] = field(default_factory=Counter)
    clauses: Counter[tuple[ClauseRef, Side]] = field(default_factory=Counter)
    fields: Counter[tuple[str, Treatment, Side]] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)

    def add(self, other: Findings, *, samples: int) -> None:
        """Add what was found of other alerts, and keep so many samples at most, the earliest first."""
        self.alerts += other.alerts
        self.changed += other.changed
        self.unreadable += other.unreadable
        self.unknown += other.unknown
        self.types.update(other.types)
        self.changed_types.update(other.changed_types)
        self.copies.update(other.copies)
        self.clauses.update(other.clauses)
        self.fields.update(other.fields)
        self.samples = [*self.samples, *other.samples][:samples]


def simulate(past: Iterable[PastAlert], worlds: Worlds, *, samples: int) -> Findings:
    """Return what a draft would have done with alerts; ``samples`` is how many changed ones are named at most."""
    findings = Findings()
    for each in past:
        _examine(each, worlds, findings, samples=samples)
    return findings


def _examine(past: PastAlert, worlds: Worlds, findings: Findings, *, samples: int) -> None:
    if not (past.known or worlds.of_headers):
        findings.unknown += 1
        return
    reached = worlds.carried_over(past.reached)
    before = _permits(decide(past.alert, worlds.before, past.at, reached=past.reached), past)
    after = _permits(decide(past.alert, worlds.after, past.at, reached=reached), past)
    kind = past.alert.type
    effects = {who: _effect(before.get(who), after.get(who)) for who in sorted(before.keys() | after.keys())}
    findings.alerts += 1
    findings.types[kind] += 1
    for recipient, effect in effects.items():
        findings.copies[recipient, kind, effect] += 1
    for side, permits in ((Side.BEFORE, before), (Side.AFTER, after)):
        for permit in permits.values():
            findings.clauses[permit.under, side] += 1
        for pointer, treatment in _withheld(past.document, permits.values()) if past.known else ():
            findings.fields[pointer, treatment, side] += 1
    if any(effect is not Effect.SAME for effect in effects.values()):
        findings.changed += 1
        findings.changed_types[kind] += 1
        if len(findings.samples) < samples:
            findings.samples.append(_sample(past, effects))


def _permits(decisions: Iterable[Decision], past: PastAlert) -> dict[ParticipantId, Permit]:
    among = past.among
    return {
        each.recipient: each
        for each in decisions
        if isinstance(each, Permit) and (among is None or each.recipient in among)
    }


def _effect(before: Permit | None, after: Permit | None) -> Effect:
    if before is None:
        return Effect.GAINED
    if after is None:
        return Effect.LOST
    bound_alike = before.lane is after.lane and _bonds(before) == _bonds(after)
    return Effect.SAME if bound_alike else Effect.CHANGED


def _bonds(permit: Permit) -> tuple[object, ...]:
    """Return what a permit's terms oblige to, whichever clauses they come from."""
    terms = permit.terms
    return (
        frozenset((each.pointer, each.treatment) for each in terms.withholdings),
        terms.deliver_within,
        terms.acknowledge_within,
        terms.retain_days,
        terms.onward,
        terms.consent_by,
        terms.consent_within,
        terms.exercise,
    )


def _withheld(document: JsonValue, permits: Iterable[Permit]) -> Iterator[tuple[str, Treatment]]:
    """Yield what copies would not have as it is, once for each copy in which something stands there."""
    there: dict[str, bool] = {}
    for permit in permits:
        for each in permit.terms.withholdings:
            if each.pointer not in there:
                there[each.pointer] = any(True for _ in places(document, each.pointer))
            if there[each.pointer]:
                yield each.pointer, each.treatment


def _sample(past: PastAlert, effects: Mapping[ParticipantId, Effect]) -> Sample:
    def those(effect: Effect) -> tuple[ParticipantId, ...]:
        return tuple(who for who, found in effects.items() if found is effect)

    return Sample(past.alert_id, past.alert.type, those(Effect.GAINED), those(Effect.LOST), those(Effect.CHANGED))


def _as_if_in_force(draft: Agreement) -> VerifiedAgreement:
    """Return a draft as if every party had signed it and it had always been in force: good for asking alone."""
    document = draft.model_copy(update={"valid": _ALWAYS})
    signatures = tuple(PartySignature(party, _NOBODY, datetime.min.replace(tzinfo=UTC), b"") for party in draft.parties)
    return VerifiedAgreement(SignedAgreement(document, agreement_bytes(document), signatures))


_ALWAYS: Final = Validity.model_validate({"from": "0001-01-02T00:00:00Z", "until": "9999-12-30T00:00:00Z"})
_NOBODY: Final = KeyId("nobody")

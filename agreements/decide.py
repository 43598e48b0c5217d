"""Who receives an alert, under which clause, and why the others do not.

``decide`` is pure: the same alert, snapshot, instant and thread give the same decisions, years later too. No
agreement, no recipient; whatever can't be established is a denial. For each candidate, in this order:

1. A Cancel goes only to those whom the thread reached: the others are denied (``not-reached``).
2. ``addresses``, where the sender filled it, narrows: who is not named there is denied (``not-addressed``).
3. A clause permits that covers the type, the sender and the candidate, in a version that is in force, with all its
   conditions met. Of several, the urgent lane rules, then the lowest reference.
4. An Update or a Cancel also reaches whom its thread reached, under the clause that let the thread through, as long as
   that version is in force, the clause covers this alert, and the conditions that bind a thread (status, TLP) hold.
   Neither rule 2 nor the conditions on info stand in its way: who was told must hear that it changed.
5. Else the candidate is denied: ``conditions-unmet``, ``expired`` or ``not-yet-in-force`` with every clause that was
   considered, ``no-grant`` where agreements bind both sides but none grants this, ``no-agreement`` where none does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from agreements import reasons
from agreements.snapshot import Clause, Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Deny, Permit, Reason
from schemas.ids import JurisdictionCode, ParticipantId, home_of


def decide(
    alert: Alert, snapshot: Snapshot, now: datetime, *, reached: Mapping[ParticipantId, ClauseRef]
) -> tuple[Decision, ...]:
    """Return one decision for each candidate but the sender, ordered by recipient.

    ``now`` is the instant of acceptance, with its offset. ``reached`` names whom earlier alerts of the thread reached,
    each with the clause that let the latest of them through; it is empty for a first alert, and counts for Update and
    Cancel alone. The module's docstring is the specification.
    """
    case = _Case(alert, snapshot, now, reached if alert.msgType in _FOLLOWING else {})
    return tuple(
        [
            case.decision(participant, jurisdiction)
            for participant, jurisdiction in snapshot.candidates
            if participant != alert.sender
        ]
    )


_FOLLOWING: Final = frozenset({"Update", "Cancel"})
_NOT_REACHED: Final = reasons.not_reached()
_NOT_ADDRESSED: Final = reasons.not_addressed()

_Refusal: TypeAlias = tuple[Reason, tuple[tuple[ClauseRef, Reason], ...]]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one clause says of the alert, whoever the recipient: the same for all whom it names."""

    clause: Clause
    in_force: bool
    unmet: tuple[Reason, ...]
    holds_thread: bool


def _find(clause: Clause, alert: Alert, now: datetime) -> _Finding:
    outside = clause.term.outside(now)
    if outside is not None:
        return _Finding(clause, in_force=False, unmet=(outside,), holds_thread=False)
    unmet: list[Reason] = []
    holds_thread = True
    for condition in clause.conditions:
        reason = condition.unmet(alert)
        if reason is not None:
            unmet.append(reason)
            holds_thread = holds_thread and not condition.binds_thread
    return _Finding(clause, in_force=True, unmet=tuple(unmet), holds_thread=holds_thread)


class _Case:
    """One alert before the agreements: what each clause says of it is found once, then asked for each candidate."""

    def __init__(
        self, alert: Alert, snapshot: Snapshot, now: datetime, reached: Mapping[ParticipantId, ClauseRef]
    ) -> None:
        self._alert = alert
        self._snapshot = snapshot
        self._now = now
        self._reached = reached
        self._cancels = alert.msgType == "Cancel"
        self._addresses = frozenset(alert.addresses)
        route = snapshot.route(alert.type, alert.sender)
        self._naming = route.naming
        self._findings = [_find(clause, alert, now) if clause.term.governs(now) else None for clause in route.clauses]
        self._refusals: dict[tuple[tuple[int, ...], JurisdictionCode], _Refusal] = {}

    def decision(self, participant: ParticipantId, jurisdiction: JurisdictionCode) -> Decision:
        """Decide for one candidate, as the module says."""
        under = self._reached.get(participant)
        if self._cancels and under is None:
            return Deny(participant, jurisdiction, _NOT_REACHED)
        addresses = self._addresses
        addressed = not addresses or participant in addresses or jurisdiction in addresses
        naming = self._naming.get(participant, ())
        for index in naming:
            finding = self._findings[index]
            if finding is None:
                continue
            clause = finding.clause
            if addressed and not finding.unmet:
                return Permit(participant, jurisdiction, clause.ref, clause.lane, clause.granted)
            if finding.holds_thread and clause.ref == under:
                return Permit(participant, jurisdiction, clause.ref, clause.lane, clause.follows_thread)
        if not addressed:
            return Deny(participant, jurisdiction, _NOT_ADDRESSED)
        reason, considered = self._refusal(naming, jurisdiction)
        return Deny(participant, jurisdiction, reason, considered)

    def _refusal(self, naming: tuple[int, ...], jurisdiction: JurisdictionCode) -> _Refusal:
        """Return why the clauses that name a candidate do not permit; worked out once for all candidates alike."""
        known = self._refusals.get((naming, jurisdiction))
        if known is None:
            findings = [finding for index in naming if (finding := self._findings[index]) is not None]
            findings.sort(key=lambda finding: finding.clause.ref)
            considered = tuple([(finding.clause.ref, reason) for finding in findings for reason in finding.unmet])
            known = (_foremost(findings) or self._ungranted(jurisdiction), considered)
            self._refusals[naming, jurisdiction] = known
        return known

    def _ungranted(self, jurisdiction: JurisdictionCode) -> Reason:
        home = home_of(self._alert.sender)
        if home == jurisdiction:
            return reasons.no_grant_at_home(home, self._alert.type)
        binding = self._snapshot.binding(home, jurisdiction, self._now)
        if not binding:
            return reasons.no_agreement(home, jurisdiction)
        return reasons.no_grant(self._alert.sender, self._alert.type, binding)


def _foremost(findings: Sequence[_Finding]) -> Reason | None:
    """Return the reason that stands for all: unmet conditions of clauses in force, else the first clause's term."""
    in_force = [finding.clause.ref for finding in findings if finding.in_force]
    if in_force:
        return reasons.conditions_unmet(in_force)
    return findings[0].unmet[0] if findings else None

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
   considered, in the order in which it would have ruled; ``no-grant`` where agreements bind both sides but none grants
   this, ``no-agreement`` where none does; ``no-grant-at-home`` within the sender's own jurisdiction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from agreements import reasons
from agreements.routes import Considered, Route, Standing
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Deny, Permit, Reason
from schemas.ids import ParticipantId


def decide(
    alert: Alert, snapshot: Snapshot, now: datetime, *, reached: Mapping[ParticipantId, ClauseRef]
) -> tuple[Decision, ...]:
    """Return one decision for each candidate but the sender, ordered by recipient.

    ``now`` is the instant of acceptance, with its offset. ``reached`` names whom earlier alerts of the thread reached,
    each with the clause that let the latest of them through; it counts for Update and Cancel alone. The module's
    docstring is the specification.
    """
    route = snapshot.route(alert.type, alert.sender, now)
    case = _Case(alert, route, reached if alert.msgType in _FOLLOWING else {})
    return tuple([case.decision(standing) for standing in route.standings])


_FOLLOWING: Final = frozenset({"Update", "Cancel"})
_NOT_REACHED: Final = reasons.not_reached()
_NOT_ADDRESSED: Final = reasons.not_addressed()


class _Case:
    """One alert before the clauses of its route; what each says of it is found once, when a candidate first asks."""

    def __init__(self, alert: Alert, route: Route, reached: Mapping[ParticipantId, ClauseRef]) -> None:
        self._alert = alert
        self._clauses = route.clauses
        self._reached = reached
        self._cancels = alert.msgType == "Cancel"
        self._addresses = frozenset(alert.addresses)
        self._unmet: dict[int, tuple[Reason, ...]] = {}
        self._rulings: dict[int, int | None] = {}
        self._refusals: dict[int, tuple[Reason, Considered]] = {}

    def decision(self, standing: Standing) -> Decision:
        """Decide for one candidate, as the module says."""
        participant, jurisdiction = standing.participant, standing.jurisdiction
        under = self._reached.get(participant)
        if self._cancels and under is None:
            return Deny(participant, jurisdiction, _NOT_REACHED)
        addressed = not self._addresses or participant in self._addresses or jurisdiction in self._addresses
        ruling = self._ruling(standing) if addressed else None
        carrying = self._carrying(standing, under) if under is not None else None
        if ruling is not None and (carrying is None or ruling <= carrying):
            clause = self._clauses[ruling]
            return Permit(participant, jurisdiction, clause.ref, clause.lane, clause.granted)
        if carrying is not None:
            clause = self._clauses[carrying]
            return Permit(participant, jurisdiction, clause.ref, clause.lane, reasons.follows_thread(clause.ref))
        if not addressed:
            return Deny(participant, jurisdiction, _NOT_ADDRESSED)
        if not standing.clauses:
            return standing.ungranted
        reason, considered = self._refusal(standing)
        return Deny(participant, jurisdiction, reason, considered)

    def _ruling(self, standing: Standing) -> int | None:
        """Return the first clause that permits; the same for all candidates of a group."""
        group = standing.group
        if group not in self._rulings:
            met = (index for index in standing.clauses if not self._unmet_of(index))
            self._rulings[group] = next(met, None)
        return self._rulings[group]

    def _carrying(self, standing: Standing, under: ClauseRef) -> int | None:
        """Return the clause that let the thread through to this candidate, where it still carries it."""
        for index in standing.clauses:
            clause = self._clauses[index]
            if clause.ref == under:
                binding = [condition for condition in clause.conditions if condition.binds_thread]
                holds = all(condition.unmet(self._alert) is None for condition in binding)
                return index if holds else None
        return None

    def _refusal(self, standing: Standing) -> tuple[Reason, Considered]:
        """Return why no clause in force permits; the same for all candidates of a group."""
        known = self._refusals.get(standing.group)
        if known is None:
            clauses = [(self._clauses[index].ref, self._unmet_of(index)) for index in standing.clauses]
            unmet = [(ref, reason) for ref, lacking in clauses for reason in lacking]
            foremost = reasons.conditions_unmet([ref for ref, _ in clauses])
            known = self._refusals[standing.group] = foremost, (*unmet, *standing.lapsed)
        return known

    def _unmet_of(self, index: int) -> tuple[Reason, ...]:
        """Return why the alert does not meet each condition of a clause that it does not meet."""
        known = self._unmet.get(index)
        if known is None:
            answers = [condition.unmet(self._alert) for condition in self._clauses[index].conditions]
            known = self._unmet[index] = tuple([answer for answer in answers if answer is not None])
        return known

"""Who receives an alert, under which clause, and why the others do not.

``decide`` is pure: the same alert, snapshot, instant and thread give the same decisions, years later too. No
agreement, no recipient; whatever can't be established is a denial. For each candidate, in this order:

1. A Cancel goes only to those whom the thread reached: the others are denied (``not-reached``).
2. ``addresses``, where the sender filled it, narrows: who is not named there is denied (``not-addressed``).
3. A clause permits that covers the type, the sender and the candidate, in a version that is in force, with all its
   conditions met. Of several, the urgent lane rules, then the lowest reference.
4. A clause that lets the alert through to anybody, by rule 3 or rule 5, also permits the candidates whom its
   ``copy-to`` names. Rule 2 does not stand in their way: who must be told is told; rule 1 does.
5. An Update or a Cancel also reaches whom its thread reached, under the clause that let the thread through, as long as
   that version is in force, the clause covers this alert, and the conditions that bind a thread (status, TLP, handling
   codes, for exercises alone) hold. Neither rule 2 nor the other conditions stand in its way: who was told must hear
   that it changed.
6. A permit's terms are the strictest of all clauses that permit by rules 3 to 5 (``agreements.terms``); its lane is
   that of the one that rules, which it names.
7. Else the candidate is denied: ``conditions-unmet``, ``nothing-to-copy``, ``expired`` or ``not-yet-in-force`` with
   every clause that was considered, in the order in which it would have ruled; ``no-grant`` where agreements bind both
   sides but none grants this, ``no-agreement`` where none does; ``no-grant-at-home`` within the sender's own
   jurisdiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from agreements import reasons
from agreements.routes import Considered, Route, Standing
from agreements.snapshot import Snapshot
from agreements.terms import strictest
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
        self._route = route
        self._clauses = route.clauses
        self._reached = reached
        self._cancels = alert.msgType == "Cancel"
        self._addresses = frozenset(alert.addresses)
        self._unmet: dict[int, tuple[Reason, ...]] = {}
        self._granting: dict[int, tuple[int, ...]] = {}
        self._let_through: dict[int, bool] = {}
        self._refusals: dict[int, tuple[Reason, Considered]] = {}

    def decision(self, standing: Standing) -> Decision:
        """Decide for one candidate, as the module says."""
        participant, jurisdiction = standing.participant, standing.jurisdiction
        if self._cancels and participant not in self._reached:
            return Deny(participant, jurisdiction, _NOT_REACHED)
        addressed = self._addressed(standing)
        granting = self._granting_to(standing) if addressed else ()
        copying = [index for index in standing.copying if self._lets_through(index)]
        carrying = self._carrying(standing)
        if granting or copying or carrying is not None:
            return self._permit(standing, granting, copying, carrying)
        if not addressed:
            return Deny(participant, jurisdiction, _NOT_ADDRESSED)
        if not standing.clauses and not standing.copying:
            return standing.ungranted
        reason, considered = self._refusal(standing)
        return Deny(participant, jurisdiction, reason, considered)

    def _addressed(self, standing: Standing) -> bool:
        named = self._addresses
        return not named or standing.participant in named or standing.jurisdiction in named

    def _granting_to(self, standing: Standing) -> tuple[int, ...]:
        """Return the clauses that permit by their own conditions; the same for all candidates of a group."""
        known = self._granting.get(standing.group)
        if known is None:
            met = [index for index in standing.clauses if not self._unmet_of(index)]
            known = self._granting[standing.group] = tuple(met)
        return known

    def _permit(
        self, standing: Standing, granting: Sequence[int], copying: Sequence[int], carrying: int | None
    ) -> Permit:
        """Return the permit of a candidate for whom some clauses permit, each in one way or in several."""
        permitting = {*granting, *copying, *(() if carrying is None else (carrying,))}
        clause = self._clauses[min(permitting)]
        if min(permitting) in granting:
            reason = clause.granted
        elif min(permitting) in copying:
            reason = reasons.copied(clause.ref)
        else:
            reason = reasons.follows_thread(clause.ref)
        terms = strictest([self._route.terms[index] for index in sorted(permitting)])
        return Permit(standing.participant, standing.jurisdiction, clause.ref, clause.lane, reason, terms)

    def _lets_through(self, index: int) -> bool:
        """Whether a clause lets the alert through to any candidate that it names."""
        known = self._let_through.get(index)
        if known is None:
            named = (standing for standing in self._route.standings if index in standing.clauses)
            known = self._let_through[index] = any(self._reaches(standing, index) for standing in named)
        return known

    def _reaches(self, standing: Standing, index: int) -> bool:
        if self._cancels and standing.participant not in self._reached:
            return False
        granted = self._addressed(standing) and not self._unmet_of(index)
        return granted or self._carrying(standing) == index

    def _carrying(self, standing: Standing) -> int | None:
        """Return the clause that let the thread through to this candidate, where it still carries it."""
        under = self._reached.get(standing.participant)
        if under is None:
            return None
        for index in (*standing.clauses, *standing.copying):
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
            indexes = standing.clauses or standing.copying
            clauses = [(self._clauses[index].ref, self._unmet_of(index)) for index in indexes]
            unmet = [(ref, reason) for ref, lacking in clauses for reason in lacking]
            say = reasons.conditions_unmet if standing.clauses else reasons.nothing_to_copy
            foremost = say([ref for ref, _ in clauses])
            known = self._refusals[standing.group] = foremost, (*unmet, *standing.lapsed)
        return known

    def _unmet_of(self, index: int) -> tuple[Reason, ...]:
        """Return why the alert does not meet each condition of a clause that it does not meet."""
        known = self._unmet.get(index)
        if known is None:
            answers = [condition.unmet(self._alert) for condition in self._clauses[index].conditions]
            known = self._unmet[index] = tuple([answer for answer in answers if answer is not None])
        return known

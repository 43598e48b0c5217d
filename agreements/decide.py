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
8. What the alert passes on of others' alerts may keep it from a candidate, and a permit's terms name everyone whose
   consent its copy awaits (``agreements.release``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from agreements import reasons
from agreements.release import Source, before_release
from agreements.routes import Considered, Route, Standing
from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Decision, Decisions, Deny, Reason
from schemas.ids import ParticipantId


def decide(
    alert: Alert,
    snapshot: Snapshot,
    now: datetime,
    *,
    reached: Mapping[ParticipantId, ClauseRef],
    sources: Sequence[Source] = (),
) -> Decisions:
    """Return one decision for each candidate but the sender, ordered by recipient.

    ``now`` is the instant of acceptance, with its offset. ``reached`` names whom earlier alerts of the thread reached,
    each with the clause that let the latest of them through; it counts for Update and Cancel alone. ``sources`` are the
    alerts of others that this one passes on. The module's docstring is the specification.
    """
    route = snapshot.route(alert.type, alert.sender, now)
    return _Case(alert, route, reached if alert.msgType in _FOLLOWING else {}, sources).decisions()


_FOLLOWING: Final = frozenset({"Update", "Cancel"})
_NOT_REACHED: Final = reasons.not_reached()
_NOT_ADDRESSED: Final = reasons.not_addressed()


class _Case:
    """One alert before the clauses of its route; what each says of it is found once, when a candidate first asks."""

    def __init__(
        self, alert: Alert, route: Route, reached: Mapping[ParticipantId, ClauseRef], sources: Sequence[Source]
    ) -> None:
        self._alert = alert
        self._sources = sources
        self._route = route
        self._clauses = route.clauses
        self._reached = reached
        self._cancels = alert.msgType == "Cancel"
        self._addresses = frozenset(alert.addresses)
        self._answers: list[Reason | None] = [each.unmet(alert) for each in route.requirements]
        self._met = [all(self._answers[each] is None for each in asked) for asked in route.asked]
        self._by_group = not (self._addresses or self._reached or self._cancels)
        self._let_through: dict[int, bool] = {}

    def decisions(self) -> Decisions:
        """Decide for every candidate, as the module says; as for an earlier alert where nothing else counts."""
        if not self._by_group or self._sources:
            return self._decide_all()
        answers = tuple(self._answers)
        known = self._route.decided.get(answers)
        if known is None:
            known = self._decide_all()
            self._route.remember(answers, known)
        return known

    def _decide_all(self) -> Decisions:
        """Decide for every candidate, once for all who stand alike."""
        decided: list[Decision] = [*self._route.ungranted]
        for under, addressed, alike in self._alike():
            for standing, decision in zip(alike, self._decided(alike, under, addressed=addressed), strict=True):
                decided[standing.position] = decision
        return Decisions(decided)

    def _alike(self) -> Iterable[tuple[ClauseRef | None, bool, Sequence[Standing]]]:
        """Return candidates of one group, addressed alike, whom the thread reached under the same clause."""
        if self._by_group:
            return [(None, True, members) for members in self._route.groups]
        alike: defaultdict[tuple[int, ClauseRef | None, bool], list[Standing]] = defaultdict(list)
        for standing in self._route.standings:
            under = self._reached.get(standing.participant)
            alike[standing.group, under, self._addressed(standing)].append(standing)
        return [(under, addressed, members) for (_, under, addressed), members in alike.items()]

    def _addressed(self, standing: Standing) -> bool:
        named = self._addresses
        return not named or standing.participant in named or standing.jurisdiction in named

    def _decided(self, alike: Sequence[Standing], under: ClauseRef | None, *, addressed: bool) -> Iterable[Decision]:
        """Decide for candidates who stand alike."""
        if self._cancels and under is None:
            return _denied(alike, _NOT_REACHED)
        first = alike[0]
        granting = [index for index in first.clauses if self._met[index]] if addressed else []
        copying = [index for index in first.copying if self._lets_through(index)]
        carrying = self._carrying(first, under)
        if granting or copying or carrying is not None:
            return self._permitted(alike, granting, copying, carrying)
        if not addressed:
            return _denied(alike, _NOT_ADDRESSED)
        if not first.clauses and not first.copying:
            return [standing.ungranted for standing in alike]
        return _denied(alike, *self._refusal(first))

    def _permitted(
        self, alike: Sequence[Standing], granting: Sequence[int], copying: Sequence[int], carrying: int | None
    ) -> Iterable[Decision]:
        """Return the decisions where some clauses permit, each in one way or in several; all are on the same terms."""
        permitting = tuple(sorted({*granting, *copying, *(() if carrying is None else (carrying,))}))
        ruling = permitting[0]
        clause = self._clauses[ruling]
        if ruling in granting:
            reason = clause.granted
        elif ruling in copying:
            reason = reasons.copied(clause.ref)
        else:
            reason = reasons.follows_thread(clause.ref)
        make = self._route.permits_of_group if self._by_group else self._route.permits
        permits = make(alike, permitting, reason)
        if self._sources or permits[0].terms.consent_by:
            return before_release(permits, self._alert, self._sources)
        return permits

    def _lets_through(self, index: int) -> bool:
        """Whether a clause lets the alert through to any candidate that it names."""
        known = self._let_through.get(index)
        if known is None:
            named = self._route.named[index]
            may = self._met[index] or self._reached
            known = self._let_through[index] = bool(may) and any(self._reaches(each, index) for each in named)
        return known

    def _reaches(self, standing: Standing, index: int) -> bool:
        under = self._reached.get(standing.participant)
        if self._cancels and under is None:
            return False
        granted = self._met[index] and self._addressed(standing)
        return granted or self._carrying(standing, under) == index

    def _carrying(self, standing: Standing, under: ClauseRef | None) -> int | None:
        """Return the clause that let the thread through to these candidates, where it still carries it."""
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
        """Return why no clause in force permits, and what each lacks."""
        indexes = standing.clauses or standing.copying
        answers = [
            (self._clauses[index].ref, self._answers[each]) for index in indexes for each in self._route.asked[index]
        ]
        unmet = [(ref, reason) for ref, reason in answers if reason is not None]
        say = reasons.conditions_unmet if standing.clauses else reasons.nothing_to_copy
        return say([self._clauses[index].ref for index in indexes]), (*unmet, *standing.lapsed)


def _denied(alike: Sequence[Standing], reason: Reason, considered: Considered = ()) -> Iterable[Deny]:
    return [Deny(each.participant, each.jurisdiction, reason, considered) for each in alike]

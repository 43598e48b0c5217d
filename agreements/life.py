"""What becomes of an agreement's version once every party has signed it: suspended, resumed, left, joined, over.

A ``Life`` is a value: ``after`` returns the life that one more step makes, in the order of the log, or says why the
step can't be taken. The rules, which docs/decisions/0014-the-life-of-an-agreement.md gives the reasons of:

* Any bound party suspends, at once; a further suspension, by whichever party, counts from then on as the one to lift.
* It is resumed when every bound party has stated so since the last suspension; a statement that was signed before that
  suspension was does not count.
* Any bound party withdraws, at once and for good: nothing passes from it or to it any more. Where fewer than two are
  left the version has ended for all.
* Whom the document names as open to accede becomes a party by its own statement; the parties consented by signing.
* Of one party's statements each is made later than the one before. Once over, by its date or by withdrawals, nothing
  changes a version any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from agreements import reasons
from agreements.document import Agreement
from agreements.steps import LoggedStep, Step, StepKind
from schemas.bilingual import Bilingual
from schemas.decisions import Reason
from schemas.ids import JurisdictionCode


class StepRefusedError(Exception):
    """The version's life has no place for this step; ``reason`` says why."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class State(StrEnum):
    """What a version is at an instant. A draft is paper alone; ``proposed`` lacks a party's signature."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    IN_FORCE = "in-force"
    SUSPENDED = "suspended"
    REPLACED = "replaced"
    ENDED = "ended"
    EXPIRED = "expired"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Membership:
    """When a jurisdiction is bound: from ``since`` (None: from the beginning) until, and not at, ``until``."""

    since: datetime | None = None
    until: datetime | None = None

    def covers(self, now: datetime) -> bool:
        """Return whether the jurisdiction is bound at an instant."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Suspension:
    """A time in which nothing passes: from ``since`` until, and not at, ``until``.

    ``by`` suspended last, by a statement about version ``named`` that it made at ``made_at``; ``resuming`` are those
    who have stated since then that it may be resumed.
    """

    since: datetime
    by: JurisdictionCode
    made_at: datetime
    named: int
    resuming: frozenset[JurisdictionCode] = frozenset()
    until: datetime | None = None

    def covers(self, now: datetime) -> bool:
        """Return whether nothing passes at an instant."""
        return self.since <= now and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Life:
    """The life of one version so far. ``of`` begins one, ``after`` goes on with it."""

    version: int
    expires: datetime
    may_accede: frozenset[JurisdictionCode]
    members: Mapping[JurisdictionCode, Membership]
    suspensions: tuple[Suspension, ...] = ()
    ended: tuple[datetime, JurisdictionCode] | None = None
    latest: Mapping[JurisdictionCode, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Agreement) -> Life:
        """Return the life of a version that every party has just signed."""
        return cls(
            version=document.version,
            expires=document.valid.end,
            may_accede=frozenset(document.may_accede),
            members={party: Membership() for party in document.parties},
        )

    @property
    def bound(self) -> frozenset[JurisdictionCode]:
        """Who is bound after the last step; nobody where the version has ended."""
        if self.ended is not None:
            return frozenset()
        return frozenset(party for party, member in self.members.items() if member.until is None)

    @property
    def binds_all(self) -> bool:
        """Whether everybody whom the document can bind has been bound from the beginning, and is."""
        return not self.may_accede and all(member == Membership() for member in self.members.values())

    @property
    def open_suspension(self) -> Suspension | None:
        """The suspension that nobody has lifted yet."""
        last = self.suspensions[-1] if self.suspensions else None
        return None if last is None or last.until is not None else last

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The instants at which something changed."""
        members = [(each.since, each.until) for each in self.members.values()]
        suspensions = [(each.since, each.until) for each in self.suspensions]
        ended = () if self.ended is None else (self.ended[0],)
        return (*(at for pair in (*members, *suspensions) for at in pair if at is not None), *ended)

    def suspended(self, now: datetime) -> Reason | None:
        """Return the reason of the suspension that covers an instant, if one does."""
        for each in self.suspensions:
            if each.covers(now):
                return reasons.suspended(each.since, each.by)
        return None

    def over(self, now: datetime) -> Reason | None:
        """Return the reason where withdrawals have ended the version by an instant."""
        if self.ended is None or now < self.ended[0]:
            return None
        return reasons.ended(*self.ended)

    def unbound(self, jurisdiction: JurisdictionCode, now: datetime) -> Reason | None:
        """Return why a jurisdiction is not bound at an instant, or nothing where it is."""
        member = self.members.get(jurisdiction)
        if member is None or (member.since is not None and now < member.since):
            return reasons.not_acceded(jurisdiction)
        if member.until is not None and member.until <= now:
            return reasons.ended(member.until, jurisdiction)
        return None

    def after(self, logged: LoggedStep) -> Life:
        """Return the life once a step stands in the log. Raises ``StepRefusedError``; this one stays as it is."""
        step = logged.step
        self._require_open(step, logged.at)
        match step.step:
            case StepKind.SUSPENSION:
                changed = self._with_suspension(step, logged.at)
            case StepKind.RESUMPTION:
                changed = self._with_resumption(step, logged.at)
            case StepKind.WITHDRAWAL:
                changed = self._with_withdrawal(step, logged.at)
            case StepKind.ACCESSION:
                changed = self._with_accession(step, logged.at)
            case unreachable:
                assert_never(unreachable)
        return replace(changed, latest={**self.latest, step.party: step.made_at})

    def _require_open(self, step: Step, at: datetime) -> None:
        if self.ended is not None or at >= self.expires:
            raise StepRefusedError(_OVER)
        latest = self.latest.get(step.party)
        if latest is not None and step.made_at <= latest:
            raise StepRefusedError(_NOT_LATER)
        if step.step is not StepKind.ACCESSION and step.party not in self.bound:
            raise StepRefusedError(_NOT_BOUND)

    def _with_suspension(self, step: Step, at: datetime) -> Life:
        fresh = Suspension(since=at, by=step.party, made_at=step.made_at, named=step.version)
        running = self.open_suspension
        if running is None:
            return replace(self, suspensions=(*self.suspensions, fresh))
        # one follows the other without a gap, so that what was said of an instant before stays true of it
        made_at, named = max(running.made_at, step.made_at), max(running.named, step.version)
        following = (replace(running, until=at), replace(fresh, made_at=made_at, named=named))
        return replace(self, suspensions=(*self.suspensions[:-1], *following))

    def _with_resumption(self, step: Step, at: datetime) -> Life:
        running = self.open_suspension
        if running is None:
            raise StepRefusedError(_NOT_SUSPENDED)
        if step.made_at < running.made_at or running.named > step.version:
            raise StepRefusedError(_SUSPENDED_SINCE)
        if step.party in running.resuming:
            raise StepRefusedError(_RESUMED_ALREADY)
        return _lifted_where_all_agree(self, replace(running, resuming=running.resuming | {step.party}), at)

    def _with_withdrawal(self, step: Step, at: datetime) -> Life:
        member = replace(self.members[step.party], until=at)
        life = replace(self, members={**self.members, step.party: member})
        if len(life.bound) < _TWO:
            return replace(life, ended=(at, step.party))
        running = life.open_suspension
        return life if running is None else _lifted_where_all_agree(life, running, at)

    def _with_accession(self, step: Step, at: datetime) -> Life:
        if step.party not in self.may_accede:
            raise StepRefusedError(_NOT_OPEN)
        if step.party in self.members:
            raise StepRefusedError(_ACCEDED_ALREADY)
        return replace(self, members={**self.members, step.party: Membership(since=at)})


def _lifted_where_all_agree(life: Life, running: Suspension, at: datetime) -> Life:
    """Return a life with its running suspension so, lifted where everybody who is bound has stated it."""
    lifted = replace(running, until=at) if running.resuming >= life.bound else running
    return replace(life, suspensions=(*life.suspensions[:-1], lifted))


_TWO: Final = 2
"""Parties that an agreement takes."""
_OVER: Final = Bilingual(
    fr="Cette version de l'entente a pris fin : plus rien n'y change.",
    en="This version of the agreement is over: nothing changes it any more.",
)
_NOT_LATER: Final = Bilingual(
    fr="Une déclaration aussi récente ou plus récente de cette partie est déjà inscrite.",
    en="A statement of this party that is as new or newer is recorded already.",
)
_NOT_BOUND: Final = Bilingual(
    fr="Cette juridiction n'est pas partie à l'entente, ou s'en est retirée.",
    en="This jurisdiction is not a party to the agreement, or has withdrawn from it.",
)
_NOT_SUSPENDED: Final = Bilingual(fr="L'entente n'est pas suspendue.", en="The agreement is not suspended.")
_SUSPENDED_SINCE: Final = Bilingual(
    fr="L'entente a été suspendue de nouveau après cette déclaration : signez-en une autre pour la rétablir.",
    en="The agreement was suspended again after this statement: sign another one to resume it.",
)
_RESUMED_ALREADY: Final = Bilingual(
    fr="Cette partie a déjà déclaré que l'entente peut être rétablie.",
    en="This party has stated already that the agreement may be resumed.",
)
_NOT_OPEN: Final = Bilingual(
    fr="L'entente n'est pas ouverte à l'adhésion de cette juridiction.",
    en="The agreement is not open to this jurisdiction's accession.",
)
_ACCEDED_ALREADY: Final = Bilingual(
    fr="Cette juridiction a déjà adhéré à l'entente; un retrait est définitif.",
    en="This jurisdiction has acceded to the agreement already; a withdrawal is for good.",
)

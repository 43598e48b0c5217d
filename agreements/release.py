"""Whose consent a permitted recipient's copy awaits, and what may not be passed on at all.

A permit says whom an agreement lets an alert reach. Before a copy leaves, these agree, each within its time:

* Those whom a clause names in ``consent-by``.
* The originator of every alert that this one passes on: a *source*, which the alert names in its ``references`` and
  somebody else sent, and whatever that passed on in its turn. The originator itself is told without being asked, and so
  is, of what came through it, whoever passed it on to the alert's sender.

An alert is not passed on at all against its source's handling: where the clause under which its sender received the
source forbids it, where it is marked for wider sharing than the source, or lacks one of its handling codes, and where
its sender never received the source through this exchange, so that nobody here can tell how it is to be handled.

Nobody is asked about what it sends or receives itself. A Cancel needs nobody's consent: it goes only to those who were
told already, who must hear that it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agreements import reasons
from agreements.conditions.header import TLP_ORDER
from agreements.obligations import DAY
from schemas.alerts.header import Alert, HandlingCode, Tlp
from schemas.decisions import Decision, Deny, Onward, Permit, Reason
from schemas.ids import ParticipantId

ONWARD_WITHIN: Final = DAY
"""Seconds from acceptance within which an originator consents to onward sharing; no clause says otherwise."""


@dataclass(frozen=True, slots=True)
class SourceHandling:
    """How whoever received a source may handle it: its label, its codes, and the rule of the clause it came under."""

    tlp: Tlp
    codes: frozenset[HandlingCode]
    onward: Onward


@dataclass(frozen=True, slots=True)
class Source:
    """An alert of another sender that an alert passes on.

    ``known_as`` is the exchange's id of it, where the alert's sender received it; of any other it is "", for nobody
    learns by a reason what else there is. Its own identifier, which ends with its content, is in no reason.

    ``handling`` is None where the alert's sender did not receive it through this exchange. ``through`` are those in
    whose alerts it came, where it came in others' alone; it is to be handled as one of these is then.
    """

    sender: ParticipantId
    known_as: str
    handling: SourceHandling | None
    through: tuple[ParticipantId, ...] = ()

    @property
    def name(self) -> str:
        """What a reason calls it: ``sender,id``, or its sender alone."""
        return f"{self.sender},{self.known_as}" if self.known_as else self.sender


def before_release(permits: Iterable[Permit], alert: Alert, sources: Sequence[Source]) -> tuple[Decision, ...]:
    """Return what permits come to: a denial where nothing may be passed on; else its terms name whoever must agree."""
    return tuple([_before(each, alert, sources) for each in permits])


def _before(permit: Permit, alert: Alert, sources: Sequence[Source]) -> Decision:
    passed_on = [source for source in sources if permit.recipient not in (source.sender, *source.through)]
    reason = next(_against_handling(alert, passed_on), None)
    if reason is not None:
        return Deny(permit.recipient, permit.jurisdiction, reason, ((permit.under, reason),))
    terms = permit.terms
    asked = set(terms.consent_by) | {source.sender for source in passed_on}
    asked -= {alert.sender, permit.recipient}
    if alert.msgType == "Cancel" or not asked:
        return replace(permit, terms=replace(terms, consent_by=(), consent_within=None))
    limits = (terms.consent_within, ONWARD_WITHIN if passed_on else None)
    within = min(limit for limit in limits if limit is not None)
    return replace(permit, terms=replace(terms, consent_by=tuple(sorted(asked)), consent_within=within))


def _against_handling(alert: Alert, sources: Iterable[Source]) -> Iterator[Reason]:
    """Yield why an alert may not be passed on, the gravest reason first for each source."""
    label, codes = alert.handling.tlp, frozenset(alert.handling.codes)
    for source in sources:
        handling = source.handling
        if handling is None:
            yield reasons.source_unknown(source.name)
        elif handling.onward is Onward.FORBIDDEN:
            yield reasons.onward_forbidden(source.name)
        elif TLP_ORDER.index(label) < TLP_ORDER.index(handling.tlp):
            yield reasons.handling_loosened(source.name, handling.tlp)
        elif not handling.codes <= codes:
            yield reasons.handling_loosened(source.name, *sorted(handling.codes - codes))

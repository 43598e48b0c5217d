"""What a new version of an agreement lets through that the old did not, and the reverse, in sentences.

It compares meanings, not texts: a clause that is split, merged, renumbered or reordered and means the same differs in
nothing. A clause lets nothing more through where, for each of its senders, recipients and types, one clause of the
other version names them and asks for nothing more; for a clause whose status and TLP conditions several clauses share
out, each status and label is looked up by itself. That is sure: where nothing is said to pass more, nothing does. It is
not complete: what only several clauses together let through may be said to be new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agreements import diff_words as words
from agreements.comparison import Gap, Version, gaps, loosened
from agreements.document import Agreement, Grant
from agreements.explain import describe
from agreements.obligations import ExerciseOnlyObligation, lane_of
from schemas.bilingual import Bilingual


class Effect(StrEnum):
    """What a difference comes to."""

    MORE = "more"
    """The new version lets through what the old did not."""
    LESS = "less"
    """The new version no longer lets through what the old did."""
    LOOSER = "looser"
    """What both let through is bound by less."""
    STRICTER = "stricter"
    """What both let through is bound by more."""
    OTHER = "other"
    """Nothing of this: texts, parties, contacts, lanes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two versions differ."""

    effect: Effect
    sentence: Bilingual


def diff(old: Agreement, new: Agreement) -> tuple[Difference, ...]:
    """Return in what a new version differs from an old one: what passes first, then what binds, then the rest."""
    before, after = Version.of(old), Version.of(new)
    found = [
        *_validity(old, new),
        *(Difference(Effect.MORE, _passes(gap, before, after, words.NOW_PASSES)) for gap in gaps(after, before)),
        *(Difference(Effect.LESS, _passes(gap, after, before, words.NO_LONGER)) for gap in gaps(before, after)),
        *(Difference(Effect.LOOSER, words.looser(*each, names=before.names)) for each in loosened(before, after)),
        *(Difference(Effect.STRICTER, words.stricter(*each, names=after.names)) for each in loosened(after, before)),
        *(Difference(Effect.OTHER, sentence) for sentence in _others(old, new)),
    ]
    order = list(Effect)
    return tuple(sorted(dict.fromkeys(found), key=lambda each: order.index(each.effect)))


def _passes(gap: Gap, other: Version, mine: Version, say: words.Passing) -> Bilingual:
    """Return the sentence of what one version lets through and another does not."""
    route = words.route(gap.origins, gap.recipients, gap.types)
    if gap.copied:
        return words.copied(gap.clause.grant.clause, route, say)
    if gap.nearest is None:
        return words.unheard_of(gap.clause.grant.clause, route, say)
    pairs = [(_asked(gap.nearest.grant, tag, other), _asked(gap.clause.grant, tag, mine)) for tag in gap.tags]
    if say is words.NO_LONGER:
        pairs = [(mine_says, other_says) for other_says, mine_says in pairs]
    return words.widened(gap.clause.grant.clause, route, pairs, say)


def _asked(grant: Grant, tag: str, version: Version) -> Bilingual:
    for each in grant.conditions:
        if each.condition == tag:
            return describe(each, names=version.names)
    for obligation in grant.obligations:
        if isinstance(obligation, ExerciseOnlyObligation) and obligation.obligation == tag:
            return describe(obligation)
    return words.NOT_ASKED


def _validity(old: Agreement, new: Agreement) -> Iterator[Difference]:
    if new.valid.first != old.valid.first:
        effect = Effect.MORE if new.valid.first < old.valid.first else Effect.LESS
        yield Difference(effect, words.begins(old.valid.start, new.valid.start))
    if new.valid.end != old.valid.end:
        effect = Effect.MORE if new.valid.end > old.valid.end else Effect.LESS
        yield Difference(effect, words.ends(old.valid.until, new.valid.until))


def _others(old: Agreement, new: Agreement) -> Iterator[Bilingual]:
    for party in sorted(set(new.parties) - set(old.parties)):
        yield words.party_added(party)
    for party in sorted(set(old.parties) - set(new.parties)):
        yield words.party_left(party)
    yield from (sentence for member, sentence in words.TEXTS.items() if getattr(old, member) != getattr(new, member))
    yield from _regions(old, new)
    yield from _lanes(old.grants, new.grants)


def _regions(old: Agreement, new: Agreement) -> Iterator[Bilingual]:
    before, after = ({region.name: region for region in version.regions} for version in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield words.region_changed(name)


def _lanes(old: Sequence[Grant], new: Sequence[Grant]) -> Iterator[Bilingual]:
    before = {grant.clause: lane_of(grant.obligations) for grant in old}
    for grant in new:
        lane = lane_of(grant.obligations)
        if before.get(grant.clause, lane) is not lane:
            yield words.other_lane(grant.clause, lane)

"""What differs between two sides' lines, and how it is told: to the partner, and to the log. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gateway.store.reckoning import Fate
from gateway.store.reconciliations import Differing
from schemas.ids import AgreementId, DeliveryId, JurisdictionCode, ParticipantId, home_of
from schemas.reconciliation import NOTHING, UNKNOWN, Group, GroupName, Line, Period

MOST_TOLD: Final = 1_000
"""Differences that one answer names at most; it counts them all."""
MOST_LOGGED: Final = 100
"""Deliveries that one entry names at most; it counts them all."""


class Difference(StrEnum):
    """How a delivery differs."""

    MISSING = "missing"
    EXTRA = "extra"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Found:
    """One delivery that differs. ``ours`` and ``theirs`` are digests, None on the side that has it not."""

    delivery_id: DeliveryId
    difference: Difference
    ours: str | None
    theirs: str | None


class Matching:
    """Compares a partner's lines with the exchange's, of which as many as there are may come, a page at a time."""

    def __init__(self, theirs: Iterable[Line]) -> None:
        self._theirs = {line.delivery_id: line.digest for line in theirs}
        self._found: list[Found] = []
        self.ours = 0

    def page(self, lines: Sequence[Line]) -> None:
        """Compare some of the exchange's lines."""
        self.ours += len(lines)
        for line in lines:
            theirs = self._theirs.pop(line.delivery_id, None)
            if theirs is None:
                self._found.append(Found(line.delivery_id, Difference.MISSING, line.digest, None))
            elif theirs != line.digest and UNKNOWN not in (theirs, line.digest):
                self._found.append(Found(line.delivery_id, Difference.ALTERED, line.digest, theirs))

    def end(self) -> list[Found]:
        """Return all that differs, in the order of the ids, now that every line of the exchange's has come."""
        extra = [Found(delivery, Difference.EXTRA, None, digest) for delivery, digest in self._theirs.items()]
        return sorted((*self._found, *extra), key=lambda found: found.delivery_id)


def differing(ours: Iterable[Group], theirs: Iterable[Group]) -> tuple[tuple[Group, Group], ...]:
    """Return the pairs of groups that are not alike, the exchange's first; who has none has it empty."""
    left, right = ({group.name: group for group in groups} for groups in (ours, theirs))
    names = sorted(left.keys() | right.keys(), key=lambda name: (name[0] or "", name[1] or ""))
    pairs = [(_named(left, name), _named(right, name)) for name in names]
    return tuple(pair for pair in pairs if pair[0] != pair[1])


def told(found: Sequence[Found], fates: Mapping[DeliveryId, Fate]) -> dict[str, Any]:
    """Return what a partner is told: how many differ in each way, and which."""
    return {
        "agreed": not found,
        **{difference.value: sum(each.difference is difference for each in found) for difference in Difference},
        "deliveries": [_told_one(each, fates.get(each.delivery_id)) for each in found[:MOST_TOLD]],
    }


def for_the_log(
    found: Iterable[Found],
    fates: Mapping[DeliveryId, Fate],
    *,
    participant: ParticipantId,
    period: Period,
    statement: str,
) -> tuple[Differing, ...]:
    """Return what differs by the jurisdiction that sent it and the agreement: each sees its own."""
    parts: defaultdict[tuple[JurisdictionCode | None, AgreementId | None], list[Found]] = defaultdict(list)
    for each in found:
        fate = fates.get(each.delivery_id)
        parts[(None, None) if fate is None else (home_of(fate.sender), fate.agreement)].append(each)
    return tuple(
        Differing(
            participant=participant,
            period=period,
            statement=statement,
            sender=sender,
            agreement=agreement,
            missing=sum(each.difference is Difference.MISSING for each in part),
            extra=sum(each.difference is Difference.EXTRA for each in part),
            altered=sum(each.difference is Difference.ALTERED for each in part),
            named=tuple(_logged_one(each, fates.get(each.delivery_id)) for each in part[:MOST_LOGGED]),
        )
        for (sender, agreement), part in parts.items()
    )


def _named(groups: Mapping[GroupName, Group], name: GroupName) -> Group:
    agreement, lane = name
    return groups.get(name) or Group(agreement=agreement, lane=lane, deliveries=0, digest=NOTHING)


def _told_one(each: Found, fate: Fate | None) -> dict[str, Any]:
    return {
        "delivery_id": each.delivery_id,
        "difference": each.difference.value,
        "ours": each.ours,
        "theirs": each.theirs,
        "state": "unknown" if fate is None else fate.state,
        "acknowledged": fate is not None and fate.acknowledged,
        "agreement": None if fate is None else fate.agreement,
        "lane": None if fate is None else fate.lane.value,
    }


def _logged_one(each: Found, fate: Fate | None) -> dict[str, str]:
    return {
        "delivery_id": each.delivery_id,
        "difference": each.difference.value,
        "state": "unknown" if fate is None else fate.state,
    }

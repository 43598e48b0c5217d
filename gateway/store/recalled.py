"""Ending what was recalled: an adapter says that it did not hand a parcel over, and the registry says why it must not.

An adapter's word alone ends nothing as withheld. Where nothing has lapsed, because the agreement was resumed meanwhile
or the recall was nobody's, the dispatch waits for its next attempt as after a deferral, until its deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.store.committer import Batch
from gateway.store.dispatches import (
    OPEN,
    WITHHELD,
    OutcomeWriter,
    Settled,
    clause_of,
    route_of,
    rows_of,
    with_freed,
)
from gateway.store.withholding import end_withheld
from gateway.trust.registry import CurrentRegistry, UnknownVersionError
from schemas.decisions import Reason
from schemas.ids import ParticipantId
from schemas.parcels import Deferred, OutcomeReport


class RecalledWriter:
    """Turns reports of recalled parcels into states and evidence; ``outcomes`` writes those that nothing forbids."""

    def __init__(self, registry: CurrentRegistry, outcomes: OutcomeWriter) -> None:
        self._registry = registry
        self._outcomes = outcomes

    async def write(self, batch: Batch, items: Sequence[OutcomeReport]) -> Sequence[Settled | None]:
        """Write the reports; None for a delivery, or an attempt at one, that this exchange never made."""
        rows = await rows_of(batch.connection, {item.delivery_id for item in items})
        results: list[Settled | None] = [None] * len(items)
        ending: list[tuple[dict[str, Any], Reason]] = []
        others: list[int] = []
        for place, item in enumerate(items):
            row = rows.get(item.delivery_id)
            if row is None or row["recipient"] != item.recipient or item.attempt > row["attempts"] + 1:
                continue
            reason = self._lapse(batch, row) if row["state"] in OPEN else None
            if reason is None:
                others.append(place)
                continue
            row.update(state=WITHHELD, attempts=max(row["attempts"], item.attempt))
            ending.append((row, reason))
            results[place] = Settled(item.delivery_id, route_of(row), WITHHELD, changed=True, attempt=item.attempt)
        await end_withheld(batch, ending)
        results = await with_freed(batch.connection, rows, results)
        deferred = [replace(items[place], outcome=Deferred(items[place].outcome.detail)) for place in others]
        for place, settled in zip(others, await self._outcomes.write(batch, deferred), strict=True):
            results[place] = settled
        return results

    def _lapse(self, batch: Batch, row: Mapping[str, Any]) -> Reason | None:
        sender, recipient = ParticipantId(row["sender"]), ParticipantId(row["recipient"])
        try:
            return self._registry.lapse(clause_of(row), sender, recipient, batch.now)
        except UnknownVersionError:
            return None

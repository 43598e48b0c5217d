"""Holding back a partner that takes nothing, so that what waits for it waits in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.store.dispatches import PENDING, Settled
from schemas.ids import DeliveryId

THRESHOLD: Final = 3


@dataclass(slots=True)
class Breaker:
    """Holds back a partner that defers everything. Times are milliseconds since the Unix epoch.

    Deliveries are counted, not deferrals: one that the partner can't take says nothing of the others.
    """

    deferred: set[DeliveryId] = field(default_factory=set)
    open_until_ms: int = 0

    @property
    def tripped(self) -> bool:
        """Whether enough deliveries were deferred, and none came through since."""
        return len(self.deferred) >= THRESHOLD

    def record(self, settled: Settled) -> None:
        """Count a deferral, and open until its retry is due once there are enough; anything else closes."""
        if settled.state == PENDING and settled.due_ms is not None:
            self.deferred.add(settled.delivery_id)
            if self.tripped:
                self.open_until_ms = settled.due_ms
        else:
            self.deferred.clear()
            self.open_until_ms = 0

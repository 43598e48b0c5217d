"""What Prometheus reads of the relay's counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from gateway.store.dispatches import Route, Settled
from gateway.watching.metrics import RelayMetrics
from schemas.decisions import Lane
from schemas.ids import DeliveryId, ParticipantId


def test_every_state_is_counted_from_zero() -> None:
    """Once a recipient is known, its first refusal is an increase, which a series that begins at one would not be."""
    registry = CollectorRegistry()
    route = Route(ParticipantId("us-ny.nysp"), Lane.URGENT)
    RelayMetrics(registry).settled(Settled(DeliveryId("a"), route, "delivered", changed=True))
    values = {
        state: registry.get_sample_value(
            "lacolle_deliveries_total", {"recipient": "us-ny.nysp", "lane": "urgent", "state": state}
        )
        for state in ("pending", "delivered", "refused", "expired", "published")
    }
    assert values == {"pending": 0, "delivered": 1, "refused": 0, "expired": 0, "published": None}

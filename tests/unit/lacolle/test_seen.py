"""What a partner has handled already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lacolle.client.seen import KEPT_FOR, Progress, SeenDeliveries
from schemas.ids import DeliveryId
from tests.unit.bus.parcels import identifier

NOON = datetime(2026, 1, 17, 12, tzinfo=UTC)
ONE, OTHER = (DeliveryId(identifier(1, number)) for number in (1, 2))


def test_a_delivery_is_known_after_a_restart(tmp_path: Path) -> None:
    """New, handled, acknowledged: each is found again by the next process, and no other delivery is touched."""
    with SeenDeliveries(tmp_path / "seen", now=NOON) as seen:
        assert seen.progress(ONE) is Progress.NEW
        seen.handled(ONE, at=NOON)
        seen.handled(ONE, at=NOON)
    with SeenDeliveries(tmp_path / "seen", now=NOON) as seen:
        assert seen.progress(ONE) is Progress.HANDLED
        seen.acknowledged(ONE)
    with SeenDeliveries(tmp_path / "seen", now=NOON) as seen:
        assert seen.progress(ONE) is Progress.ACKNOWLEDGED
        assert seen.progress(OTHER) is Progress.NEW


def test_processes_share_the_file(tmp_path: Path) -> None:
    """What one process of a partner has handled, another knows at once."""
    with SeenDeliveries(tmp_path / "seen", now=NOON) as one, SeenDeliveries(tmp_path / "seen", now=NOON) as other:
        one.handled(ONE, at=NOON)
        assert other.progress(ONE) is Progress.HANDLED
        other.handled(OTHER, at=NOON)
        assert one.progress(OTHER) is Progress.HANDLED


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    """A delivery that nobody can send any more takes no room; one a moment younger is still known."""
    with SeenDeliveries(tmp_path / "seen", now=NOON) as seen:
        seen.handled(ONE, at=NOON)
        seen.handled(OTHER, at=NOON + timedelta(seconds=2))
    with SeenDeliveries(tmp_path / "seen", now=NOON + KEPT_FOR + timedelta(seconds=1)) as seen:
        assert seen.progress(ONE) is Progress.NEW
        assert seen.progress(OTHER) is Progress.HANDLED

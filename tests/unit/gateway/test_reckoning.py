"""The exchange's own daily statements, and who is overdue to compare its books."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from gateway.backoff import Backoff
from gateway.books.reckoning import Reckoner
from gateway.settings.exchange import ReconciliationSettings
from gateway.store.dispatches import OutcomeWriter
from gateway.watching.metrics import RelayMetrics
from schemas.ids import AlertId, DeliveryId, ParticipantId
from schemas.parcels import Delivered, Outcome, OutcomeReport, Refused
from schemas.reconciliation import EVERYTHING, Line, tallied
from tests.unit.gateway.ground import NYSP, VSP, Ground, acceptance, accepted, permit

LAST: Final = datetime(2026, 11, 21, 23, 59, 59, 999_000, tzinfo=UTC)
"""The last millisecond of a day."""
DAY: Final = 86_400
BODY: Final = hashlib.sha256(b"the bytes").hexdigest()


def reckoner(ground: Ground) -> Reckoner:
    """Return one that never looked before, and expects nobody to compare anything."""
    return reckoner_and_metrics(ground, ReconciliationSettings())[0]


def reckoner_and_metrics(ground: Ground, settings: ReconciliationSettings) -> tuple[Reckoner, CollectorRegistry]:
    """Return one that never looked before, and where it tells of what it found."""
    registry = CollectorRegistry()
    made = Reckoner(
        store=ground.store,
        committer=ground.committer,
        clock=ground.clock,
        settings=settings,
        metrics=RelayMetrics(registry),
    )
    return made, registry


async def report(ground: Ground, outcome: Outcome, *, recipient: ParticipantId = NYSP) -> list[DeliveryId]:
    """Report the outcome of everything on its way to a recipient; return the deliveries."""
    rows = [row for row in await ground.dispatches() if row.recipient == recipient and row.settled_ms is None]
    writer = OutcomeWriter(Backoff())
    for row in rows:
        told = OutcomeReport(
            DeliveryId(row.delivery_id), AlertId(row.alert_id), recipient, 1, ground.clock.now, outcome
        )
        await ground.committer.submit(writer, told)
    return [DeliveryId(row.delivery_id) for row in rows]


async def stated(ground: Ground) -> list[dict[str, Any]]:
    """Return what the log has of daily statements."""
    return [each["content"] for each in await ground.entries() if each["kind"] == "reconciliation-stated"]


async def test_a_day_is_stated_once_it_is_over(ground: Ground) -> None:
    """What was accepted in the last millisecond is the day's, and what came in the next one is another's."""
    ground.clock.now = LAST
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    (delivery_id,) = await report(ground, Delivered("http 204", BODY))
    look = reckoner(ground)
    assert await look.look() == 0  # the day is not over
    ground.clock.advance(0.001)
    await accepted(ground, acceptance("A-2", permit(NYSP)))
    await report(ground, Delivered("http 204", BODY))
    assert await look.look() == 1
    (content,) = await stated(ground)
    (group,) = content["groups"]
    (expected,) = tallied([(EVERYTHING, Line(delivery_id, BODY))])
    assert (group["deliveries"], group["digest"]) == (1, expected.digest)
    assert (content["participant"], content["from"]) == (NYSP, "2026-11-21T00:00:00.000Z")
    assert await look.look() == 0
    assert await reckoner(ground).look() == 0  # nor does a relay that begins anew say it twice


async def test_a_day_is_stated_anew_where_it_came_out_otherwise(ground: Ground) -> None:
    """What is on its way is counted as open, and its end is told by another statement; a refusal is no delivery."""
    ground.clock.now = LAST
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    look = reckoner(ground)
    ground.clock.advance(DAY / 2)
    assert await look.look() == 2
    await report(ground, Delivered("http 204", BODY))
    await report(ground, Refused("http 400"), recipient=VSP)
    assert await look.look() == 1
    told = [(each["participant"], each["open"], len(each["groups"])) for each in await stated(ground)]
    assert sorted(told) == [(NYSP, 0, 1), (NYSP, 1, 0), (VSP, 1, 0)]
    assert await look.look() == 0


async def test_whoever_says_nothing_for_too_long_is_told_of(ground: Ground) -> None:
    """Overdue is who is expected to, and has had something to compare for longer than it should take."""
    settings = ReconciliationSettings(within_days=2, participants=(NYSP, VSP))
    look, registry = reckoner_and_metrics(ground, settings)

    def overdue(participant: ParticipantId) -> float | None:
        return registry.get_sample_value("lacolle_reconciliation_overdue", {"participant": participant})

    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await report(ground, Delivered("http 204", BODY))
    ground.clock.advance(DAY)
    await look.look()
    assert overdue(NYSP) == 0
    ground.clock.advance(2 * DAY + 1)
    await look.look()
    assert (overdue(NYSP), overdue(VSP)) == (1, 0)  # nothing was ever handed to the other

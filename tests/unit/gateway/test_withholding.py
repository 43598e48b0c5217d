"""Nothing goes out under an agreement that has lapsed, whatever was waiting and for what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.backoff import Backoff
from gateway.store.agreements import StepWriter
from gateway.store.dispatches import DELIVERED, PENDING, PUBLISHED, WITHHELD, OutcomeWriter
from gateway.trust.registry import CurrentRegistry
from schemas.ids import JurisdictionCode
from schemas.parcels import Deferred, Delivered, OutcomeReport
from tests.patience import GIVES_UP_AFTER
from tests.unit.agreements.builders import NY, QC, VT, step
from tests.unit.gateway.ground import NYSP, VSP, Ground, acceptance, accepted, agreed, agreement, permit
from tests.unit.gateway.test_relay import Line

OUTCOMES = OutcomeWriter(Backoff(base=1.0, cap=60.0))


async def say(ground: Ground, registry: CurrentRegistry, kind: str, party: JurisdictionCode, minute: float) -> None:
    """Have a party state something about the agreement."""
    await ground.committer.submit(StepWriter(registry), step(kind, party, minute, of=agreement()).verified)


async def states(ground: Ground) -> dict[str, str]:
    """Return the state of every dispatch, by recipient."""
    return {row.recipient: row.state for row in await ground.dispatches()}


async def test_what_waits_is_withheld_with_evidence(ground: Ground) -> None:
    """After a suspension a due dispatch is not published: it ends, and the log names the clause and the reason."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await say(ground, registry, "suspension", NY, 0)
    await line.look()
    assert await states(ground) == {NYSP: WITHHELD}
    *_, entry = await ground.entries()
    assert (entry["kind"], entry["jurisdictions"]) == ("withheld", ["CA-QC", "US-NY"])
    (row,) = await ground.dispatches()
    assert entry["content"]["delivery_id"] == row.delivery_id
    (denial,) = entry["content"]["withheld"]
    assert denial["reason"]["code"] == denial["considered"][0]["reason"]["code"] == "suspended"
    assert denial["considered"][0]["clause"] == "ca-qc.us-ny.test/1#1.1"
    assert (row.detail, row.settled_ms) == ("suspended", ground.clock.ms)


async def test_what_waits_for_its_next_attempt_is_withheld_too(ground: Ground) -> None:
    """The sweep ends also what is not due yet, and leaves to its adapter what is on the bus."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    await line.look()
    (parcel,) = await line.parcels(NYSP)
    await line.answer(parcel, Deferred("http 503"))
    assert await states(ground) == {NYSP: PENDING, VSP: PUBLISHED}
    await say(ground, registry, "suspension", QC, 0)
    assert await line.relay._withholder.sweep() == 1
    assert await states(ground) == {NYSP: WITHHELD, VSP: PUBLISHED}


async def test_only_what_concerns_who_left_is_withheld(ground: Ground) -> None:
    """Where one of many withdraws, what waits for the others goes out."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    await say(ground, registry, "withdrawal", NY, 0)
    assert await line.relay._withholder.sweep() == 1
    assert await states(ground) == {NYSP: WITHHELD, VSP: PENDING}
    await line.look()
    assert await states(ground) == {NYSP: WITHHELD, VSP: PUBLISHED}


async def test_resumed_in_time_nothing_is_lost(ground: Ground) -> None:
    """What is accepted after every party has resumed the agreement goes out again."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await say(ground, registry, "suspension", NY, 0)
    for minute, party in enumerate((QC, NY, VT), start=1):
        await say(ground, registry, "resumption", party, minute)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await line.look()
    assert await states(ground) == {NYSP: PUBLISHED}


@pytest.mark.parametrize("ms_before", [1, 0])
async def test_expiry_is_to_the_instant(ground: Ground, ms_before: int) -> None:
    """A moment before its validity ends a parcel still goes out, with no later deadline; at its end none does."""
    until = datetime(2028, 1, 1, tzinfo=UTC)
    lasts = (until - ground.clock()).total_seconds() + 3600
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP), lasts=lasts))
    before = registry.stretch(ground.clock())
    ground.clock.now = until - timedelta(milliseconds=ms_before)
    await line.look()
    parcels = await line.parcels(NYSP)
    assert [parcel.deadline for parcel in parcels] == [until] * ms_before
    assert await states(ground) == {NYSP: PUBLISHED if ms_before else WITHHELD}
    assert (registry.stretch(ground.clock()) == before) is bool(ms_before)


async def test_an_unknown_agreement_waits(ground: Ground) -> None:
    """What this process can't verify it neither sends nor ends: another may know better."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    other = permit(NYSP)
    unknown = replace(other, under=replace(other.under, version=7))
    await accepted(ground, acceptance("A-1", unknown))
    await line.look()
    assert await line.relay._withholder.sweep() == 0
    assert await states(ground) == {NYSP: PENDING}


async def test_an_altered_agreement_lets_nothing_out(ground: Ground) -> None:
    """What waits under an agreement that was altered in the database ends, and says so."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    registry.hold(replace(registry.found, altered={agreement().document.id: "signatures"}))
    await line.look()
    assert await states(ground) == {NYSP: WITHHELD}
    assert (await ground.dispatches())[0].detail == "altered"


async def test_the_watch_acts_by_itself(ground: Ground) -> None:
    """A suspension ends what waits within moments, although nobody looks at its route."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    watching = asyncio.create_task(line.relay._withholder.run())
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await asyncio.sleep(0.2)
    assert await states(ground) == {NYSP: PENDING}
    await say(ground, registry, "suspension", NY, 0)
    async with asyncio.timeout(GIVES_UP_AFTER):
        while (await states(ground))[NYSP] != WITHHELD:  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("outcome", [Delivered("http 204"), Deferred("http 503")])
async def test_a_late_report(ground: Ground, outcome: Delivered | Deferred) -> None:
    """What a partner took after all is delivered, and the log says both; nothing else wakes what was withheld."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await say(ground, registry, "suspension", NY, 0)
    await line.look()
    (row,) = await ground.dispatches()
    late = OutcomeReport(row.delivery_id, row.alert_id, NYSP, 1, ground.clock(), outcome)
    await ground.committer.submit(OUTCOMES, late)
    assert await states(ground) == {NYSP: DELIVERED if isinstance(outcome, Delivered) else WITHHELD}

"""What has lapsed is recalled from the bus, and what an adapter did not hand over ends as withheld, with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bus.contract import BusUnavailableError, Record
from bus.embedded import EmbeddedBus
from bus.recalls import read_recall
from bus.topics import RECALLED
from gateway.backoff import Backoff
from gateway.relaying.recalling import Recaller
from gateway.store.dispatches import PENDING, PUBLISHED, WITHHELD, OutcomeWriter, Settled
from gateway.store.recalled import RecalledWriter
from gateway.trust.registry import CurrentRegistry
from schemas.parcels import OutcomeReport, Parcel, Recall, Recalled
from tests.unit.agreements.builders import NY, QC, VT
from tests.unit.gateway.ground import NYSP, ORIGIN, VSP, Ground, acceptance, accepted, agreed, agreement, permit
from tests.unit.gateway.test_relay import Line
from tests.unit.gateway.test_withholding import say, states

NAME = agreement().document.id


class Recalling:
    """A recaller and whoever hears it."""

    def __init__(self, ground: Ground, registry: CurrentRegistry, bus: EmbeddedBus | None = None) -> None:
        self.bus = bus or EmbeddedBus()
        self.bulletin = self.bus.bulletin(RECALLED)
        self.recaller = Recaller(registry=registry, bus=self.bus, clock=ground.clock, origin=ORIGIN)

    async def heard(self) -> list[Recall]:
        """Let it look, and return what it says anew."""
        await self.recaller.recall()
        return [read_recall(each) for each in await self.bulletin.news()]


def names(recalls: Sequence[Recall]) -> set[tuple[object, ...]]:
    """Return what recalls are about."""
    return {(each.agreement, each.version, each.party) for each in recalls}


async def test_each_lapse_is_told_once(ground: Ground) -> None:
    """A suspension is told once a term, one after a resumption anew, and each covers what was let out before it."""
    registry = agreed()
    recalling = Recalling(ground, registry)
    assert await recalling.heard() == []
    before = registry.version
    await say(ground, registry, "suspension", NY, 0)
    (first,) = await recalling.heard()
    assert (first.agreement, first.version, first.party) == (NAME, 1, None)
    assert before < first.as_of == registry.version
    assert await recalling.heard() == []
    for minute, party in enumerate((QC, NY, VT), start=1):
        await say(ground, registry, "resumption", party, minute)
    resumed = registry.version
    assert first.as_of < resumed
    assert await recalling.heard() == []
    await say(ground, registry, "suspension", QC, 5)
    (second,) = await recalling.heard()
    assert second.as_of > resumed


async def test_a_short_resumption_is_no_gap(ground: Ground) -> None:
    """Resumed and suspended again between two looks, what was let out in between is recalled."""
    registry = agreed()
    recalling = Recalling(ground, registry)
    await say(ground, registry, "suspension", NY, 0)
    await recalling.heard()
    for minute, party in enumerate((QC, NY, VT), start=1):
        await say(ground, registry, "resumption", party, minute)
    between = registry.version
    await say(ground, registry, "suspension", QC, 5)
    (recall,) = await recalling.heard()
    assert recall.as_of > between


async def test_the_next_term_tells_again(ground: Ground) -> None:
    """A relay that died before it told of a lapse is made good for by the next, from the registry alone."""
    registry = agreed()
    await say(ground, registry, "suspension", NY, 0)
    for _ in range(2):
        assert names(await Recalling(ground, registry).heard()) == {(NAME, 1, None)}


async def test_who_leaves_is_named(ground: Ground) -> None:
    """Where one of many withdraws its parcels alone are recalled; where the agreement is over, all are."""
    registry = agreed()
    recalling = Recalling(ground, registry)
    await say(ground, registry, "withdrawal", NY, 0)
    assert names(await recalling.heard()) == {(NAME, 1, NY)}
    await say(ground, registry, "withdrawal", VT, 1)
    assert names(await recalling.heard()) == {(NAME, 1, None)}


async def test_an_altered_agreement_is_recalled_whole(ground: Ground) -> None:
    """Whatever was let out under an agreement that was altered in the database goes out no more."""
    registry = agreed()
    recalling = Recalling(ground, registry)
    registry.hold(replace(registry.found, altered={NAME: "signatures"}))
    assert names(await recalling.heard()) == {(NAME, None, None)}


async def test_a_bus_that_is_away_is_told_later(ground: Ground) -> None:
    """What the bus did not take is still to be told."""

    class Away(EmbeddedBus):
        is_away = True

        async def publish_all(self, records: Sequence[Record]) -> None:
            if self.is_away:
                raise BusUnavailableError("away")
            await super().publish_all(records)

    registry, bus = agreed(), Away()
    recalling = Recalling(ground, registry, bus)
    await say(ground, registry, "suspension", NY, 0)
    with pytest.raises(BusUnavailableError):
        await recalling.heard()
    bus.is_away = False
    assert names(await recalling.heard()) == {(NAME, 1, None)}


async def report(ground: Ground, registry: CurrentRegistry, parcel: Parcel) -> Settled | None:
    """Record that an adapter did not hand a parcel over."""
    writer = RecalledWriter(registry, OutcomeWriter(Backoff(base=1.0, cap=60.0)))
    outcome = Recalled("agreement lapsed")
    told = OutcomeReport(parcel.delivery_id, parcel.alert_id, parcel.recipient, parcel.attempt, ground.clock(), outcome)
    return await ground.committer.submit(writer, told)


@pytest.mark.parametrize("marked", [True, False])
async def test_what_was_recalled_is_withheld_with_evidence(ground: Ground, *, marked: bool) -> None:
    """A recalled dispatch ends as one that never went out: an entry with clause and reason, once, marked or not."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP), permit(VSP)))
    if marked:
        await line.look()
    else:
        await line.relay._look_everywhere()
        await line.publish()
    (parcel,) = await line.parcels(NYSP)
    assert parcel.as_of == registry.version
    await say(ground, registry, "withdrawal", NY, 0)
    settled = await report(ground, registry, parcel)
    assert settled is not None
    assert (settled.state, settled.changed, settled.answers(1)) == (WITHHELD, True, True)
    assert await states(ground) == {NYSP: WITHHELD, VSP: PUBLISHED if marked else PENDING}
    *_, entry = await ground.entries()
    (row,) = [row for row in await ground.dispatches() if row.recipient == NYSP]
    assert (entry["kind"], entry["content"]["delivery_id"]) == ("withheld", parcel.delivery_id)
    assert (entry["content"]["attempt"], row.attempts) == (1, 1)
    (denial,) = entry["content"]["withheld"]
    assert denial["considered"][0]["clause"] == "ca-qc.us-ny.test/1#1.1"
    assert (row.detail, row.settled_ms) == (denial["reason"]["code"], ground.clock.ms)
    count = len(await ground.kinds())
    again = await report(ground, registry, parcel)
    assert again is not None
    assert not again.changed
    assert len(await ground.kinds()) == count


async def test_an_adapters_word_alone_ends_nothing(ground: Ground) -> None:
    """Recalled without any lapse, by a forger or before a resumption, a dispatch waits for its next attempt."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await line.look()
    (parcel,) = await line.parcels(NYSP)
    settled = await report(ground, registry, parcel)
    assert settled is not None
    assert (settled.state, settled.due_ms is not None) == (PENDING, True)
    assert await states(ground) == {NYSP: PENDING}


async def test_a_delivery_that_was_never_made(ground: Ground) -> None:
    """A report of an attempt that nobody began, or of another's dispatch, changes nothing."""
    registry = agreed()
    line = await Line.open(ground, registry=registry)
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    await line.look()
    (parcel,) = await line.parcels(NYSP)
    await say(ground, registry, "suspension", NY, 0)
    for other in (replace(parcel, attempt=3), replace(parcel, recipient=VSP)):
        assert await report(ground, registry, other) is None
    assert await states(ground) == {NYSP: PUBLISHED}

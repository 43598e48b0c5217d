"""Erasing what is due: the entry, the key, what is read afterwards, and what goes on as if nothing had been erased."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, text

from audit.checkpoints import Checkpoint
from bus.embedded import EmbeddedBus
from bus.topics import OUTCOMES
from gateway.backoff import Backoff
from gateway.errors import LogUnavailableError
from gateway.inquiry.gathering import gather
from gateway.relaying.relay import Relay
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentErasedError
from gateway.sealing.folder import KeyName, day_key
from gateway.store.acceptance import AcceptanceWriter, Answer
from gateway.store.acknowledgements import AcknowledgementWriter, Recorded, SignedAcknowledgement
from gateway.store.content_keys import OPENING, opened, require_keys, with_keys, wrapping_keys
from gateway.store.dispatches import ExpiryWriter, OutcomeWriter
from gateway.store.placing import Keeping
from gateway.store.reader import Reader
from gateway.store.reading import read_alert
from gateway.store.tables import acknowledgements, content_keys
from gateway.upkeep.erasing import Eraser
from gateway.upkeep.rebuilding import Rebuilding
from gateway.watching.metrics import ErasureMetrics
from schemas.decisions import NO_TERMS, Lane, Permit
from schemas.evidence import Acknowledgement, AcknowledgementStatus
from schemas.ids import DeliveryId, ParticipantId, home_of
from schemas.parcels import Delivered, OutcomeReport
from schemas.signing.canonical import canonical_plain_bytes
from tests.unit.gateway.ground import (
    COPIES,
    KID,
    NYSP,
    ORIGIN,
    SQ,
    VSP,
    Ground,
    acceptance,
    acceptances,
    agreed,
    contents_in,
    permit,
)

DAY = 86_400
WRITER = OutcomeWriter(Backoff(1, 60))


@dataclass(slots=True)
class Room:
    """A ground with its folder of content keys, the writer of alerts, and the eraser."""

    ground: Ground
    contents: Contents
    writer: AcceptanceWriter
    eraser: Eraser
    registry: CollectorRegistry

    async def accept(self, identifier: str, *permits: Permit, lasts: float = 3600.0) -> Answer:
        """Accept an alert."""
        return await self.ground.committer.submit(self.writer, acceptance(identifier, *permits, lasts=lasts))

    async def read(self, answer: Answer, who: ParticipantId = SQ) -> dict[str, Any]:
        """Return what somebody reads of an alert."""
        async with self.ground.store.reading() as connection:
            reader = Reader(who, home_of(who), auditor=False)
            seen = await read_alert(connection, self.contents, reader, alert_id=answer.alert_id)
        assert seen is not None
        return seen

    async def submission(self, answer: Answer) -> bytes:
        """Return an alert's submission. Raises what opening it does."""
        async with self.ground.store.reading() as connection:
            row = (await connection.execute(with_keys(select(*OPENING)).where(OPENING[0] == answer.alert_id))).one()
        return opened(self.contents, row)

    async def deliver(self) -> None:
        """Have every open dispatch delivered."""
        for row in await self.ground.dispatches():
            report = OutcomeReport(
                DeliveryId(row.delivery_id), row.alert_id, row.recipient, 1, self.ground.clock(), Delivered("200")
            )
            await self.ground.committer.submit(WRITER, report)

    def counted(self, name: str) -> float | None:
        """Return a metric."""
        return self.registry.get_sample_value(name)


def make_room(ground: Ground, folder: Path, *, exist_ok: bool = False) -> Room:
    """Return a room whose exchange keeps content for ten days where no agreement says."""
    folder.mkdir(exist_ok=exist_ok)
    contents, registry = contents_in(folder, clock=ground.clock), CollectorRegistry()
    eraser = Eraser(
        store=ground.store,
        committer=ground.committer,
        contents=contents,
        clock=ground.clock,
        metrics=ErasureMetrics(registry),
    )
    return Room(ground, contents, acceptances(keeping=Keeping(contents, 10)), eraser, registry)


@pytest.fixture
def room(ground: Ground, tmp_path: Path) -> Room:
    """Return a room on an empty store."""
    return make_room(ground, tmp_path / "content-keys")


def keeping(recipient: ParticipantId, days: int) -> Permit:
    """Return a permit whose recipient may keep the alert for so many days."""
    return replace(permit(recipient), terms=replace(NO_TERMS, retain_days=days))


async def test_content_is_erased_when_it_is_due(room: Room) -> None:
    """At the end of the shortest term, and not before, an entry says so and the content is gone; all else stays."""
    clock = room.ground.clock
    first = await room.accept("A-1", keeping(NYSP, 3), keeping(VSP, 5))
    other = await room.accept("A-2")
    await room.deliver()
    before = await room.read(first)
    assert (before["state"], before["content"]["state"]) == ("settled", "stored")
    clock.advance(3 * DAY - 1)
    assert await room.eraser.look() == 0
    assert await room.submission(first) == acceptance("A-1").submission
    clock.advance(1)
    assert await room.eraser.look() == 1
    assert await room.eraser.look() == 0
    *_, entry = await room.ground.entries()
    assert (entry["kind"], entry["alert_id"], entry["actor"]) == ("erased", first.alert_id, None)
    assert entry["jurisdictions"] == ["CA-QC", "US-NY", "US-VT"]
    assert entry["content"] == {
        "digest": before["digest"],
        "basis": "agreement",
        "retain_days": 3,
        "due": before["content"]["until"],
        "unreadable_by": "2026-11-26T00:00:00.000Z",
    }
    with pytest.raises(ContentErasedError):
        await room.submission(first)
    assert await room.submission(other) == acceptance("A-2").submission
    after = await room.read(first)
    logged = {**before["log_entry"], "withheld": "erased", "disclosures": ()}
    assert before["identifier"] == "A-1"
    ended = {"identifier": None, "state": "erased", "content": after["content"], "log_entry": logged}
    assert after == {**before, **ended}
    assert (after["content"]["state"], after["content"]["log_index"]) == ("erased", entry["index"])
    assert room.counted("lacolle_contents_erased_total") is None
    assert room.registry.get_sample_value("lacolle_contents_erased_total", {"basis": "agreement"}) == 1


async def test_who_never_learned_of_an_alert_learns_nothing_of_its_end(room: Room) -> None:
    """Without a term that an agreement names the exchange's own counts, and only who had a copy is a party."""
    waiting = replace(permit(VSP), terms=replace(NO_TERMS, consent_by=("ca.rcmp",), consent_within=60))
    answer = await room.accept("A-1", permit(NYSP), waiting)
    await room.ground.tamper("UPDATE dispatches SET state = 'withheld'")
    room.ground.clock.advance(10 * DAY)
    assert await room.eraser.look() == 1
    *_, entry = await room.ground.entries()
    assert (entry["content"]["basis"], entry["content"]["retain_days"]) == ("default", 10)
    assert entry["jurisdictions"] == ["CA-QC", "US-NY"]
    assert (await room.read(answer, NYSP))["state"] == "erased"


async def test_nothing_is_erased_while_a_copy_is_on_its_way(room: Room) -> None:
    """A copy whose deadline is later keeps the content until then; one that nobody ended yet keeps it, overdue."""
    answer = await room.accept("A-1", keeping(NYSP, 1), lasts=2 * DAY)
    clock = room.ground.clock
    clock.advance(DAY + 1)
    assert await room.eraser.look() == 0
    clock.advance(2 * DAY)
    assert await room.eraser.look() == 0
    assert (room.counted("lacolle_contents_due"), room.counted("lacolle_contents_overdue")) == (1, 1)
    assert (await room.read(answer))["state"] == "in-progress"
    (row,) = await room.ground.dispatches()
    await room.ground.committer.submit(ExpiryWriter(), DeliveryId(row.delivery_id))
    assert await room.eraser.look() == 1
    assert (await room.ground.kinds())[-2:] == ["expired", "erased"]


async def test_the_key_of_a_day_goes_when_the_day_and_its_content_are_over(room: Room) -> None:
    """It is destroyed after its day and not on it, and never while anything still depends on it."""
    clock, folder = room.ground.clock, room.contents.folder
    await room.accept("A-1", keeping(NYSP, 1))
    await room.accept("A-2")
    day = day_key(clock().date() + timedelta(days=1))
    clock.advance(DAY)
    await room.eraser.look()
    assert day in folder.names()
    clock.advance(DAY)
    await room.eraser.look()
    assert day in folder.names()  # a copy of the first is still open, so its content is too
    await room.deliver()
    await room.eraser.look()
    assert folder.names() == [day_key(clock().date() + timedelta(days=8))]


async def test_the_same_submission_again_still_gets_its_first_answer(room: Room) -> None:
    """Erased or not, an alert keeps its name and its answer, and another of that name is refused."""
    first = await room.accept("A-1")
    room.ground.clock.advance(11 * DAY)
    assert await room.eraser.look() == 1
    again = await room.accept("A-1")
    assert (again.alert_id, again.body, again.replayed) == (first.alert_id, first.body, True)


async def test_a_copy_of_what_is_gone_does_not_go_out(room: Room) -> None:
    """What the relay can't read any more ends as refused, with the reason, and nothing of it is published."""
    await room.accept("A-1", permit(NYSP, Lane.URGENT))
    async with room.ground.store.writer.begin() as connection:
        await connection.execute(text("DELETE FROM content_keys"))
    bus = EmbeddedBus()
    outcomes = await bus.subscribe((OUTCOMES,), group="exchange.outcomes")
    relay = Relay(
        store=room.ground.store,
        committer=room.ground.committer,
        bus=bus,
        contents=room.contents,
        copies=COPIES,
        origin=ORIGIN,
        data_schema_base="https://gateway.example/v1/schemas",
        clock=room.ground.clock,
        registry=agreed(),
    )
    await relay._look_everywhere()
    claims: list[Any] = []
    await relay._look(Lane.URGENT, claims.append)
    await relay._publish(*claims)
    received = await outcomes.receive()
    assert b"copy: content erased" in received.record.value
    await bus.close()


async def test_a_lost_key_concerns_its_content_alone_and_is_told(room: Room) -> None:
    """One key that is missing before its time: its alerts are unreadable, the others not, and it is counted."""
    lost, kept = await room.accept("A-1", keeping(NYSP, 2)), await room.accept("A-2")
    room.contents.destroy(day_key(room.ground.clock().date() + timedelta(days=2)))
    assert (await room.read(lost))["content"]["state"] == "unreadable"
    assert (await room.read(kept))["content"]["state"] == "stored"
    await room.eraser.look()
    assert room.counted("lacolle_content_keys_missing") == 1
    await require_keys(room.ground.store, room.contents)


async def test_evidence_waits_for_a_key_that_is_missing(room: Room) -> None:
    """There is no receipt without the key, and no erasure to account for it: the answer is to come again, and why."""
    lost = await room.accept("A-1", keeping(NYSP, 2))
    room.contents.destroy(day_key(room.ground.clock().date() + timedelta(days=2)))
    checkpoint = Checkpoint(ORIGIN, len(await room.ground.entries()), bytes(32), "", "")
    async with room.ground.store.reading() as connection:
        with pytest.raises(LogUnavailableError) as refused:
            await gather(
                connection,
                room.contents,
                agreed(),
                Rebuilding(()),
                reader=Reader(SQ, home_of(SQ), auditor=False),
                alert_id=lost.alert_id,
                checkpoint=checkpoint,
            )
    assert refused.value.reason is not None
    assert "key" in refused.value.reason.en


async def test_a_restored_database_is_erased_again(room: Room) -> None:
    """Rows that say that content is there, of a day whose key is gone, read as erased, and the log comes to say so."""
    answer = await room.accept("A-1")
    async with room.ground.store.reading() as connection:
        row = (await connection.execute(select(content_keys))).one()
    room.ground.clock.advance(12 * DAY)
    await room.eraser.look()
    assert room.contents.folder.names() == []
    await room.ground.tamper("DELETE FROM log_entries WHERE kind = 'erased'")
    async with room.ground.store.writer.begin() as connection:
        await connection.execute(content_keys.insert(), [dict(row._mapping)])
    assert (await room.read(answer))["state"] == "erased"
    with pytest.raises(ContentErasedError):
        await room.submission(answer)
    assert await room.eraser.look() == 1
    async with room.ground.store.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(content_keys)) == 0


def noted(answer: Answer, delivery_id: str, note: str | None, status: str = "read") -> SignedAcknowledgement:
    """Return a partner's word with a note, its signature verified."""
    word = Acknowledgement(
        alert_id=answer.alert_id,
        delivery_id=DeliveryId(delivery_id),
        participant=NYSP,
        status=AcknowledgementStatus(status),
        at="2026-11-22T12:00:01.000Z",
        note=note,
    )
    compact = canonical_plain_bytes(word.model_dump(mode="json", exclude_none=True))
    return SignedAcknowledgement(word, KID, compact, hashlib.sha256(compact).digest())


async def test_a_partner_s_note_is_erased_with_the_content(room: Room) -> None:
    """A word with a note is read as signed until the content ends, and then no more; one without stays for good.

    One with a note that comes later counts, and its note is kept nowhere.
    """
    answer = await room.accept("A-1", permit(NYSP))
    (row,) = await room.ground.dispatches()
    writer = AcknowledgementWriter(room.contents)
    said = [noted(answer, row.delivery_id, note, status) for note, status in (("seen", "read"), (None, "received"))]
    for word in said:
        await room.ground.committer.submit(writer, word)
    await room.deliver()
    async with room.ground.store.reading() as connection:
        stored = list(await connection.scalars(select(acknowledgements.c.compact)))
    assert not any(b"seen" in each for each in stored)

    async def told() -> dict[str, str | None]:
        (delivery,) = (await room.read(answer))["deliveries"]
        return {each["status"]: each["signed"] for each in delivery["acknowledgements"]}

    plain = said[1].compact.decode()
    assert await told() == {"read": said[0].compact.decode(), "received": plain}
    room.ground.clock.advance(11 * DAY)
    assert await room.eraser.look() == 1
    late = noted(answer, row.delivery_id, "a late word", "acted-on")
    recorded = await room.ground.committer.submit(writer, late)
    assert isinstance(recorded, Recorded)
    assert await told() == {"read": None, "received": plain, "acted-on": None}


async def test_names_of_keys_are_found_without_reading_all_that_they_wrap(room: Room) -> None:
    """The keys that content depends on are found in their order, each once."""
    for number, days in enumerate((3, 1, 3, 2)):
        await room.accept(f"A-{number}", keeping(NYSP, days))
    today = room.ground.clock().date()
    async with room.ground.store.reading() as connection:
        assert await wrapping_keys(connection) == [KeyName(day_key(today + timedelta(days=each))) for each in (1, 2, 3)]

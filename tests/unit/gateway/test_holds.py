"""Legal holds, releases and orders to erase: what each does to content and its keys, and who may state it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from gateway.errors import (
    AlertRefusedError,
    ContentGoneError,
    ContentHeldError,
    GatewayError,
    NotFoundError,
)
from gateway.sealing.errors import ContentErasedError
from gateway.sealing.folder import KeyName, day_key, hold_key
from gateway.store.acceptance import Answer
from gateway.store.held import read_holds
from gateway.store.holds import SignedStatement, Stated, StatementWriter
from gateway.store.reader import Reader
from gateway.store.tables import content_keys
from gateway.store.threads import find_thread
from gateway.upkeep.erasing import UNUSED_FOR
from schemas.decisions import Permit
from schemas.holds import ContentStatement, ErasureOrder, HoldRelease, LegalHold
from schemas.ids import KeyId, ParticipantId, home_of
from schemas.signing.canonical import canonical_plain_bytes
from schemas.timestamps import utc_text
from tests.unit.gateway.ground import NYSP, SQ, VSP, Ground, acceptance, permit
from tests.unit.gateway.test_erasing import DAY, Room, keeping, make_room

QC, NY, VT, ME = "CA-QC", "US-NY", "US-VT", "US-ME"


@pytest.fixture
def room(ground: Ground, tmp_path: Path) -> Room:
    """Return a room with an eraser."""
    return make_room(ground, tmp_path / "content-keys")


def signed(statement: ContentStatement) -> SignedStatement:
    """Return a statement as it is once its signature was verified."""
    payload = canonical_plain_bytes(statement.model_dump(mode="json", exclude_none=True))
    kid = KeyId(f"{statement.jurisdiction.lower()}.authority")
    return SignedStatement(statement, kid, b"e30." + payload.hex().encode(), hashlib.sha256(payload).digest())


async def members(room: Room, answer: Answer, jurisdiction: str) -> dict[str, Any]:
    """Return the members that a statement about an alert has."""
    digest = (await room.read(answer))["digest"]
    at = utc_text(room.ground.clock())
    return {"alert_id": answer.alert_id, "digest": digest, "jurisdiction": jurisdiction, "at": at}


async def state(room: Room, statement: ContentStatement) -> Stated:
    """Have a statement recorded. Raises what it is answered."""
    stated: Stated = await room.ground.committer.submit(StatementWriter(room.contents), signed(statement))
    return stated


async def hold(room: Room, answer: Answer, jurisdiction: str = QC, **other: Any) -> tuple[str, LegalHold]:  # noqa: ANN401 - any member
    """Place a hold, and return what it is known by and what it says."""
    word = LegalHold(statement="legal-hold", **{**await members(room, answer, jurisdiction), **other})
    await state(room, word)
    return f"sha-256:{signed(word).digest.hex()}", word


async def release(room: Room, answer: Answer, known_by: str, jurisdiction: str = QC) -> Stated:
    """Release a hold."""
    about = {name: value for name, value in (await members(room, answer, jurisdiction)).items() if name != "digest"}
    return await state(room, HoldRelease(statement="hold-release", hold=known_by, **about))


async def order(room: Room, answer: Answer, jurisdiction: str = QC, **other: Any) -> Stated:  # noqa: ANN401 - any member
    """Order an erasure."""
    about = {**await members(room, answer, jurisdiction), **other}
    return await state(room, ErasureOrder(statement="erasure-order", **about))


async def key_name(room: Room, answer: Answer) -> KeyName:
    """Return the name of the key that wraps an alert's."""
    async with room.ground.store.reading() as connection:
        found = await connection.scalar(
            select(content_keys.c.wrapped_by).where(content_keys.c.alert_id == answer.alert_id)
        )
    return KeyName(str(found))


async def test_a_hold_keeps_content_beyond_its_time(room: Room) -> None:
    """Held by a recipient's jurisdiction it outlives its day, whose key goes all the same; the entry says so to two."""
    answer = await room.accept("A-1", keeping(NYSP, 1), permit(VSP))
    await room.deliver()
    known_by, word = await hold(room, answer, NY, reference="CV-2026/17")
    *_, entry = await room.ground.entries()
    assert (entry["kind"], entry["jurisdictions"], entry["content"]["hold"]) == ("held", [QC, NY], known_by)
    assert entry["content"]["digest"] == word.digest
    assert (await room.ground.told())[-1].content["reference"] == "CV-2026/17"
    name = await key_name(room, answer)
    assert name == hold_key(bytes.fromhex(known_by.removeprefix("sha-256:")))
    room.ground.clock.advance(5 * DAY)
    assert await room.eraser.look() == 0
    assert room.contents.folder.names() == [name]
    assert room.counted("lacolle_contents_held") == 1
    assert (await room.submission(answer)).startswith(b"head.A-1")
    assert (await room.read(answer))["content"] == {"state": "held"}
    assert (await room.read(answer, NYSP))["content"]["state"] == "stored"


async def test_a_released_hold_leads_to_erasure(room: Room) -> None:
    """Released after its time, content is due at once, the hold's key goes first and the last one the day after."""
    answer, clock = await room.accept("A-1", keeping(NYSP, 1)), room.ground.clock
    await room.deliver()
    known_by, _ = await hold(room, answer)
    held_under = await key_name(room, answer)
    clock.advance(5 * DAY)
    await release(room, answer, known_by)
    *_, entry = await room.ground.entries()
    assert (entry["kind"], entry["content"]["due"]) == ("released", utc_text(clock()))
    tomorrow = day_key(clock().date() + timedelta(days=1))
    assert await key_name(room, answer) == tomorrow
    assert await room.eraser.look() == 1
    assert held_under not in room.contents.folder.names()
    assert room.contents.folder.names() == [tomorrow]
    clock.advance(2 * DAY)
    await room.eraser.look()
    assert room.contents.folder.names() == []
    assert (await room.ground.kinds())[-3:] == ["held", "released", "erased"]


async def test_a_hold_released_in_time_leaves_the_time_as_it_was(room: Room) -> None:
    """Held and released before its day, content ends on the day on which it always was to."""
    answer = await room.accept("A-1")
    before, due = await key_name(room, answer), (await room.read(answer))["content"]["until"]
    known_by, _ = await hold(room, answer)
    await release(room, answer, known_by)
    assert await key_name(room, answer) == before
    assert (await room.read(answer))["content"] == {"state": "stored", "until": due}


async def test_the_longest_hold_counts(room: Room) -> None:
    """While a second authority's hold stands, the release of the first ends nothing but its key."""
    answer = await room.accept("A-1", keeping(NYSP, 1))
    await room.deliver()
    first, _ = await hold(room, answer, QC)
    second, _ = await hold(room, answer, NY)
    with pytest.raises(NotFoundError):
        await release(room, answer, second, QC)
    room.ground.clock.advance(3 * DAY)
    await release(room, answer, first, QC)
    assert await key_name(room, answer) == hold_key(bytes.fromhex(second.removeprefix("sha-256:")))
    assert await room.eraser.look() == 0
    assert (await room.submission(answer)).startswith(b"head.A-1")
    await release(room, answer, second, NY)
    assert await room.eraser.look() == 1


async def test_an_order_erases_now_and_ends_what_has_not_gone_out(room: Room) -> None:
    """The authority of the sender's jurisdiction has content erased at once; copies that wait end with the reason."""
    answer = await room.accept("A-1", permit(NYSP))
    stated = await order(room, answer)
    *_, withheld, erased = await room.ground.entries()
    assert (withheld["kind"], withheld["content"]["withheld"][0]["reason"]["code"]) == ("withheld", "erasure-ordered")
    assert (erased["kind"], erased["index"], erased["content"]["basis"]) == ("erased", stated.log_index, "order")
    assert (erased["content"]["jurisdiction"], erased["content"]["kid"]) == (QC, "ca-qc.authority")
    seen = await room.read(answer)
    assert (seen["state"], seen["deliveries"][0]["state"]) == ("erased", "withheld")
    with pytest.raises(ContentErasedError):
        await room.submission(answer)
    with pytest.raises(ContentGoneError):
        await order(room, answer, at="2026-11-22T00:00:00Z")
    with pytest.raises(ContentGoneError):
        await hold(room, answer)


async def test_an_order_waits_for_no_hold(room: Room) -> None:
    """What is held is not erased by an order, whoever holds it; after the release it is."""
    answer = await room.accept("A-1", permit(NYSP))
    known_by, _ = await hold(room, answer, NY)
    with pytest.raises(ContentHeldError):
        await order(room, answer)
    await release(room, answer, known_by, NY)
    await order(room, answer)
    assert (await room.read(answer))["state"] == "erased"


async def test_who_is_no_party_finds_nothing(room: Room) -> None:
    """A stranger's authority, one whose copy still awaits consent, and any that names no alert get one answer."""
    waiting = replace(permit(VSP), terms=replace(permit(VSP).terms, consent_by=("ca.rcmp",), consent_within=60))
    answer = await room.accept("A-1", permit(NYSP), waiting)
    refused: list[type[GatewayError]] = []
    for attempt in (
        hold(room, answer, ME),
        hold(room, answer, VT),
        hold(room, answer, QC, alert_id="01900000-0000-7000-8000-000000000000"),
        order(room, answer, NY),
        order(room, answer, ME),
        release(room, answer, "sha-256:" + "0" * 64),
    ):
        with pytest.raises(GatewayError) as error:
            await attempt
        refused.append(error.type)
    assert set(refused) == {NotFoundError}
    with pytest.raises(AlertRefusedError):
        await hold(room, answer, NY, digest="sha-256:" + "0" * 64)


async def test_a_statement_counts_once(room: Room) -> None:
    """The same statement again gets its first place and changes nothing.

    A hold that was released since is refused: nobody may take the content for held by it.
    """
    answer = await room.accept("A-1")
    known_by, word = await hold(room, answer)
    assert (await state(room, word)).replayed
    released = await release(room, answer, known_by)
    with pytest.raises(AlertRefusedError) as refused:
        await state(room, word)
    assert [each.code for each in refused.value.faults] == ["hold-released"]
    assert (await release(room, answer, known_by)).log_index == released.log_index
    assert (await room.ground.kinds()).count("held") == (await room.ground.kinds()).count("released") == 1
    assert (await room.read(answer))["content"]["state"] == "stored"


async def test_a_hold_s_key_that_is_used_again_is_not_destroyed_as_an_old_one(room: Room) -> None:
    """A placing that came to nothing leaves a key; the next one's, of the same hold, is as good as new."""
    answer = await room.accept("A-1")
    word = LegalHold(statement="legal-hold", **await members(room, answer, QC))
    name, folder, now = hold_key(signed(word).digest), room.contents.folder, room.ground.clock()
    folder.obtain(name, today=now.date())
    os.utime(folder.path / f"{name}.key", (0, 0))
    folder.obtain(name, today=now.date())
    assert folder.age(name, now=datetime.now(UTC)) < UNUSED_FOR


@pytest.mark.parametrize(
    ("participant", "auditor", "seen"),
    [(SQ, False, 2), (ParticipantId("ca-qc.aud"), True, 2), (NYSP, False, 0), (ParticipantId("us-ny.aud"), True, 1)],
)
async def test_holds_are_listed_to_those_whom_they_concern(
    room: Room, participant: ParticipantId, *, auditor: bool, seen: int
) -> None:
    """The sender's side knows of all, an authority's auditors of their own, and recipients of nobody's."""
    answer = await room.accept("A-1", permit(NYSP), permit(VSP))
    own, _ = await hold(room, answer, NY)
    await hold(room, answer, VT)
    reader = Reader(participant, home_of(participant), auditor)
    async with room.ground.store.reading() as connection:
        assert len(await read_holds(connection, room.contents, reader, every=False)) == seen
    await release(room, answer, own, NY)
    async with room.ground.store.reading() as connection:
        listed = await read_holds(connection, room.contents, reader, every=True)
        assert len(listed) == seen
        assert len(await read_holds(connection, room.contents, reader, every=False)) == max(0, seen - 1)
    assert {each["released"] is None for each in listed} <= {True, False}


async def hold_thread(room: Room, answer: Answer, jurisdiction: str = QC, **other: Any) -> tuple[str, LegalHold]:  # noqa: ANN401 - any member
    """Place a hold on the thread that an alert began, and return what it is known by and what it says."""
    return await hold(room, answer, jurisdiction, alert_id=None, thread=answer.alert_id, **other)


async def release_thread(room: Room, answer: Answer, known_by: str, jurisdiction: str = QC) -> Stated:
    """Release a hold on a thread."""
    at = utc_text(room.ground.clock())
    about: dict[str, Any] = {"thread": answer.alert_id, "jurisdiction": jurisdiction, "at": at}
    return await state(room, HoldRelease(statement="hold-release", hold=known_by, **about))


async def follow(room: Room, first: Answer, identifier: str, *permits: Permit) -> Answer:
    """Accept an alert that follows the one which began a thread."""
    async with room.ground.store.reading() as connection:
        thread = await find_thread(connection, room.contents.marks, sender=SQ, identifiers=["A-1"])
    assert thread is not None
    reached = thread.reached
    later = acceptance(identifier, *permits, thread=first.alert_id, references=("A-1",), reached=reached)
    return await room.ground.committer.submit(room.writer, later)


async def test_a_hold_on_a_thread_keeps_all_of_it(room: Room) -> None:
    """What was in the thread and what comes later outlive their day; one entry says so, and one release ends it."""
    first = await room.accept("A-1", keeping(NYSP, 1))
    second = await follow(room, first, "A-2", keeping(NYSP, 1))
    other = await room.accept("B-1", keeping(NYSP, 1))
    known_by, word = await hold_thread(room, first)
    *_, entry = await room.ground.entries()
    assert (entry["kind"], entry["alert_id"], entry["content"]["thread"]) == ("held", first.alert_id, first.alert_id)
    assert entry["content"]["digest"] == word.digest
    room.ground.clock.advance(60)
    third = await follow(room, first, "A-3", keeping(NYSP, 1))
    await room.deliver()
    room.ground.clock.advance(5 * DAY)
    assert await room.eraser.look() == 1
    assert (await room.read(other))["state"] == "erased"
    for each in (first, second, third):
        assert (await room.read(each))["content"] == {"state": "held"}
        assert (await room.submission(each)).startswith(b"head.A-")
        with pytest.raises(ContentHeldError):
            await order(room, each)
    await release_thread(room, first, known_by)
    assert await room.eraser.look() == 3
    assert (await room.ground.kinds())[-4:] == ["released", "erased", "erased", "erased"]
    assert (await room.ground.kinds()).count("held") == 1


async def test_a_released_thread_holds_nothing_that_comes_later(room: Room) -> None:
    """After the release a later alert ends in its time, and the hold's key is destroyed, not before."""
    first = await room.accept("A-1")
    known_by, _ = await hold_thread(room, first)
    key = await key_name(room, first)
    room.ground.clock.advance(1000)
    await room.eraser.look()
    assert key in room.contents.folder.names()
    await release_thread(room, first, known_by)
    later = await follow(room, first, "A-2")
    assert (await room.read(later))["content"]["state"] == "stored"
    room.ground.clock.advance(DAY)
    await room.eraser.look()
    assert key not in room.contents.folder.names()


async def test_a_lost_key_stops_no_hold_on_the_rest_of_a_thread(room: Room) -> None:
    """What can't be read is held with the others, each as it is wrapped, and the release ends the hold of all."""
    first = await room.accept("A-1", keeping(NYSP, 2))
    lost = await follow(room, first, "A-2", keeping(NYSP, 3))
    day = await key_name(room, lost)
    room.contents.destroy(day)
    known_by, _ = await hold_thread(room, first)
    assert (await key_name(room, lost), (await room.read(lost))["content"]["state"]) == (day, "unreadable")
    await room.deliver()
    room.ground.clock.advance(2 * DAY + 60)
    assert await room.eraser.look() == 0
    assert (await room.read(first))["content"] == {"state": "held"}
    await release_thread(room, first, known_by)
    assert await room.eraser.look() == 1
    room.ground.clock.advance(DAY)
    assert await room.eraser.look() == 1


async def test_a_recipient_s_hold_on_a_thread_keeps_what_came_to_it(room: Room) -> None:
    """An alert of the thread that went to others alone is none of its business, one that awaits consent is."""
    first = await room.accept("A-1", keeping(NYSP, 1))
    await hold_thread(room, first, NY)
    elsewhere = await follow(room, first, "A-2", keeping(VSP, 1))
    waiting = replace(permit(NYSP), terms=replace(permit(NYSP).terms, consent_by=("ca.rcmp",), consent_within=60))
    asked = await follow(room, first, "A-3", waiting)
    assert (await room.read(elsewhere))["content"]["state"] == "stored"
    assert (await room.read(asked))["content"] == {"state": "held"}
    await order(room, elsewhere)


async def test_holds_on_an_alert_and_on_its_thread_do_not_end_each_other(room: Room) -> None:
    """Whichever is released first, what the other stands over stays; each is released by the name that it was given."""
    first = await room.accept("A-1", permit(NYSP))
    second = await follow(room, first, "A-2", permit(NYSP))
    alone, _ = await hold(room, second, NY)
    whole, _ = await hold_thread(room, first)
    with pytest.raises(NotFoundError):
        await release(room, first, whole)
    with pytest.raises(NotFoundError):
        await release_thread(room, first, alone, NY)
    await release(room, second, alone, NY)
    assert (await room.read(second))["content"] == {"state": "held"}
    again, _ = await hold(room, second, NY, reference="2")
    await release_thread(room, first, whole)
    assert (await room.read(first))["content"]["state"] == "stored"
    assert (await room.read(second))["content"] == {"state": "held"}
    await release(room, second, again, NY)
    assert (await room.read(second))["content"]["state"] == "stored"


async def test_a_thread_is_named_by_the_alert_that_began_it(room: Room) -> None:
    """Named by a later one it is refused; by one that is no party to it, it is not there; a word names one or other."""
    first = await room.accept("A-1", permit(NYSP))
    second = await follow(room, first, "A-2", permit(NYSP))
    with pytest.raises(AlertRefusedError) as refused:
        await hold_thread(room, second)
    assert {fault.pointer for fault in refused.value.faults} == {"/thread"}
    with pytest.raises(NotFoundError):
        await hold_thread(room, first, ME)
    both = {**await members(room, first, QC), "thread": first.alert_id}
    for named in (both, {name: value for name, value in both.items() if name not in ("thread", "alert_id")}):
        with pytest.raises(ValidationError):
            LegalHold(statement="legal-hold", **named)

"""An alert's identifier: in no row as it was written, known again for good, gone for its readers with the content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from audit.tables import metadata
from gateway.errors import IdentifierReusedError
from gateway.receipts import Promise, attached, detached
from gateway.store.acceptance import Answer
from gateway.store.held import read_holds
from gateway.store.reader import Reader
from gateway.store.reading import read_alert_by_name
from gateway.store.sources import find_sources
from gateway.store.tables import alerts
from lacolle.commands.named import called
from schemas.alerts.catalogue import parse_alert
from schemas.ids import AlertId, JurisdictionCode
from schemas.signing.base64url import encode
from tests.unit.gateway.ground import NYSP, SQ, VSP, Ground, acceptance, open_ground, permit, stolen_vehicle
from tests.unit.gateway.test_erasing import DAY, Room, make_room

NAME = "SQ-Tremblay"
SENDER = Reader(SQ, JurisdictionCode("CA-QC"), auditor=False)


@pytest.fixture
def room(ground: Ground, tmp_path: Path) -> Room:
    """Return a room on an empty store."""
    return make_room(ground, tmp_path / "content-keys")


async def by_name(room: Room, identifier: str) -> dict[str, Any] | None:
    """Return what its sender reads of an alert by its identifier."""
    async with room.ground.store.reading() as connection:
        return await read_alert_by_name(connection, room.contents, SENDER, sender=SQ, identifier=identifier)


async def tables(room: Room) -> dict[str, str]:
    """Return every row of the exchange's own tables, the log's aside, as text."""
    async with room.ground.store.reading() as connection:
        own = [table for table in metadata.sorted_tables if not table.name.startswith("log_")]
        return {table.name: str([tuple(row) for row in await connection.execute(select(table))]) for table in own}


async def test_no_row_has_an_identifier(room: Room) -> None:
    """Neither the alert's nor the cited ones', nor what a receipt says of them; its sender reads it as it was."""
    alert = parse_alert(stolen_vehicle(NAME, references=["us-vt.vsp,VT-Gagnon,2026-11-22T12:00:00-05:00"]))
    async with room.ground.store.reading() as connection:
        sources = await find_sources(connection, room.contents.marks, alert)
    item = replace(acceptance(NAME, permit(NYSP)), alert=alert, sources=sources)
    await room.ground.committer.submit(room.writer, item)
    rows = await tables(room)
    assert len(rows["citations"]) > len("[]")
    for words in (NAME, "Gagnon", encode(NAME.encode()).decode()[:-1]):
        assert [name for name, row in rows.items() if words in row] == []
    seen = await by_name(room, NAME)
    assert seen is not None
    assert seen["identifier"] == NAME


async def test_the_first_answer_comes_again_after_the_content_has_gone(room: Room) -> None:
    """The very bytes, receipt and all, before and after erasure; another payload under the name is still refused."""
    item = acceptance(NAME, permit(NYSP))
    first = await room.ground.committer.submit(room.writer, item)
    await room.deliver()
    again = await room.ground.committer.submit(room.writer, item)
    room.ground.clock.advance(11 * DAY)
    assert await room.eraser.look() == 1
    late = await room.ground.committer.submit(room.writer, item)
    assert (again, late) == (Answer(first.alert_id, first.body, replayed=True),) * 2
    assert orjson.loads(first.body)["receipt"].count(".") == len("..")
    with pytest.raises(IdentifierReusedError):
        await room.ground.committer.submit(room.writer, acceptance(NAME, content="other"))


async def test_readers_are_told_that_it_was_erased(room: Room) -> None:
    """By its name or its id it is found as before; the identifier is null, and the state says why."""
    first = await room.ground.committer.submit(room.writer, acceptance(NAME))
    assert (await room.read(first))["identifier"] == NAME
    room.ground.clock.advance(11 * DAY)
    assert await room.eraser.look() == 1
    seen = await by_name(room, NAME)
    assert seen is not None
    assert seen == await room.read(first)
    assert (seen["identifier"], seen["state"], seen["content"]["state"]) == (None, "erased", "erased")
    assert await by_name(room, "SQ-Other") is None
    async with room.ground.store.reading() as connection:
        assert await read_holds(connection, room.contents, SENDER, every=True) == []


async def test_a_repetition_is_one_read_by_an_index(tmp_path: Path) -> None:
    """However many alerts there are, and of however many senders, one look-up of the names says which are there."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401 - the driver's
        if "FROM alerts" in statement:
            asked.append((statement, parameters))

    async with open_ground(tmp_path) as ground:
        room = make_room(ground, tmp_path / "content-keys")
        item = acceptance(NAME)
        await ground.committer.submit(room.writer, item)
        event.listen(ground.store.writer.sync_engine, "before_cursor_execute", hear)
        assert (await ground.committer.submit(room.writer, item)).replayed
        event.remove(ground.store.writer.sync_engine, "before_cursor_execute", hear)
        ((statement, parameters),) = asked
        async with ground.store.reading() as connection:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
    assert [row.detail for row in plan] == ["SEARCH alerts USING INDEX sqlite_autoindex_alerts_2 (name=?)"]


async def test_the_same_identifier_of_two_senders_is_two_alerts(room: Room) -> None:
    """A mark is of sender and identifier: nobody takes another's name, and one database never has a mark twice."""
    await room.ground.committer.submit(room.writer, acceptance(NAME))
    other = await room.ground.committer.submit(room.writer, acceptance(NAME, sender=VSP))
    assert not other.replayed
    async with room.ground.store.reading() as connection:
        assert len(set(await connection.scalars(select(alerts.c.name)))) == 2


@given(identifier=st.text(min_size=1, max_size=40), more=st.text(max_size=20))
def test_what_was_detached_is_attached_again(identifier: str, more: str) -> None:
    """Whatever an identifier or the rest of an answer holds, the bytes come back, and what is stored has no payload."""
    promise = Promise(AlertId("01a20320-a200-7000-8000-000000000001"), SQ, identifier, bytes(32), 7)
    payload = promise.payload(origin="x.example/log", received="2026-11-22T12:00:00.000Z")
    receipt = f"aGVhZA.{encode(payload).decode()}.c2ln"
    answer = orjson.dumps(
        {"alert_id": promise.alert_id, "log_index": 7, "receipt": receipt, "warnings": [more, "a..b"]}
    )
    assert b'"receipt":"aGVhZA..c2ln"' in detached(answer)
    assert attached(detached(answer), payload) == answer


def test_people_are_told_in_words() -> None:
    """In a table too an erased identifier is said to be one, in both languages."""
    assert called("ca-qc.sq", "A-1", "Actual").fr == "ca-qc.sq A-1 (Actual)"
    assert called("ca-qc.sq", None).en == "ca-qc.sq, identifier erased"
    assert called("ca-qc.sq", None).fr == "ca-qc.sq, identifiant effacé"

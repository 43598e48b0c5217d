"""Bringing up a database in which an earlier program stored alerts as they came: they are sealed, or it is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from alembic import command
from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from gateway.errors import StoreError
from gateway.receipts import Promise, ReceiptSigner
from gateway.sealing.contents import Contents
from gateway.sealing.folder import KeyFolder
from gateway.sealing.kek import LocalKey
from gateway.store.content_keys import OPENING, key_of, opened, with_keys
from gateway.store.engine import Store, open_postgres, open_sqlite
from gateway.store.names import identifier_of, name_mark, payload_mark
from gateway.store.schema import _config, current_revision, head_revision, upgrade
from gateway.store.tables import alerts, citations, content_keys, mark_key
from schemas.ids import AlertId
from schemas.signing.canonical import PlainValue, canonical_plain_bytes
from schemas.signing.jws import ACKNOWLEDGEMENT, ALERT, RECEIPT, sign_compact
from schemas.timestamps import utc_text
from tests.contract.store.raw_files import found_in, spellings
from tests.unit.gateway.ground import KEK, NYSP, ORIGIN, RECEIPT_KEY, SQ, START, InPlace, contents_in, stolen_vehicle

BEFORE: Final = "0008"
ALERT_ID: Final = "01a20320-a200-7000-8000-000000000001"
WORDS: Final = "Volée rue Sainte-Catherine"
IDENTIFIER: Final = "SQ-Sainte-Foy 12"
PAYLOAD_DIGEST: Final = hashlib.sha256(b"payload").digest()


def _at_revision(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, BEFORE)


@pytest.fixture(params=["sqlite", "postgres"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store without a schema."""
    if request.param == "sqlite":
        return open_sqlite(tmp_path / "exchange.sqlite3")
    return open_postgres(request.getfixturevalue("postgres_bare_database"))


@pytest.fixture
async def old(bare: Store) -> AsyncIterator[Store]:
    """Yield a store at the revision before, with one alert as it came."""
    async with bare.writer.begin() as connection:
        await connection.run_sync(_at_revision)
        await connection.execute(text(_INSERT), _row())
        await connection.execute(text(_INSERT_WORD), {"id": ALERT_ID, "compact": _word()})
    yield bare
    await bare.close()


def _submission() -> bytes:
    document = stolen_vehicle(IDENTIFIER)
    document["body"]["circumstances"] = WORDS
    document["handling"] = {"tlp": "RED", "purpose": "criminal-investigation", "caveat": {"fr": WORDS, "en": WORDS}}
    return sign_compact(orjson.dumps(document), key=RECEIPT_KEY, profile=ALERT, iat=int(START.timestamp()))


def _word() -> bytes:
    word = {"alert_id": ALERT_ID, "delivery_id": ALERT_ID, "status": "read", "note": WORDS}
    return sign_compact(orjson.dumps(word), key=RECEIPT_KEY, profile=ACKNOWLEDGEMENT, iat=int(START.timestamp()))


def _row() -> dict[str, Any]:
    return {
        "id": ALERT_ID,
        "digest": PAYLOAD_DIGEST,
        "ms": int(START.timestamp() * 1000),
        "submission": _submission(),
        "answer": _answer(),
    }


def _answer() -> bytes:
    """Return what the alert's sender got, as the program of that time made it."""
    said: dict[str, PlainValue] = {
        "alert_id": ALERT_ID,
        "sender": SQ,
        "identifier": IDENTIFIER,
        "digest": f"sha-256:{hashlib.sha256(_submission()).hexdigest()}",
        "log_index": 1,
        "log_origin": ORIGIN,
        "received": utc_text(START),
    }
    receipt = sign_compact(canonical_plain_bytes(said), key=RECEIPT_KEY, profile=RECEIPT).decode()
    return orjson.dumps({"alert_id": ALERT_ID, "log_index": 1, "receipt": receipt, "recipients": []})


async def test_what_was_stored_as_it_came_is_sealed(old: Store, tmp_path: Path) -> None:
    """After the upgrade it opens as it was, has its digest, its handling without the caveat, and a time to end."""
    (tmp_path / "content-keys").mkdir()
    contents = contents_in(tmp_path / "content-keys")
    with pytest.raises(StoreError, match="--exchange") as refused:
        await upgrade(old.writer)
    assert "--exchange" in refused.value.reason.fr
    assert await current_revision(old.writer) == BEFORE
    assert await upgrade(old.writer, contents) == head_revision()
    async with old.reading() as connection:
        row = (await connection.execute(with_keys(select(*OPENING)))).one()
        kept = (await connection.execute(text("SELECT submission_digest, handling FROM alerts"))).one()
        key = (await connection.execute(text("SELECT basis, held_by, due_ms FROM content_keys"))).one()
        word = await connection.scalar(text("SELECT compact FROM acknowledgements"))
    assert opened(contents, row) == _submission()
    place = f"acknowledgement {ALERT_ID} read"
    assert contents.open(AlertId(ALERT_ID), bytes(word or b""), key_of(row), place=place) == _word()
    assert WORDS.encode() not in row.submission
    assert kept.submission_digest == hashlib.sha256(_submission()).digest()
    assert orjson.loads(kept.handling) == {"tlp": "RED", "codes": [], "purpose": "criminal-investigation"}
    assert (key.basis, key.held_by) == ("default", None)
    assert key.due_ms > _row()["ms"]
    await old.close()
    if not old.shared:
        assert found_in([tmp_path], spellings([WORDS, IDENTIFIER])) == {}


async def test_identifiers_are_marked_and_sealed(old: Store, tmp_path: Path) -> None:
    """After the upgrade no identifier stands in any row; it is found, read and answered as it was before."""
    (tmp_path / "content-keys").mkdir()
    contents = contents_in(tmp_path / "content-keys")
    await _upgrade_to(old, "0012", contents)
    async with old.writer.begin() as connection:
        gone = {**_row(), "id": ALERT_ID.replace("1", "2"), "sealed": b"\x01", "submission_digest": bytes(32)}
        await connection.execute(text(_INSERT_GONE), gone)
        await connection.execute(text(_INSERT_CITATION), {"id": ALERT_ID})
    with pytest.raises(StoreError, match="--exchange"):
        await upgrade(old.writer)
    assert await upgrade(old.writer, contents) == head_revision()
    marks = contents.marks
    name = name_mark(marks, SQ, IDENTIFIER)
    async with old.reading() as connection:
        row = (await connection.execute(with_keys(select(alerts, *KEYS)).where(alerts.c.name == name))).one()
        erased = (await connection.execute(with_keys(select(alerts, *KEYS)).where(alerts.c.name != name))).one()
        cited = (await connection.execute(select(citations))).one()
        since = (await connection.execute(select(mark_key))).one()
        rows = [tuple(each) for table in (alerts, citations) for each in await connection.execute(select(table))]
    assert identifier_of(contents, row) == IDENTIFIER
    assert (erased.identifier, identifier_of(contents, erased)) == (None, None)
    assert row.payload_mark == payload_mark(marks, name, PAYLOAD_DIGEST)
    assert tuple(cited) == (ALERT_ID, name_mark(marks, NYSP, "NY-Sainte-Foy"), NYSP)
    assert (since.mark, since.since) == (marks.check, 0)
    assert "Sainte-Foy" not in str(rows)
    promise = Promise(AlertId(ALERT_ID), SQ, IDENTIFIER, row.submission_digest, row.log_index)
    signer = ReceiptSigner(RECEIPT_KEY.public, InPlace(), origin=ORIGIN)
    assert signer.whole(row.answer, promise, received_ms=row.received_ms) == _answer()
    await old.close()
    if not old.shared:
        assert found_in([tmp_path], spellings([IDENTIFIER, "Sainte-Foy"])) == {}


@pytest.mark.parametrize("how", ["another folder", "another key-encryption key"])
async def test_keys_that_are_not_the_database_s_are_refused(old: Store, tmp_path: Path, how: str) -> None:
    """With them no identifier could be sealed, and each would be lost: the upgrade does nothing, and says why."""
    own, other = tmp_path / "content-keys", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    contents = Contents(KeyFolder(own, KEK, randomness=os.urandom), clock=lambda: START)
    await _upgrade_to(old, "0012", contents)
    folder, kek = (other, KEK) if how == "another folder" else (own, LocalKey(bytes(32), randomness=os.urandom))
    others = Contents(KeyFolder(folder, kek, randomness=os.urandom), clock=lambda: START)
    with pytest.raises(StoreError):
        await upgrade(old.writer, others)
    assert await current_revision(old.writer) == "0012"
    assert not (folder / "marks.key").exists()
    assert await upgrade(old.writer, contents) == head_revision()
    async with old.reading() as connection:
        row = (await connection.execute(with_keys(select(alerts, *KEYS)))).one()
    assert identifier_of(contents, row) == IDENTIFIER
    await old.close()


async def test_an_empty_database_is_marked_without_keys(bare: Store) -> None:
    """Where there is no alert yet nobody needs the keys to bring the schema up: the first process founds the marks."""
    assert await upgrade(bare.writer) == head_revision()
    async with bare.reading() as connection:
        assert (await connection.execute(select(mark_key))).all() == []
    await bare.close()


async def _upgrade_to(store: Store, revision: str, contents: Contents) -> None:
    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["contents"] = contents
        command.upgrade(config, revision)

    async with store.writer.begin() as connection:
        await connection.run_sync(run)


KEYS: Final = (content_keys.c.wrapped_by, content_keys.c.wrapped)
_INSERT_CITATION: Final = (
    "INSERT INTO citations (alert_id, sender, identifier) VALUES (:id, 'us-ny.nysp', 'NY-Sainte-Foy')"
)
_INSERT_GONE: Final = (
    "INSERT INTO alerts (alert_id, log_index, thread, sender, identifier, payload_digest, type, status, msg_type,"
    " received_ms, submission, answer, submission_digest, handling)"
    " VALUES (:id, 2, :id, 'ca-qc.sq', 'SQ-Sainte-Foy 13', :digest, 'law-enforcement/stolen-vehicle/v1', 'Actual',"
    " 'Alert',"
    " :ms, :sealed, :answer, :submission_digest, '{}')"
)
_INSERT: Final = (
    "INSERT INTO alerts (alert_id, log_index, thread, sender, identifier, payload_digest, type, status, msg_type,"
    " received_ms, submission, answer) VALUES (:id, 1, :id, 'ca-qc.sq', 'SQ-Sainte-Foy 12', :digest,"
    " 'law-enforcement/stolen-vehicle/v1', 'Actual', 'Alert', :ms, :submission, :answer)"
)
_INSERT_WORD: Final = (
    "INSERT INTO acknowledgements (delivery_id, status, alert_id, participant, at, compact, log_index)"
    " VALUES (:id, 'read', :id, 'us-ny.nysp', '2026-11-22T12:00:00Z', :compact, 2)"
)

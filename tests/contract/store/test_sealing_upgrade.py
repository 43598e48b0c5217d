"""Bringing up a database in which an earlier program stored alerts as they came: they are sealed, or it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from alembic import command
from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from gateway.errors import StoreError
from gateway.store.content_keys import OPENING, key_of, opened, with_keys
from gateway.store.engine import Store, open_postgres, open_sqlite
from gateway.store.schema import _config, current_revision, head_revision, upgrade
from schemas.ids import AlertId
from schemas.signing.jws import ACKNOWLEDGEMENT, ALERT, sign_compact
from tests.contract.store.raw_files import found_in, spellings
from tests.unit.gateway.ground import RECEIPT_KEY, START, contents_in, stolen_vehicle

BEFORE: Final = "0008"
ALERT_ID: Final = "01a20320-a200-7000-8000-000000000001"
WORDS: Final = "Volée rue Sainte-Catherine"


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
    document = stolen_vehicle("A-1")
    document["body"]["circumstances"] = WORDS
    document["handling"] = {"tlp": "RED", "purpose": "criminal-investigation", "caveat": {"fr": WORDS, "en": WORDS}}
    return sign_compact(orjson.dumps(document), key=RECEIPT_KEY, profile=ALERT, iat=int(START.timestamp()))


def _word() -> bytes:
    word = {"alert_id": ALERT_ID, "delivery_id": ALERT_ID, "status": "read", "note": WORDS}
    return sign_compact(orjson.dumps(word), key=RECEIPT_KEY, profile=ACKNOWLEDGEMENT, iat=int(START.timestamp()))


def _row() -> dict[str, Any]:
    return {"id": ALERT_ID, "digest": bytes(32), "ms": int(START.timestamp() * 1000), "submission": _submission()}


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
        assert found_in([tmp_path], spellings([WORDS])) == {}


_INSERT: Final = (
    "INSERT INTO alerts (alert_id, log_index, thread, sender, identifier, payload_digest, type, status, msg_type,"
    " received_ms, submission, answer) VALUES (:id, 1, :id, 'ca-qc.sq', 'A-1', :digest,"
    " 'law-enforcement/stolen-vehicle/v1', 'Actual', 'Alert', :ms, :submission, :digest)"
)
_INSERT_WORD: Final = (
    "INSERT INTO acknowledgements (delivery_id, status, alert_id, participant, at, compact, log_index)"
    " VALUES (:id, 'read', :id, 'us-ny.nysp', '2026-11-22T12:00:00Z', :compact, 2)"
)

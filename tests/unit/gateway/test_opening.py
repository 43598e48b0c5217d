"""Opening an exchange on a folder: what is founded once stays founded, and what does not fit together is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.checkpoints import PublishedState, read_latest
from audit.log import read_head
from bus.embedded import EmbeddedBus
from gateway.clock import system_clock
from gateway.errors import StoreError
from gateway.roles.exchange import Exchange, open_exchange
from gateway.store.engine import open_sqlite
from lacolle.contents import contents_of
from lacolle.folder import ExchangeFolder, read_folder
from lacolle.samples import World
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from schemas.statements import Jurisdiction


@pytest.fixture
def folder(world: World, tmp_path: Path) -> ExchangeFolder:
    """Return a copy of the sample exchange's folder that no process has opened."""
    return read_folder(Path(shutil.copytree(world.folder, tmp_path / "exchange")))


@asynccontextmanager
async def opened(folder: ExchangeFolder) -> AsyncIterator[Exchange]:
    """Yield a folder's exchange, open and not running, and close it."""
    bus = EmbeddedBus()
    exchange = await open_exchange(
        folder.settings,
        store=open_sqlite(folder.database),
        bus=bus,
        keys=folder.keys,
        contents=contents_of(folder.settings, folder.path),
        founding=folder.founding,
        published=PublishedState(folder.published_checkpoint),
        clock=system_clock,
        randomness=os.urandom,
    )
    try:
        yield exchange
    finally:
        await exchange.close()
        await bus.close()


async def size(folder: ExchangeFolder) -> int:
    """Return how many entries the log of a folder has."""
    store = open_sqlite(folder.database)
    async with store.reading() as connection:
        head = await read_head(connection)
    await store.close()
    return head.size


async def change(folder: ExchangeFolder, statement: str) -> None:
    """Tamper with a folder's database."""
    store = open_sqlite(folder.database)
    async with store.writer.begin() as connection:
        await connection.execute(text(statement))
    await store.close()


async def refusal(folder: ExchangeFolder) -> str:
    """Return why a folder's exchange does not open."""
    with pytest.raises(StoreError) as refused:
        async with opened(folder):
            pass
    assert refused.value.reason.fr != refused.value.reason.en
    return str(refused.value)


async def test_a_new_folder_is_founded_once(folder: ExchangeFolder) -> None:
    """The first start logs the opening, the pins, the statements and the agreements; the second one logs nothing."""
    async with opened(folder) as exchange:
        assert len(exchange.registry.registry.participants) == len(folder.founding.statements)
        assert len(exchange.registry.agreements) == len(folder.founding.agreements)
    founded = await size(folder)
    async with opened(folder) as exchange:
        assert len(exchange.registry.agreements) == len(folder.founding.agreements)
    assert await size(folder) == founded


async def test_a_head_is_signed_before_the_first_request(folder: ExchangeFolder) -> None:
    """When an exchange is open, the checkpoint of all that founded it is published, in the file and in the store."""
    async with opened(folder):
        note = await asyncio.to_thread(folder.published_checkpoint.read_text)
    store = open_sqlite(folder.database)
    async with store.reading() as connection:
        latest = await read_latest(connection)
    await store.close()
    assert latest is not None
    assert (latest.note, latest.size) == (note, await size(folder))


async def test_a_changed_pin_is_refused(folder: ExchangeFolder) -> None:
    """An authority's key is not the operator's to change, nor a jurisdiction his to remove."""
    async with opened(folder):
        pass
    first, *others = folder.founding.jurisdictions
    other_key = SigningKey.generate(KeyId("another.authority"), "Ed25519")
    changed = Jurisdiction.model_validate(
        {**first.model_dump(by_alias=True), "authority_keys": (dict(other_key.public.jwk),)}
    )
    for jurisdictions in ([changed, *others], others):
        founding = replace(folder.founding, jurisdictions=jurisdictions)
        assert first.code in await refusal(replace(folder, founding=founding))


@pytest.mark.parametrize("kind", ["statements", "agreements"])
async def test_a_document_that_nobody_signed_is_refused_by_name(folder: ExchangeFolder, kind: str) -> None:
    """A file in the folder whose signature is not an authority's is named, and the exchange does not open."""
    founding = folder.founding
    given = dict(founding.statements if kind == "statements" else founding.agreements)
    name = min(given)
    given[name] = given[name][:-8] + b"AAAA" + given[name][-4:]
    founding = replace(founding, statements=given) if kind == "statements" else replace(founding, agreements=given)
    assert name in await refusal(replace(folder, founding=founding))


async def test_a_database_that_is_behind_what_was_published_is_refused(folder: ExchangeFolder) -> None:
    """A restored backup does not sign another history; nothing is appended to it."""
    async with opened(folder):
        pass
    note = folder.published_checkpoint.read_bytes()
    folder.database.unlink()
    for leftover in folder.database.parent.glob(f"{folder.database.name}-*"):
        leftover.unlink()
    await refusal(folder)
    assert folder.published_checkpoint.read_bytes() == note


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE authority_statements SET compact = CAST(substr(compact, 1, length(compact) - 4) || 'AAAA' AS BLOB)",
        "DELETE FROM log_entries WHERE log_index = 3",
        "UPDATE log_head SET size = size - 1",
    ],
)
async def test_a_database_that_was_tampered_with_is_refused(folder: ExchangeFolder, statement: str) -> None:
    """What is read at a start is verified again: signatures, and the log beneath the checkpoint."""
    async with opened(folder):
        pass
    await change(folder, statement)
    await refusal(folder)


async def test_a_newer_schema_is_refused_and_nothing_stays_open(folder: ExchangeFolder) -> None:
    """An older program leaves a newer database alone, with no connection or thread left behind."""
    async with opened(folder):
        pass
    await change(folder, "UPDATE alembic_version SET version_num = '9999'")
    threads = threading.active_count()
    assert "9999" in await refusal(folder)
    assert threading.active_count() <= threads

"""What is left of content on the disk: nothing to be read without its keys, and once it was erased nothing at all.

Raw files are searched: SQLite's with its WAL, PostgreSQL's data directory, and backups of either.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, text

from gateway.sealing.folder import KeyFolder
from gateway.sealing.kek import UnwrapError
from gateway.store.acceptance import Answer
from gateway.store.acknowledgements import AcknowledgementWriter
from gateway.store.address import postgres_address
from gateway.store.tables import alerts, content_keys
from lacolle.backup import back_up_postgres, back_up_sqlite
from lacolle.errors import ConfigurationError
from schemas.alerts.catalogue import parse_alert
from schemas.signing.jws import ALERT, sign_compact
from tests.contract.store.raw_files import found_in, spellings
from tests.servers.postgres import Postgres
from tests.unit.gateway.ground import (
    KEK,
    NYSP,
    RECEIPT_KEY,
    SQ,
    START,
    Ground,
    acceptance,
    open_ground,
    permit,
    stolen_vehicle,
)
from tests.unit.gateway.test_erasing import DAY, Room, make_room, noted


@dataclass(frozen=True, slots=True)
class Scene:
    """A room on either database, an alert that was accepted in it, its words, and every place where they may stand."""

    room: Room
    answer: Answer
    words: tuple[str, ...]
    submission: bytes
    places: tuple[Path, ...]
    backups: Path
    pg_dump: str = ""

    def remnants(self, *places: Path) -> dict[str, set[str]]:
        """Return where the alert's words, and runs of the submission as it came, stand: anywhere, or in some places."""
        header, payload, signature = self.submission.split(b".")
        whole = base64.urlsafe_b64decode(payload + b"==")
        unique = 4 * (
            whole.index(self.words[1].encode()) // 3 + 1
        )  # on a shared server others' alerts begin as this one
        runs = {"payload segment": payload[unique : unique + 40], "signature segment": signature[40:80]}
        digest = hashlib.sha256(whole)  # whoever guesses the whole payload could confirm it
        digests = {"payload digest": digest.digest(), "payload digest, hex": digest.hexdigest().encode()}
        assert header
        return found_in(places or self.places, {**spellings(self.words), **runs, **digests})

    async def settle(self) -> None:
        """Have the database write everything to its files."""
        if self.room.ground.store.shared:
            async with self.room.ground.store.writer.connect() as connection:
                await connection.execute(text("CHECKPOINT"))

    async def back_up(self, name: str) -> Path:
        """Return a new backup of the database."""
        target, store = self.backups / name, self.room.ground.store
        if store.address is None:
            await asyncio.to_thread(back_up_sqlite, self.places[0] / "exchange.sqlite3", target)
        else:
            await asyncio.to_thread(back_up_postgres, store.address, target, program=self.pg_dump, ca_file=None)
        return target


@pytest.fixture
async def scene(ground: Ground, request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """Return an alert whose words nobody else has used, accepted and delivered."""
    backups = tmp_path / "backups"
    backups.mkdir()
    room = make_room(ground, tmp_path / "content-keys")
    mark = secrets.token_hex(6)
    words = (
        f"Véhicule dérobé {mark} à Montréal",
        f"PLQ{mark.upper()}",
        f"Aperçu {mark} à Plattsburgh",
        f"TREMBLAY-{mark}",
        f"MTL{mark}",
        f"earlier{mark}",
        f"desk{mark}",
        f"Vol{mark}",
        f"Avis{mark}",
        f"Un homme{mark}",
        f"Ne pas approcher{mark}",
        f"Sherbrooke{mark}",
    )
    document = _marked(words)
    payload = orjson.dumps(document)
    submission = sign_compact(payload, key=RECEIPT_KEY, profile=ALERT, iat=int(START.timestamp()))
    item = replace(
        acceptance(words[3], permit(NYSP)),
        alert=parse_alert(document),
        references=(words[5],),
        submission=submission,
        submission_digest=hashlib.sha256(submission).digest(),
        payload_digest=hashlib.sha256(payload).digest(),
    )
    answer = await ground.committer.submit(room.writer, item)
    await room.deliver()
    (row,) = await ground.dispatches()
    await ground.committer.submit(AcknowledgementWriter(room.contents), noted(answer, row.delivery_id, words[2]))
    places, pg_dump = [tmp_path], ""
    if ground.store.shared:
        server: Postgres = request.getfixturevalue("postgres")
        if server.local is None:
            pytest.skip("the files of LACOLLE_TEST_DATABASE are another machine's")
        places = [server.local._data, backups, tmp_path / "content-keys"]
        pg_dump = str(server.local._programs / "pg_dump")
    return Scene(room, answer, words, submission, tuple(places), backups, pg_dump)


def _marked(words: tuple[str, ...]) -> dict[str, Any]:
    """Return an alert in each of whose free texts, and in every name that its sender chose, one of the words stands."""
    _, _, _, identifier, incident, earlier, desk, event, headline, description, instruction, area = words
    document = stolen_vehicle(
        identifier,
        incidents=[incident],
        references=[f"{SQ},{earlier},2026-11-22T11:00:00+00:00"],
        addresses=[desk],
    )
    told = {"event": event, "headline": headline, "description": description, "instruction": instruction}
    document["info"][0] |= {**told, "area": [{"areaDesc": area}]}
    document["body"]["circumstances"] = words[0]
    document["body"]["vehicle"]["plate"]["number"] = words[1]
    return document


async def test_words_that_are_written_plainly_are_found(scene: Scene) -> None:
    """The search is worth something: in a row, a file, a segment of a JWS, or UTF-16, it finds what is there."""
    store = scene.room.ground.store
    async with store.writer.begin() as connection:
        await connection.execute(text("CREATE TABLE plain (words TEXT)"))
        await connection.execute(text("INSERT INTO plain VALUES (:words)"), {"words": scene.words[0]})
    await scene.settle()
    assert any("plain" in hit for hits in scene.remnants().values() for hit in hits)
    for shift, kind in itertools.product(range(3), ("b64", "utf-16-le", "json", "jws")):
        file = scene.backups / f"{shift}.{kind}"
        match kind:
            case "b64":
                file.write_bytes(base64.urlsafe_b64encode(b"x" * shift + scene.words[0].encode() + b"y"))
            case "json":
                file.write_bytes(b" " * shift + json.dumps({"a": scene.words[0]}).encode())
            case "jws":
                file.write_bytes(scene.submission)
            case _:
                file.write_bytes(scene.words[1].encode(kind))
        assert str(file) in scene.remnants(file), kind


async def test_nothing_is_readable_while_content_is_kept(scene: Scene) -> None:
    """While it is stored its words stand in no file and no backup, in no spelling; with the key it is read."""
    await scene.back_up("while-kept")
    await scene.settle()
    assert scene.remnants() == {}
    assert await scene.room.submission(scene.answer) == scene.submission


async def test_nothing_is_left_once_content_is_erased(scene: Scene) -> None:
    """After its day no file has a word of it, and what wrapped keys remain open with no key that remains.

    The same rows, taken before, do open with the day's key as it was: that is what was destroyed.
    """
    room = scene.room
    before = await scene.back_up("before")
    kept = scene.backups.parent / "day-keys-as-they-were"
    shutil.copytree(room.contents.folder.path, kept)
    async with room.ground.store.reading() as connection:
        row = (
            await connection.execute(
                select(alerts.c.submission, content_keys.c.wrapped, content_keys.c.wrapped_by).join(
                    content_keys, content_keys.c.alert_id == alerts.c.alert_id
                )
            )
        ).one()
    assert any(_opened(row, scene.answer.alert_id, KeyFolder(kept, KEK, randomness=os.urandom)))
    shutil.rmtree(kept)
    room.ground.clock.advance(12 * DAY)
    assert await room.eraser.look() == 1
    await scene.back_up("after")
    await scene.settle()
    assert scene.remnants() == {}
    assert not any(_opened(row, scene.answer.alert_id, room.contents.folder))
    assert room.contents.folder.names() == []
    assert before.stat().st_size > 0


def _opened(row: Any, alert_id: str, folder: KeyFolder) -> Iterator[bool]:  # noqa: ANN401 - a row
    """Yield, for the key-encryption key and every key that there is, whether content opens with it."""
    about = f"{alert_id} {row.wrapped_by}"
    try:
        keys = [KEK.unwrap(row.wrapped, about=about)]
    except UnwrapError:
        keys = []
    for name in folder.names():
        try:
            keys.append(AESGCM(folder.read(name)).decrypt(row.wrapped[:12], row.wrapped[12:], about.encode()))
        except InvalidTag:
            continue
    for key in keys:
        stored = row.submission
        yield bool(AESGCM(key).decrypt(stored[1:13], stored[13:], f"{alert_id} submission".encode()))
    yield False


async def test_a_restored_backup_reads_nothing_that_was_erased(on_sqlite: Ground, tmp_path: Path) -> None:
    """Put back after its day, a backup whose rows say that content is there finds it erased, and logs that anew."""
    room = make_room(on_sqlite, tmp_path / "content-keys")
    answer = await on_sqlite.committer.submit(room.writer, acceptance("A-1"))
    backup = tmp_path / "restored" / "exchange.sqlite3"
    backup.parent.mkdir()
    await asyncio.to_thread(back_up_sqlite, tmp_path / "exchange.sqlite3", backup)
    on_sqlite.clock.advance(12 * DAY)
    assert await room.eraser.look() == 1
    with closing(sqlite3.connect(backup)) as restored:
        (stored, wrapped, by) = restored.execute(
            "SELECT submission, wrapped, wrapped_by FROM alerts JOIN content_keys USING (alert_id)"
        ).fetchone()
    assert stored.startswith(b"\x01")
    assert len(wrapped) == 60
    assert by not in room.contents.folder.names()
    async with open_ground(backup.parent) as again:
        again.clock.now = on_sqlite.clock.now
        found = make_room(again, room.contents.folder.path, exist_ok=True)
        assert (await found.read(answer))["state"] == "erased"
        assert await found.eraser.look() == 1
        assert (await again.kinds())[-1] == "erased"


def test_a_backup_that_fails_says_so_and_leaves_nothing(postgres: Postgres, tmp_path: Path) -> None:
    """Where the server is away or the program missing there is no file, and the reason is plain in both languages."""
    pg_dump = "pg_dump" if postgres.local is None else str(postgres.local._programs / "pg_dump")
    away = postgres_address("postgresql://a@127.0.0.1:1/nowhere", tls="none")
    for program, told in ((pg_dump, "failed"), ("no-such-program", "--pg-dump")):
        with pytest.raises(ConfigurationError, match=told) as refused:
            back_up_postgres(away, tmp_path / "b", program=program, ca_file=None)
        assert refused.value.reason.fr != refused.value.reason.en
    assert list(tmp_path.iterdir()) == []

"""Past traffic replayed through a draft: what is counted, for whom, and that the database is as it was."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner, Result

from agreements.simulation import Effect, Findings, Worlds
from agreements.written import read_agreement
from audit.tables import log_entries
from gateway.clock import system_clock
from gateway.simulation.simulating import simulate_past
from gateway.store import history
from gateway.store.history import Stretch, count_alerts
from gateway.store.reader import Reader
from gateway.store.tables import dispatches
from gateway.store.terms import terms_text
from lacolle.cli import application
from lacolle.samples import SAMPLES, World
from schemas.decisions import ClauseRef, Terms, Treatment, Withholding
from schemas.ids import AgreementId, JurisdictionCode, ParticipantId
from tests.unit.gateway.ground import NYSP, SQ, VSP
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample

SEVERITY = terms_text(
    Terms(
        withholdings=(
            Withholding("/info/*/severity", Treatment.REDACT, "", ClauseRef(AgreementId("ca-qc.us-vt.test"), 1, "1")),
        )
    )
)
VERMONT = SAMPLES / "agreements" / "ca-qc.us-vt.law-enforcement.yaml"


@pytest.fixture
async def exchange(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield the sample exchange, in a folder of its own."""
    async with open_sample(world, tmp_path) as opened:
        yield opened


def without_missing_persons() -> str:
    """Return a next version of Vermont's agreement that lets no missing person through."""
    text = VERMONT.read_text(encoding="utf-8").replace("version: 1", "version: 2", 1)
    return re.sub(r"law-enforcement/missing-person/v1", "emergency-management/public-warning/v1", text)


async def simulated(
    exchange: SampleExchange, *, reader: Reader | None = None, counts: int | None = None
) -> tuple[Findings, list[int]]:
    """Return what the draft would have done in the last hour, and what progress was told."""
    draft = read_agreement(without_missing_persons(), file="draft.yaml")
    registry, now = exchange.registry, system_clock()
    stretch = Stretch(now - timedelta(hours=1), now + timedelta(seconds=1), reader)
    worlds = Worlds.of(registry.snapshot.candidates, registry.counting, draft)
    done: list[int] = []
    store = exchange.ledger.store
    found = await simulate_past(store, exchange.contents, worlds, stretch, workers=1, progress=done.append)
    assert await count_alerts(store, stretch) == (found.alerts if counts is None else counts)
    return found, done


def effects(found: Findings) -> dict[tuple[str, Effect], int]:
    """Return how many copies there are by recipient and effect."""
    return {(who, effect): count for (who, _, effect), count in found.copies.items()}


async def entries(exchange: SampleExchange) -> int:
    """Return how many entries the log has."""
    async with exchange.ledger.store.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(log_entries)) or 0)


async def test_a_draft_is_replayed_and_nothing_is_stored(
    exchange: SampleExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every alert of the stretch is looked at once, page by page, and the log is as long as it was."""
    monkeypatch.setattr(history, "PAGE", 2)
    ids = [await exchange.accept(identifier=f"S-{number}") for number in range(5)]
    before = await entries(exchange)
    found, done = await simulated(exchange)
    assert (found.alerts, found.changed, done) == (5, 5, [2, 4, 5])
    told = effects(found)
    assert (told[VSP, Effect.LOST], told[NYSP, Effect.SAME]) == (5, 5)
    assert [each.alert_id for each in found.samples] == ids
    assert await entries(exchange) == before


async def test_a_reader_is_told_what_it_may_see(exchange: SampleExchange) -> None:
    """The sender sees every copy, a recipient its own alone, and a stranger nothing."""
    await exchange.accept(identifier="S-1")
    sender, _ = await simulated(exchange, reader=Reader(SQ, JurisdictionCode("CA-QC"), auditor=False))
    recipient, _ = await simulated(exchange, reader=Reader(VSP, JurisdictionCode("US-VT"), auditor=False))
    stranger, _ = await simulated(
        exchange, reader=Reader(ParticipantId("us-vt.other"), JurisdictionCode("US-VT"), auditor=False)
    )
    assert (NYSP, Effect.SAME) in effects(sender)
    assert effects(recipient) == {(VSP, Effect.LOST): 1}
    assert stranger.alerts == 0


@pytest.mark.parametrize(("changed", "unknown"), [({}, 0), ({"terms": SEVERITY}, 1), ({"state": "withheld"}, 1)])
async def test_a_recipient_is_not_told_of_what_it_has_not_had(
    exchange: SampleExchange, changed: dict[str, str | None], unknown: int
) -> None:
    """Of an alert of which its copy lacks something, or did not come, a draft is told of headers alone."""
    await exchange.accept(identifier="S-1")
    if changed:
        async with exchange.ledger.store.writer.begin() as connection:
            await connection.execute(update(dispatches).where(dispatches.c.recipient == VSP).values(changed))
    recipient, done = await simulated(exchange, reader=Reader(VSP, JurisdictionCode("US-VT"), auditor=False), counts=1)
    assert (recipient.unknown, recipient.alerts, done) == (unknown, 1 - unknown, [1])
    sender, _ = await simulated(exchange, reader=Reader(SQ, JurisdictionCode("CA-QC"), auditor=False))
    assert (sender.unknown, sender.alerts) == (0, 1)


async def test_the_command_tells_it_in_tables_and_as_json(exchange: SampleExchange, tmp_path: Path) -> None:
    """On a folder's database, whoever is not running it: the same figures for a person and for a program."""
    alert_id = await exchange.accept(identifier="S-1")
    await exchange.ledger.close()
    draft = tmp_path / "draft.yaml"
    draft.write_text(without_missing_persons(), encoding="utf-8")
    words = ["agreement", "simulate", str(draft), "--since", "2020-01-01", "--exchange", str(exchange.path)]
    answered = await run(*words, "--json")
    assert answered.exit_code == 0, answered.output
    told: dict[str, Any] = orjson.loads(answered.stdout)
    assert (told["alerts"], told["changed"], told["copies"]["lost"]) == (1, 1, 1)
    assert [each["alert_id"] for each in told["samples"]] == [alert_id]
    (vermont,) = [each for each in told["recipients"] if each["participant"] == VSP]
    assert (vermont["before"], vermont["after"]) == (1, 0)
    shown = await run(*words, "--lang", "fr")
    assert (shown.exit_code, "Copies par destinataire" in shown.stdout, VSP in shown.stdout) == (0, True, True)
    for instant in ("hier", "0001-01-01T00:00:00+05:00"):
        wrong = await run(*words[:4], instant, *words[5:], "--lang", "fr")
        assert (wrong.exit_code, f"« {instant} »" in wrong.stderr) == (1, True)


async def run(*words: str) -> Result:
    """Run the command in a thread of its own, for it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, application(), list(words))

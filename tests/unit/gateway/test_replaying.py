"""A past decision made again: the same byte for byte, however the registry moved since, and different where altered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select, text, update
from typer.testing import CliRunner, Result

from agreements.steps import Step, StepKind, document_digest, read_step, sign_step
from audit.tables import log_entries
from gateway.clock import system_clock
from gateway.simulation.replaying import NotReplayableError, Replay, replay
from gateway.store.agreements import StepWriter
from gateway.store.content_keys import OPENING, opened, with_keys
from gateway.store.registry import StatementWriter
from gateway.store.tables import alerts
from lacolle.cli import application
from lacolle.folder import read_jurisdictions
from lacolle.samples import World
from schemas.ids import AgreementId, AlertId, JurisdictionCode
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import STATEMENT, read_compact, sign_compact
from schemas.statements import read_statement
from schemas.submission import read_submission
from schemas.timestamps import utc_text
from tests.unit.gateway.ground import SQ
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample

NYSP = "us-ny.nysp"


@pytest.fixture
async def exchange(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield the sample exchange, in a folder of its own."""
    async with open_sample(world, tmp_path) as sample:
        yield sample


async def replayed(exchange: SampleExchange, alert_id: AlertId) -> Replay:
    """Return what a decision comes to anew, with the jurisdictions of the folder."""
    jurisdictions = read_jurisdictions(exchange.path / "jurisdictions.yaml")
    return await replay(exchange.ledger.store, exchange.contents, alert_id, jurisdictions)


async def reference_to(exchange: SampleExchange, alert_id: AlertId) -> str:
    """Return how another alert cites a stored one."""
    async with exchange.ledger.store.reading() as connection:
        row = (await connection.execute(with_keys(select(*OPENING)).where(alerts.c.alert_id == alert_id))).one()
    document = orjson.loads(read_submission(opened(exchange.contents, row)).alert_json())
    return f"{document['sender']},{document['identifier']},{document['sent']}"


async def stop_receiving(exchange: SampleExchange, participant: str) -> None:
    """Record an authority's newer statement, by which a participant receives no more."""
    home = JurisdictionCode(participant.partition(".")[0].upper())
    signed = (exchange.path / "statements" / f"{participant}.jws").read_bytes()
    document = {**orjson.loads(read_compact(signed, STATEMENT).payload), "roles": ["auditor"]}
    issued = int((system_clock() + timedelta(seconds=1)).timestamp())
    key = exchange.world.authorities[home]
    compact = sign_compact(canonical_bytes(document), key=key, profile=STATEMENT, iat=issued)
    statement = read_statement(compact, exchange.registry.jurisdictions)
    await exchange.ledger.committer.submit(StatementWriter(exchange.registry), statement)


async def suspend(exchange: SampleExchange, agreement: AgreementId) -> None:
    """Have Québec's authority suspend an agreement, as this process takes it."""
    (chapter,) = [each for name, each in exchange.registry.book.chapters.items() if name[0] == agreement]
    stated = Step(
        agreement=agreement,
        version=chapter.life.version,
        digest=document_digest(chapter.agreement.signed.payload),
        step=StepKind.SUSPENSION,
        party=JurisdictionCode("CA-QC"),
        at=utc_text(system_clock()),
    )
    signed = sign_step(stated, exchange.world.authorities[stated.party])
    made = read_step(signed, exchange.registry.jurisdictions)
    await exchange.ledger.committer.submit(StepWriter(exchange.registry), made)


async def test_a_decision_is_made_again(exchange: SampleExchange) -> None:
    """An alert and an update of its thread come to what the log says, from the inputs of which it has the digest."""
    first = await exchange.accept(identifier="R-1")
    second = await exchange.accept(identifier="R-2", msgType="Update", references=[await reference_to(exchange, first)])
    for alert_id in (first, second):
        told = await replayed(exchange, alert_id)
        assert (told.same_inputs, told.same_decisions, told.differences) == (True, True, ())
        assert any(each.recipient == NYSP for each in told.decisions)


async def test_what_came_later_does_not_count(exchange: SampleExchange) -> None:
    """A recipient that left since is one of the candidates again; of an alert that came after it left, it is not."""
    before = await exchange.accept(identifier="R-1")
    await stop_receiving(exchange, NYSP)
    after = await exchange.accept(identifier="R-2")
    told, told_after = await replayed(exchange, before), await replayed(exchange, after)
    assert (
        (told.same_inputs, told.same_decisions) == (told_after.same_inputs, told_after.same_decisions) == (True, True)
    )
    assert NYSP in {each.recipient for each in told.decisions}
    assert NYSP not in {each.recipient for each in told_after.decisions}


async def test_what_this_process_was_told_counts_as_it_is_logged(exchange: SampleExchange) -> None:
    """A step counts from the log's instant of it where it was taken too, so what rests on it is the same anew."""
    for number, agreement in enumerate(("ca-qc.us-vt.law-enforcement", "ca-qc.us-me.law-enforcement")):
        await suspend(exchange, AgreementId(agreement))
        told = await replayed(exchange, await exchange.accept(identifier=f"R-{number}"))
        assert (told.same_inputs, told.same_decisions) == (True, True)


async def test_what_was_altered_shows(exchange: SampleExchange) -> None:
    """An agreement that is gone changes the inputs and the decisions; the recipients that it let through are named."""
    alert_id = await exchange.accept(identifier="R-1")
    async with exchange.ledger.store.writer.begin() as connection:
        await connection.execute(text("DELETE FROM agreements WHERE agreement = 'ca-qc.us-ny.crime-2008'"))
    told = await replayed(exchange, alert_id)
    assert (told.same_inputs, told.same_decisions) == (False, False)
    (difference,) = [each for each in told.differences if each.recipient == NYSP]
    assert difference.logged is not None
    assert difference.anew is not None
    assert "ca-qc.us-ny.crime-2008" in difference.logged.en
    assert "No clause lets" in difference.anew.en


async def test_an_entry_that_was_altered_shows(exchange: SampleExchange) -> None:
    """Where the log's own words on a recipient are changed, the inputs agree and the decisions do not."""
    alert_id = await exchange.accept(identifier="R-1")
    async with exchange.ledger.store.writer.begin() as connection:
        row = (await connection.execute(select(log_entries).where(log_entries.c.kind == "routed").limit(1))).one()
        content = row.content.replace(b'"lane":"urgent"', b'"lane":"routine"')
        assert content != row.content
        changed = update(log_entries).where(log_entries.c.log_index == row.log_index).values(content=content)
        await connection.execute(changed)
    told = await replayed(exchange, alert_id)
    assert (told.same_inputs, told.same_decisions, len(told.differences)) == (True, False, 1)


async def test_what_is_not_there_is_said(exchange: SampleExchange) -> None:
    """An id that no alert has is refused in words."""
    with pytest.raises(NotReplayableError):
        await replayed(exchange, AlertId("0197a8f0-0000-7000-8000-000000000000"))


async def test_the_command_says_whether_it_agrees(exchange: SampleExchange) -> None:
    """It ends with 0 where all agrees and with 1 where it differs, and says so in either language and as JSON."""
    alert_id = await exchange.accept(identifier="R-1", sender=SQ)
    await exchange.ledger.close()
    words = ["decision", "replay", alert_id, "--exchange", str(exchange.path)]
    told = await run(*words, "--json")
    assert (told.exit_code, orjson.loads(told.stdout)["decisions"]["same"]) == (0, True)
    assert "octet pour octet" in (await run(*words, "--lang", "fr")).stdout
    unknown = await run(*words[:2], "0197a8f0-0000-7000-8000-000000000000", *words[3:], "--lang", "en")
    assert (unknown.exit_code, "No accepted alert" in unknown.stderr) == (1, True)


async def run(*words: str) -> Result:
    """Run the command in a thread of its own, for it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, application(), list(words))

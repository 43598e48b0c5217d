"""Sources in the store: what an alert passes on, found again years later, whoever sent what at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path

import orjson
import pytest
from sqlalchemy import event, select, update

from audit.log import lock_head
from audit.tables import log_entries
from gateway.clock import system_clock
from gateway.simulation.replaying import NotReplayableError, replay
from gateway.store.consents import ConsentWriter, SignedConsent
from gateway.store.dispatches import HELD, PENDING, WITHHELD
from gateway.store.questions import find_question
from gateway.store.sources import Sources, find_sources
from gateway.store.tables import alerts, consent_requests, dispatches, mark_key
from lacolle.folder import read_jurisdictions
from lacolle.samples import World
from schemas.alerts.catalogue import parse_alert
from schemas.consents import Answer, Consent
from schemas.decisions import Onward
from schemas.ids import AlertId, ConsentId, KeyId, ParticipantId
from schemas.timestamps import utc_text
from tests.unit.gateway.ground import NYSP, SQ, VSP
from tests.unit.gateway.sample_exchange import SampleExchange, open_sample, sample_alert

VEHICLE = "stolen-vehicle"


@pytest.fixture
async def exchange(world: World, tmp_path: Path) -> AsyncIterator[SampleExchange]:
    """Yield the sample exchange, in a folder of its own."""
    async with open_sample(world, tmp_path) as opened:
        yield opened


def named(sender: ParticipantId, identifier: str) -> str:
    """Return how an alert names another in its references."""
    return f"{sender},{identifier},2026-11-22T12:00:00-05:00"


async def sent(
    exchange: SampleExchange, identifier: str, *references: str, sender: ParticipantId = SQ, msg_type: str = "Alert"
) -> AlertId:
    """Have a stolen vehicle accepted, and return its id."""
    return await exchange.accept(
        VEHICLE, sender=sender, identifier=identifier, msgType=msg_type, references=list(references)
    )


async def states(exchange: SampleExchange, recipient: ParticipantId = VSP) -> list[str]:
    """Return the states of all dispatches to a recipient, in the order of the log."""
    async with exchange.ledger.store.reading() as connection:
        of = select(dispatches.c.state).where(dispatches.c.recipient == recipient).order_by(dispatches.c.log_index)
        return list(await connection.scalars(of))


async def consent(exchange: SampleExchange, alert_id: AlertId) -> None:
    """Have all who are asked about an alert consent."""
    async with exchange.ledger.store.reading() as connection:
        of = select(consent_requests.c.consent_id).where(consent_requests.c.alert_id == alert_id)
        asked = {
            ConsentId(each): await find_question(connection, ConsentId(each)) for each in await connection.scalars(of)
        }
    writer = ConsentWriter(exchange.registry, on_routed=lambda _routes: None)
    for consent_id, question in asked.items():
        assert question is not None
        said = {"consent_id": consent_id, **question, "decision": Answer.GIVEN, "at": utc_text(system_clock())}
        word = SignedConsent(Consent.model_validate(said), KeyId("k:1"), b"compact", bytes(32))
        await exchange.ledger.committer.submit(writer, word)


async def in_one_batch(exchange: SampleExchange, *sending: Coroutine[None, None, AlertId]) -> list[AlertId]:
    """Have several sent while another holds the log, so that one transaction takes them, and return their ids."""
    async with exchange.ledger.store.writer.begin() as connection:
        await lock_head(connection)
        tasks = []
        for each in sending:
            tasks.append(asyncio.create_task(each))
            await asyncio.sleep(0.1)  # long enough to be decided: what can't be seen from here is their order
    return await asyncio.gather(*tasks)


async def found(
    exchange: SampleExchange, sender: ParticipantId, references: Sequence[str], **header: object
) -> Sources:
    """Return the sources of an alert that is not sent."""
    document = sample_alert(VEHICLE, now=system_clock(), sender=sender, references=list(references), **header)
    async with exchange.ledger.store.reading() as connection:
        return await find_sources(
            connection, exchange.contents.marks, parse_alert(orjson.loads(orjson.dumps(document)))
        )


async def is_replayed(exchange: SampleExchange, alert_id: AlertId) -> bool:
    """Say whether the decisions on an alert come to the same anew."""
    jurisdictions = read_jurisdictions(exchange.path / "jurisdictions.yaml")
    told = await replay(exchange.ledger.store, exchange.contents, alert_id, jurisdictions)
    return told.same_inputs and told.same_decisions


async def test_what_a_source_passed_on_is_passed_on_too(exchange: SampleExchange) -> None:
    """Vermont's alert of Québec's of New York's has both for sources, the latter handled as what it came in is."""
    await sent(exchange, "NY-1", sender=NYSP)
    through = await sent(exchange, "QC-1", named(NYSP, "NY-1"))
    await consent(exchange, through)
    (direct, beyond) = (await found(exchange, VSP, [named(SQ, "QC-1")])).binding
    assert (direct.name, direct.through) == (f"ca-qc.sq,{through}", ())
    assert (beyond.name, beyond.through, beyond.handling) == ("us-ny.nysp", (SQ,), direct.handling)
    assert direct.handling is not None
    assert direct.handling.onward is Onward.WITH_CONSENT
    both = await found(exchange, VSP, [named(SQ, "QC-1"), named(NYSP, "NY-1")])
    assert both.binding == (direct, beyond)
    (unknown,) = (await found(exchange, VSP, [named(NYSP, "NY-1")])).binding
    assert unknown.handling is None
    passing = await sent(exchange, "VT-1", named(SQ, "QC-1"), sender=VSP)
    assert await is_replayed(exchange, passing)
    again = await found(exchange, VSP, [named(VSP, "VT-1")])
    assert again.binding == (direct, beyond)


async def test_what_named_its_sources_otherwise_is_not_made_again(exchange: SampleExchange) -> None:
    """What an earlier version decided, with identifiers in its reasons, is said not to be replayable, not to differ."""
    await sent(exchange, "NY-1", sender=NYSP)
    alone = await sent(exchange, "QC-1")
    passing = await sent(exchange, "QC-2", named(NYSP, "NY-1"))
    async with exchange.ledger.store.writer.begin() as connection:
        await connection.execute(update(mark_key).values(since=10_000))
    assert await is_replayed(exchange, alone)
    with pytest.raises(NotReplayableError, match="identifiers"):
        await is_replayed(exchange, passing)


async def test_an_originator_is_no_source_of_its_own(exchange: SampleExchange) -> None:
    """What comes back to its originator in another's alert is its own, and it asks nobody about that."""
    await sent(exchange, "QC-1")
    back = await sent(exchange, "NY-1", named(SQ, "QC-1"), sender=NYSP)
    sources = await found(exchange, SQ, [named(NYSP, "NY-1")])
    assert [each.name for each in sources.binding] == [f"us-ny.nysp,{back}"]


async def test_what_is_named_before_it_comes_does_not_count(exchange: SampleExchange) -> None:
    """An alert that names a later one of its sender's is decided anew without what that one's thread passed on."""
    await sent(exchange, "NY-1", sender=NYSP)
    await sent(exchange, "QC-1", named(NYSP, "NY-1"))
    early = await sent(exchange, "QC-2", named(SQ, "QC-3"))
    await sent(exchange, "QC-3", named(SQ, "QC-1"), msg_type="Update")
    assert await is_replayed(exchange, early)


async def test_a_source_of_the_same_moment_is_known(exchange: SampleExchange) -> None:
    """An alert that comes at once with its source is decided once that is stored: as the log's order says."""
    _, passing = await in_one_batch(
        exchange, sent(exchange, "NY-1", sender=NYSP), sent(exchange, "QC-1", named(NYSP, "NY-1"))
    )
    assert await is_replayed(exchange, passing)


async def test_what_waits_of_the_same_moment_is_overtaken(exchange: SampleExchange) -> None:
    """An Update that passes something on and the Cancel that comes at once with it: nothing waits after the Cancel."""
    york = await sent(exchange, "NY-1", sender=NYSP)
    first = await sent(exchange, "QC-1")
    update, cancel = await in_one_batch(
        exchange,
        sent(exchange, "QC-2", named(SQ, "QC-1"), named(NYSP, "NY-1"), msg_type="Update"),
        sent(exchange, "QC-3", named(SQ, "QC-1"), msg_type="Cancel"),
    )
    async with exchange.ledger.store.reading() as connection:
        order = list(await connection.scalars(select(alerts.c.alert_id).order_by(alerts.c.log_index)))
    assert order == [york, first, update, cancel]
    assert await states(exchange) == [PENDING, WITHHELD, PENDING]
    assert await is_replayed(exchange, update)
    assert await is_replayed(exchange, cancel)


async def test_all_threads_of_a_cancel_are_over(exchange: SampleExchange) -> None:
    """Where a Cancel names alerts of several threads, what waits of any of them waits no more."""
    await sent(exchange, "NY-1", sender=NYSP)
    await sent(exchange, "QC-1")
    await sent(exchange, "QC-2", named(NYSP, "NY-1"))
    assert await states(exchange) == [PENDING, HELD]
    await sent(exchange, "QC-3", named(SQ, "QC-1"), named(SQ, "QC-2"), msg_type="Cancel")
    assert await states(exchange) == [PENDING, WITHHELD, PENDING]


async def test_a_thousand_made_up_sources_are_one_question(exchange: SampleExchange) -> None:
    """However many senders an alert names, the store is asked a few times: it holds the log while it is."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(exchange.ledger.store.reader.sync_engine, "before_cursor_execute", hear)
    references = [named(ParticipantId(f"us-ny.a{number}"), "X") for number in range(1000)]
    sources = await found(exchange, SQ, references)
    assert len(sources.binding) == len(references)
    assert len(asked) <= 3


async def test_no_reason_names_an_identifier(exchange: SampleExchange) -> None:
    """Why nothing is passed on is said of an id, or of a sender, and the entries have neither identifier in them."""
    york = await sent(exchange, "NY-Gagnon", sender=NYSP)
    await sent(exchange, "QC-1", named(NYSP, "NY-Gagnon"), named(VSP, "VT-Tremblay"))
    await sent(exchange, "QC-2", named(NYSP, "NY-Gagnon"))
    async with exchange.ledger.store.reading() as connection:
        entries = b"".join(await connection.scalars(select(log_entries.c.content)))
    assert b'"source":"us-vt.vsp"' in entries
    assert york.encode() in entries
    for words in (b"Gagnon", b"Tremblay"):
        assert words not in entries

"""Reading an alert back: who sees it, how much of it, and that what is another's is as absent as what is not there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import event

from agreements import reasons
from audit.entry import commitment
from gateway.backoff import Backoff
from gateway.store.acknowledgements import AcknowledgementWriter, SignedAcknowledgement
from gateway.store.dispatches import OutcomeWriter
from gateway.store.reader import Reader
from gateway.store.reading import read_alert, read_alert_by_name
from schemas.decisions import Deny
from schemas.evidence import Acknowledgement, AcknowledgementStatus
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, ParticipantId, home_of
from schemas.parcels import Delivered, OutcomeReport
from schemas.signing.canonical import canonical_plain_bytes
from tests.unit.gateway.ground import (
    KID,
    NYSP,
    SQ,
    START,
    VSP,
    Ground,
    acceptance,
    acceptances,
    accepted,
    contents,
    permit,
)

MSP = ParticipantId("us-me.msp")
NO_AGREEMENT = reasons.no_agreement(JurisdictionCode("CA-QC"), JurisdictionCode("US-ME"))


def reader(participant: str, *, auditor: bool = False) -> Reader:
    """Return who asks."""
    name = ParticipantId(participant)
    return Reader(name, home_of(name), auditor)


@dataclass(slots=True)
class Record:
    """One alert of Québec's police: to New York and Vermont, and not to Maine."""

    ground: Ground
    alert_id: AlertId

    async def seen_by(self, who: Reader) -> dict[str, Any] | None:
        """Return what somebody reads of it."""
        async with self.ground.store.reading() as connection:
            by_id = await read_alert(connection, contents(), who, alert_id=self.alert_id)
            by_name = await read_alert_by_name(connection, contents(), who, sender=SQ, identifier="A-1")
        assert by_id == by_name
        return by_id

    async def read_by(self, who: Reader) -> dict[str, Any]:
        """Return what somebody reads who may."""
        seen = await self.seen_by(who)
        assert seen is not None
        return seen


@pytest.fixture
async def record(ground: Ground) -> Record:
    """Return the alert, among others that concern nobody here."""
    denied = Deny(MSP, JurisdictionCode("US-ME"), NO_AGREEMENT)
    item = replace(acceptance("A-1"), decisions=(permit(NYSP), permit(VSP), denied))
    alert_id, _, _ = await accepted(
        ground, item, acceptance("A-2", permit(SQ), sender=NYSP), acceptance("A-3", permit(MSP))
    )
    return Record(ground, alert_id)


def named(decisions: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return who was permitted and who denied."""
    return {(each["participant"], each["decision"]) for each in decisions}


EVERYTHING = {(NYSP, "permit"), (VSP, "permit"), (MSP, "deny")}


@pytest.mark.parametrize(
    ("who", "decisions", "deliveries"),
    [
        (reader("ca-qc.sq"), EVERYTHING, {NYSP, VSP}),
        (reader("ca-qc.cai", auditor=True), EVERYTHING, {NYSP, VSP}),
        (reader("us-ny.nysp"), {(NYSP, "permit")}, {NYSP}),
        (reader("us-ny.inspector", auditor=True), {(NYSP, "permit")}, {NYSP}),
        (reader("us-vt.vsp"), {(VSP, "permit")}, {VSP}),
    ],
    ids=["sender", "its auditor", "recipient", "its auditor", "other recipient"],
)
async def test_each_sees_what_concerns_it(
    record: Record, who: Reader, decisions: set[tuple[str, str]], deliveries: set[str]
) -> None:
    """The sender and its auditor see every decision; a recipient and its auditor their own, and nobody else's."""
    seen = await record.read_by(who)
    assert named(seen["decisions"]) == decisions
    assert {each["participant"] for each in seen["deliveries"]} == deliveries
    assert (seen["alert_id"], seen["identifier"], seen["log_index"]) == (record.alert_id, "A-1", 0)
    assert (seen["log_entry"] is not None) == (decisions == EVERYTHING)


@pytest.mark.parametrize(
    "who",
    [
        reader("us-me.msp"),
        reader("us-me.inspector", auditor=True),
        reader("ca-qc.msp"),
        reader("ca-qc.cai"),
        reader("us-ny.doh"),
        reader("ca.phac"),
        reader("ca.commissioner", auditor=True),
        reader("us.inspector", auditor=True),
    ],
    ids=lambda who: who.participant,
)
async def test_what_does_not_concern_one_is_not_there(record: Record, who: Reader) -> None:
    """Who was denied, another agency of the same jurisdiction, an auditor of a parent: the alert is absent to them."""
    assert await record.seen_by(who) is None


async def test_what_is_not_there_is_not_there(record: Record) -> None:
    """An id and a name that nobody gave are absent to the sender too."""
    async with record.ground.store.reading() as connection:
        who = reader("ca-qc.sq")
        assert (
            await read_alert(connection, contents(), who, alert_id=AlertId("01900000-0000-7000-8000-000000000000"))
            is None
        )
        assert await read_alert(connection, contents(), who, alert_id=AlertId("%")) is None
        for identifier in ("A-4", "a-1", "A-_", "%", ""):
            assert await read_alert_by_name(connection, contents(), who, sender=SQ, identifier=identifier) is None


async def test_a_jurisdiction_is_no_pattern(record: Record) -> None:
    """An auditor whose jurisdiction's code holds a wildcard, or begins another's, audits nobody by it."""
    for code in ("%", "CA-Q_", "U", "CA"):
        who = Reader(ParticipantId("x.auditor"), JurisdictionCode(code), auditor=True)
        assert await record.seen_by(who) is None


async def test_reasons_are_in_both_languages(record: Record) -> None:
    """Every decision is explained in words, French and English."""
    seen = await record.read_by(reader("ca-qc.sq"))
    for decision in seen["decisions"]:
        assert decision["reason"]["fr"] != decision["reason"]["en"]
        assert len(decision["reason"]["fr"]) > 10


async def test_the_entry_gives_the_public_commitment(record: Record) -> None:
    """With the salt and the entry, the sender computes what the public log shows at the receipt's index."""
    logged = (await record.read_by(reader("ca-qc.sq")))["log_entry"]
    content = canonical_plain_bytes(logged["entry"])
    assert commitment(bytes.fromhex(logged["salt"]), content).hex() == logged["commitment"]
    assert logged["index"] == logged["entry"]["index"] == 0


async def test_the_state_follows_the_deliveries(record: Record) -> None:
    """In progress while any delivery that one sees is open, settled after; each with its outcome and its time."""
    outcomes = OutcomeWriter(Backoff())
    rows = {row.recipient: row for row in await record.ground.dispatches() if row.alert_id == record.alert_id}
    for recipient, state in ((NYSP, "in-progress"), (VSP, "settled")):
        row = rows[recipient]
        report = OutcomeReport(DeliveryId(row.delivery_id), record.alert_id, recipient, 1, START, Delivered("http 204"))
        await record.ground.committer.submit(outcomes, report)
        seen = await record.read_by(reader("ca-qc.sq"))
        assert seen["state"] == state
        assert (await record.read_by(reader(recipient)))["state"] == "settled"
    (delivery,) = (await record.read_by(reader("us-vt.vsp")))["deliveries"]
    assert (delivery["state"], delivery["detail"], delivery["attempts"]) == ("delivered", "http 204", 1)
    assert (delivery["settled"], delivery["deadline"]) == ("2026-11-22T12:00:00.000Z", "2026-11-22T13:00:00.000Z")


async def test_a_partner_s_word_stands_with_its_delivery(record: Record) -> None:
    """An acknowledgement is shown, as signed, to whoever sees the delivery, and to nobody else."""
    (row,) = [row for row in await record.ground.dispatches() if row.recipient == NYSP]
    word = Acknowledgement(
        alert_id=record.alert_id,
        delivery_id=row.delivery_id,
        participant=NYSP,
        status=AcknowledgementStatus.READ,
        at="2026-11-22T12:00:01.000Z",
    )
    signed = SignedAcknowledgement(word, KID, b"a.b.c", hashlib.sha256(b"a.b.c").digest())
    recorded = await record.ground.committer.submit(AcknowledgementWriter(contents()), signed)
    for who in ("ca-qc.sq", "us-ny.nysp"):
        seen = await record.read_by(reader(who))
        (delivery,) = [each for each in seen["deliveries"] if each["participant"] == NYSP]
        assert delivery["acknowledgements"] == [
            {"status": "read", "at": word.at, "log_index": recorded.log_index, "signed": "a.b.c"}
        ]
    assert "a.b.c" not in str(await record.read_by(reader("us-vt.vsp")))


async def test_the_first_answer_is_found_by_name_and_payload(record: Record) -> None:
    """Only the very payload gets the answer again; another sender, name or payload gets none."""
    item, writer = acceptance("A-1"), acceptances()
    async with record.ground.store.reading() as connection:
        found = await writer.first_answer(connection, item.alert, payload_digest=item.payload_digest)
        assert found is not None
        assert (found.alert_id, found.replayed) == (record.alert_id, True)
        for other, payload in (
            (acceptance("A-1", sender=VSP), item.payload_digest),
            (acceptance("A-2"), item.payload_digest),
            (item, b"\x00" * 32),
        ):
            assert await writer.first_answer(connection, other.alert, payload_digest=payload) is None


async def test_reading_back_reads_no_table_from_end_to_end(record: Record) -> None:
    """Whatever else was ever accepted or asked, one alert is found by indices: its sender's reading stays as fast."""
    statements: list[tuple[str, Any]] = []

    def hear(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401 - the driver's
        statements.append((statement, parameters))

    engine = record.ground.store.reader.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    await record.read_by(reader(SQ))
    event.remove(engine, "before_cursor_execute", hear)
    asked = [each for each in statements if each[0].startswith("SELECT")]
    assert asked
    async with record.ground.store.reading() as connection:
        for statement, parameters in asked:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert not [step.detail for step in plan if step.detail.startswith("SCAN")]

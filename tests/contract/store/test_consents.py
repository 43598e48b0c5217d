"""Consent before release, over every database: what waits, what lets it go, what ends it, and who learns of it when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from agreements.book import Book
from audit.log import lock_head
from gateway.errors import ConsentClosedError, NotFoundError, OvertakenError
from gateway.store.acknowledgements import AcknowledgementWriter, SignedAcknowledgement
from gateway.store.committer import Batch
from gateway.store.consents import Answered, ConsentWriter, LapseWriter, SignedConsent, lapsed
from gateway.store.dispatches import HELD, PENDING, WITHHELD, Route
from gateway.store.due import due, routes_since
from gateway.store.owed import overdue_acknowledgements
from gateway.store.questions import find_question, read_question, read_questions
from gateway.store.reader import Reader
from gateway.store.reading import read_alert
from gateway.store.tables import consent_requests
from gateway.store.threads import find_thread
from gateway.store.withholding import Lapsed, WithholdingWriter, waiting_ways
from gateway.trust.assay import Assayed
from gateway.trust.registry import CurrentRegistry
from schemas.consents import Answer, Consent
from schemas.decisions import Lane, Reason, Terms
from schemas.evidence import Acknowledgement
from schemas.ids import AgreementId, AlertId, ConsentId, DeliveryId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import ALERT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.timestamps import utc_text
from tests.unit.gateway.ground import (
    KID,
    NYSP,
    SQ,
    VSP,
    Ground,
    acceptance,
    acceptances,
    accepted,
    agreed,
    contents,
    permit,
    stolen_vehicle,
)

RCMP = ParticipantId("ca.rcmp")
SENDERS_KEY = SigningKey.generate(KID, "Ed25519")
ASKED = Terms(consent_by=("US-VT", "ca.rcmp"), consent_within=600)


@dataclass(slots=True)
class Desk:
    """A ground with one alert for two recipients, one of whom awaits consent."""

    ground: Ground
    alert_id: AlertId
    held: DeliveryId
    routed: list[Route]
    writer: ConsentWriter
    registry: CurrentRegistry

    async def questions(self) -> dict[str, ConsentId]:
        """Return each question's id by who is asked."""
        async with self.ground.store.reading() as connection:
            rows = await connection.execute(select(consent_requests))
            return {row.asked: ConsentId(row.consent_id) for row in rows}

    async def answer(self, asked: str, decision: Answer = Answer.GIVEN) -> Answered:
        """Answer as one who is asked."""
        consent_id = (await self.questions())[asked]
        async with self.ground.store.reading() as connection:
            question = await find_question(connection, consent_id)
        assert question is not None
        at = utc_text(self.ground.clock.now)
        consent = Consent.model_validate({"consent_id": consent_id, **question, "decision": decision, "at": at})
        signed = SignedConsent(consent, KeyId("k:1"), b"compact", bytes(32))
        return await self.ground.committer.submit(self.writer, signed)

    async def state(self) -> str:
        """Return the held dispatch's state."""
        return str((await self.ground.dispatch(self.held)).state)

    async def due(self) -> Sequence[str]:
        """Return what is due to the one who waits."""
        async with self.ground.store.reading() as connection:
            rows = await due(connection, Route(NYSP, Lane.URGENT), now_ms=self.ground.clock.ms, limit=10)
        return [row.delivery_id for row in rows]

    async def seen(self, reader: Reader) -> dict[str, Any] | None:
        """Return what a reader sees of the alert."""
        async with self.ground.store.reading() as connection:
            return await read_alert(connection, contents(), reader, alert_id=self.alert_id)


def awaiting(recipient: ParticipantId = NYSP) -> Any:  # noqa: ANN401 - replace() says no more
    """Return a permit that awaits consent."""
    return replace(permit(recipient, Lane.URGENT), terms=ASKED)


def reader(name: ParticipantId, *, auditor: bool = False) -> Reader:
    """Return a participant who reads."""
    return Reader(name, home_of(name), auditor)


@pytest.fixture
async def desk(ground: Ground) -> Desk:
    """Return the desk, with the alert accepted."""
    submission = sign_compact(canonical_bytes(stolen_vehicle("A-1")), key=SENDERS_KEY, profile=ALERT, iat=1_800_000_000)
    item = replace(acceptance("A-1", awaiting(), permit(VSP)), submission=submission)
    (alert_id,) = await accepted(ground, item)
    (row,) = [row for row in await ground.dispatches() if row.recipient == NYSP]
    routed: list[Route] = []
    registry = agreed()
    return Desk(
        ground,
        alert_id,
        DeliveryId(row.delivery_id),
        routed,
        ConsentWriter(registry, on_routed=routed.extend),
        registry,
    )


async def test_nothing_goes_out_and_nothing_is_learnt_before_consent(desk: Desk) -> None:
    """The dispatch is held, its recipient's jurisdiction is no party to any entry, and the recipient sees nothing."""
    assert await desk.state() == HELD
    assert await desk.due() == []
    entries = await desk.ground.entries()
    assert [entry["kind"] for entry in entries] == ["accepted", "consent-requested", "routed"]
    assert entries[0]["jurisdictions"] == ["CA-QC", "US-VT"]
    assert entries[1]["jurisdictions"] == ["CA", "CA-QC", "US-VT"]
    assert [each["asked"] for each in entries[1]["content"]["requests"]] == ["US-VT", "ca.rcmp"]
    assert await desk.seen(reader(NYSP)) is None
    assert await desk.seen(reader(ParticipantId("us-ny.aud"), auditor=True)) is None
    whole = await desk.seen(reader(SQ))
    assert whole is not None
    assert {each["participant"]: each["state"] for each in whole["deliveries"]} == {NYSP: HELD, VSP: PENDING}
    assert [each["decision"] for each in whole["decisions"]] == ["permit", "permit"]
    assert whole["state"] == "in-progress"


async def test_all_must_consent_and_then_it_goes(desk: Desk) -> None:
    """One answer of two changes nothing; with the last it is due, routed in the log, and its recipient may see it."""
    first = await desk.answer("ca.rcmp")
    assert not first.replayed
    assert (await desk.state(), desk.routed) == (HELD, [])
    size = len(await desk.ground.entries())
    desk.ground.clock.advance(1)
    await desk.answer("US-VT")
    assert await desk.state() == PENDING
    assert await desk.due() == [desk.held]
    assert desk.routed == [Route(NYSP, Lane.URGENT)]
    given, routed = (await desk.ground.entries())[-2:]
    assert (given["kind"], given["actor"], given["content"]["by"]) == ("consent-given", None, "US-VT")
    assert routed["kind"] == "routed"
    assert routed["jurisdictions"] == ["CA-QC", "US-NY"]
    assert routed["content"]["reason"]["code"] == "consented"
    async with desk.ground.store.reading() as connection:
        assert Route(NYSP, Lane.URGENT) in await routes_since(connection, size)
    seen = await desk.seen(reader(NYSP))
    assert seen is not None
    assert [each["participant"] for each in seen["decisions"]] == [NYSP]
    whole = await desk.seen(reader(SQ))
    assert whole is not None
    assert len(whole["decisions"]) == 2
    (delivery,) = [each for each in whole["deliveries"] if each["participant"] == NYSP]
    assert [(each["asked"], each["state"]) for each in delivery["consents"]] == [
        ("US-VT", "given"),
        ("ca.rcmp", "given"),
    ]
    assert all("consents" not in each for each in seen["deliveries"])


async def test_one_refusal_ends_it(desk: Desk) -> None:
    """Whatever others said, it is withheld; the recipient's jurisdiction is no party, and nobody else is asked."""
    await desk.answer("US-VT")
    await desk.answer("ca.rcmp", Answer.REFUSED)
    assert await desk.state() == WITHHELD
    refused, withheld = (await desk.ground.entries())[-2:]
    assert (refused["kind"], refused["actor"]) == ("consent-refused", RCMP)
    assert refused["jurisdictions"] == ["CA", "CA-QC"]
    assert (withheld["kind"], withheld["jurisdictions"]) == ("withheld", ["CA-QC"])
    assert withheld["content"]["withheld"][0]["reason"]["code"] == "consent-refused"
    assert await desk.seen(reader(NYSP)) is None
    assert await desk.due() == []


async def test_the_same_answer_again_changes_nothing_and_another_is_refused(desk: Desk) -> None:
    """The first word stands."""
    first = await desk.answer("ca.rcmp")
    size = len(await desk.ground.entries())
    again = await desk.answer("ca.rcmp")
    assert (again.log_index, again.replayed) == (first.log_index, True)
    with pytest.raises(ConsentClosedError):
        await desk.answer("ca.rcmp", Answer.REFUSED)
    assert len(await desk.ground.entries()) == size


async def test_what_is_not_answered_in_time_lapses(desk: Desk) -> None:
    """At the deadline, not before, it is withheld, with the names of those who were silent; then nobody is asked."""
    await desk.answer("US-VT")
    lapses = LapseWriter()
    desk.ground.clock.advance(599.9)
    async with desk.ground.store.reading() as connection:
        assert await lapsed(connection, now_ms=desk.ground.clock.ms, limit=10) == []
    assert await desk.ground.committer.submit(lapses, desk.held) is None
    desk.ground.clock.advance(0.1)
    with pytest.raises(ConsentClosedError):
        await desk.answer("ca.rcmp")
    async with desk.ground.store.reading() as connection:
        assert await lapsed(connection, now_ms=desk.ground.clock.ms, limit=10) == [desk.held]
    settled = await desk.ground.committer.submit(lapses, desk.held)
    assert settled is not None
    assert settled.state == WITHHELD
    said, withheld = (await desk.ground.entries())[-2:]
    assert (said["kind"], said["content"]["by"]) == ("consent-lapsed", ["ca.rcmp"])
    assert said["jurisdictions"] == ["CA", "CA-QC"]
    assert withheld["jurisdictions"] == ["CA-QC"]
    async with desk.ground.store.reading() as connection:
        assert await lapsed(connection, now_ms=desk.ground.clock.ms, limit=10) == []
    assert await desk.ground.committer.submit(lapses, desk.held) is None


async def test_a_later_alert_of_the_thread_takes_its_place(desk: Desk) -> None:
    """What is still held when its thread goes on is withheld, and no consent can let it go any more."""
    later = acceptance("A-2", permit(VSP), thread=desk.alert_id, reached={VSP: permit(VSP).under})
    (later_id,) = await accepted(desk.ground, later)
    assert await desk.state() == WITHHELD
    withheld = (await desk.ground.entries())[-1]
    assert withheld["kind"] == "withheld"
    assert withheld["content"]["withheld"][0]["reason"] == {"code": "overtaken", "arguments": {"later": later_id}}
    with pytest.raises(ConsentClosedError):
        await desk.answer("ca.rcmp")


async def test_what_is_held_reaches_nobody_until_it_is_released(desk: Desk) -> None:
    """A thread has reached whom its copies were released to, as of the release."""

    async def reached(before: int | None = None) -> set[ParticipantId]:
        async with desk.ground.store.reading() as connection:
            thread = await find_thread(connection, contents().marks, sender=SQ, identifiers=["A-1"], before=before)
        assert thread is not None
        return set(thread.reached)

    assert await reached() == {VSP}
    await desk.answer("ca.rcmp")
    await desk.answer("US-VT")
    assert await reached() == {NYSP, VSP}
    released = (await desk.ground.entries())[-1]["index"]
    assert await reached(released) == {VSP}
    assert await reached(released + 1) == {NYSP, VSP}


async def test_what_lapses_with_its_agreement_while_it_is_held_stays_unknown(desk: Desk) -> None:
    """The watch over agreements sees what is held too; the recipient's jurisdiction is no party to the end."""
    async with desk.ground.store.reading() as connection:
        assert NYSP in {way.recipient for way in await waiting_ways(connection)}
    why = Reason("expired", (("valid_until", "2026-11-22T12:00:00Z"),))
    settled = await desk.ground.committer.submit(WithholdingWriter(), Lapsed(desk.held, why))
    assert settled is not None
    assert settled.state == WITHHELD
    assert (await desk.ground.entries())[-1]["jurisdictions"] == ["CA-QC"]
    with pytest.raises(ConsentClosedError):
        await desk.answer("ca.rcmp")


async def test_no_consent_counts_under_an_agreement_that_has_lapsed(desk: Desk) -> None:
    """Before the watch comes by too: nothing is routed after it lapsed, and the recipient never learns of it."""
    await desk.answer("ca.rcmp")
    found = desk.registry.found
    desk.registry.hold(replace(found, altered={AgreementId("ca-qc.us-ny.test"): "missing"}))
    with pytest.raises(ConsentClosedError):
        await desk.answer("US-VT")
    assert await desk.state() == HELD
    assert (await desk.ground.kinds())[-1] == "consent-given"
    assert await desk.seen(reader(NYSP)) is None
    desk.registry.hold(Assayed(Book.of([])))
    with pytest.raises(ConsentClosedError):
        await desk.answer("US-VT")
    desk.registry.hold(found)
    await desk.answer("US-VT")
    assert await desk.state() == PENDING


async def test_an_answer_waits_for_what_its_own_batch_changes(desk: Desk) -> None:
    """Where the registry moves in the batch that would take it, an answer is taken after that or not at all."""

    class Moving:
        """Moves the registry on."""

        async def write(self, batch: Batch, items: Sequence[None]) -> Sequence[None]:
            """Stage a newer version."""
            desk.registry.stage(batch).version += 1
            return [None for _ in items]

    async with desk.ground.store.writer.begin() as connection:
        await lock_head(connection)
        moving = asyncio.create_task(desk.ground.committer.submit(Moving(), None))
        await asyncio.sleep(0.1)
        answering = asyncio.create_task(desk.answer("ca.rcmp"))
        await asyncio.sleep(0.1)
    await moving
    with pytest.raises(OvertakenError):
        await answering
    assert "consent-given" not in await desk.ground.kinds()


async def test_an_acknowledgement_is_owed_from_the_release(ground: Ground) -> None:
    """Whoever could not know of an alert is not late with its word: the time begins when consent lets it go."""
    terms = replace(ASKED, consent_by=("ca.rcmp",), acknowledge_within=60)
    (alert_id,) = await accepted(ground, acceptance("A-1", replace(permit(NYSP, Lane.URGENT), terms=terms)))
    (row,) = await ground.dispatches()
    held = DeliveryId(row.delivery_id)
    desk = Desk(ground, alert_id, held, [], ConsentWriter(agreed(), on_routed=lambda _routes: None), agreed())

    async def overdue() -> Sequence[DeliveryId]:
        async with ground.store.reading() as connection:
            return await overdue_acknowledgements(connection, now_ms=ground.clock.ms, limit=10)

    ground.clock.advance(300)
    assert await overdue() == []
    await desk.answer("ca.rcmp")
    ground.clock.advance(59.9)
    assert await overdue() == []
    ground.clock.advance(0.1)
    assert await overdue() == [held]


async def test_a_held_copy_can_not_be_acknowledged(desk: Desk) -> None:
    """Nobody acknowledges what it must not know of: the delivery is not found."""
    word = Acknowledgement.model_validate(
        {
            "alert_id": desk.alert_id,
            "delivery_id": desk.held,
            "participant": NYSP,
            "status": "received",
            "at": utc_text(desk.ground.clock.now),
        }
    )
    with pytest.raises(NotFoundError):
        await desk.ground.committer.submit(
            AcknowledgementWriter(contents()), SignedAcknowledgement(word, KID, b"compact", bytes(32))
        )


async def test_those_who_are_asked_see_the_question_and_nobody_else_does(desk: Desk) -> None:
    """A participant sees its own, an auditor its jurisdiction's, the sender each; what the alert says is in none."""
    questions = await desk.questions()
    now_ms = desk.ground.clock.ms
    async with desk.ground.store.reading() as connection:
        (own,) = await read_questions(connection, contents(), reader(RCMP), open_at_ms=now_ms)
        (its,) = await read_questions(
            connection, contents(), reader(ParticipantId("us-vt.aud"), auditor=True), open_at_ms=now_ms
        )
        for stranger in (reader(NYSP), reader(VSP), reader(ParticipantId("ca.other"), auditor=True)):
            assert await read_questions(connection, contents(), stranger, open_at_ms=None) == []
            assert await read_question(connection, contents(), stranger, questions["ca.rcmp"]) is None
        assert await read_question(connection, contents(), reader(SQ), questions["ca.rcmp"]) == own
    assert (own["asked"], own["recipient"], own["state"], own["sender"]) == ("ca.rcmp", NYSP, "open", SQ)
    assert its["asked"] == JurisdictionCode("US-VT")
    assert own["deadline"] == "2026-11-22T12:10:00.000Z"
    assert own["handling"] == {"tlp": "AMBER", "codes": [], "purpose": "criminal-investigation"}
    await desk.answer("ca.rcmp")
    async with desk.ground.store.reading() as connection:
        assert await read_questions(connection, contents(), reader(RCMP), open_at_ms=now_ms) == []
        (answered,) = await read_questions(connection, contents(), reader(RCMP), open_at_ms=None)
    assert answered["state"] == "given"


async def test_the_answer_tells_the_sender_whose_consent_is_awaited(ground: Ground) -> None:
    """Beside a recipient who waits stand those who are asked and until when; beside the others nothing."""
    item = acceptance("A-1", awaiting(), permit(VSP))
    answer = await ground.committer.submit(acceptances(), item)
    assert answer.body.count(b'"awaits"') == 1
    assert b'"asked":"ca.rcmp"' in answer.body

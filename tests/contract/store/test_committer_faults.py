"""The crash matrix of the committer: each of its writes, lost and landed although it seemed to fail.

Whatever the database says of a commit, whoever tries again gets what a single success would have given it.
"""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.backoff import Backoff
from gateway.errors import LogUnavailableError
from gateway.store.acknowledgements import AcknowledgementWriter, SignedAcknowledgement
from gateway.store.committer import Committer
from gateway.store.dispatches import (
    DELIVERED,
    EXPIRED,
    PENDING,
    PUBLISHED,
    ExpiryWriter,
    OutcomeWriter,
    Published,
    PublishedWriter,
    Route,
)
from gateway.store.entries import AssertionWriter, EntryWriter, SpentAssertion
from gateway.trust.registry import CurrentRegistry
from schemas.decisions import Lane
from schemas.evidence import Acknowledgement, AcknowledgementStatus, read_receipt
from schemas.ids import DeliveryId, KeyId
from schemas.parcels import Deferred, Delivered, OutcomeReport
from schemas.registry import Registry
from schemas.signing.keys import SigningKey
from tests.contract.store.faults import Fate, Faults, failed_fsync, unreachable
from tests.unit.gateway.ground import (
    KID,
    NYSP,
    RECEIPT_KEY,
    START,
    VSP,
    Ground,
    acceptance,
    acceptances,
    accepted,
    contents,
    draft,
    enrolment_of,
    permit,
)
from tests.unit.gateway.test_registry import QC, jurisdiction, registered, revoked

FATES = pytest.mark.parametrize("fate", list(Fate), ids=lambda fate: fate.name.lower())


@FATES
async def test_a_submission_tried_again_is_one_alert(ground: Ground, faults: Faults, fate: Fate) -> None:
    """Lost, it is stored by the second try; landed, the second try gets the first answer. Either way there is one."""
    writer, item = acceptances(), acceptance("A-1", permit(NYSP), permit(VSP))
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, item)
    answer = await ground.committer.submit(writer, item)
    assert (answer.replayed, faults.met) == (fate is Fate.LANDED, 1)
    assert await ground.kinds() == ["accepted", "routed", "routed"]
    assert len(await ground.dispatches()) == 2
    receipt = read_receipt(orjson.loads(answer.body)["receipt"].encode(), RECEIPT_KEY.public)
    assert (receipt.alert_id, receipt.log_index) == (answer.alert_id, 0)
    assert (await ground.committer.submit(writer, item)).body == answer.body


@FATES
async def test_a_batch_tried_again_is_each_alert_once(ground: Ground, faults: Faults, fate: Fate) -> None:
    """Of a batch that fails nobody gets an answer, and everybody who tries again gets one alert."""
    writer, items = acceptances(), [acceptance(f"A-{number}", permit(NYSP)) for number in range(5)]
    faults.fail(fate, unreachable())
    first = await asyncio.gather(*(ground.committer.submit(writer, item) for item in items), return_exceptions=True)
    assert [type(result) for result in first] == [LogUnavailableError] * 5
    answers = await asyncio.gather(*(ground.committer.submit(writer, item) for item in items))
    assert [answer.replayed for answer in answers] == [fate is Fate.LANDED] * 5
    assert sorted(orjson.loads(answer.body)["log_index"] for answer in answers) == [0, 2, 4, 6, 8]
    assert await ground.kinds() == ["accepted", "routed"] * 5


@FATES
async def test_a_batch_that_breaks_otherwise_is_each_alert_once(ground: Ground, faults: Faults, fate: Fate) -> None:
    """An error that says nothing of the database has each item tried by itself, and answered, also what had landed."""
    writer, items = acceptances(), [acceptance(f"A-{number}", permit(NYSP)) for number in range(3)]
    faults.fail(fate, RuntimeError("nobody knows"))
    answers = await asyncio.gather(*(ground.committer.submit(writer, item) for item in items))
    assert [answer.replayed for answer in answers] == [fate is Fate.LANDED] * 3
    assert await ground.kinds() == ["accepted", "routed"] * 3


@FATES
async def test_a_landed_submission_is_routed_by_the_next_look(ground: Ground, faults: Faults, fate: Fate) -> None:
    """What is pending is found in the store, whether or not anybody was told when it was stored."""
    routed: list[Route] = []
    writer = acceptances(routed=routed)
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, acceptance("A-1", permit(NYSP)))
    assert routed == []
    assert [row.state for row in await ground.dispatches()] == ([PENDING] if fate is Fate.LANDED else [])
    await ground.committer.submit(writer, acceptance("A-1", permit(NYSP)))
    assert routed == ([] if fate is Fate.LANDED else [Route(NYSP, Lane.ROUTINE)])


@FATES
async def test_an_outcome_told_again_is_one_piece_of_evidence(ground: Ground, faults: Faults, fate: Fate) -> None:
    """The recorder tells an outcome until it is stored: there is one entry, and one state."""
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    (row,) = await ground.dispatches()
    report = OutcomeReport(DeliveryId(row.delivery_id), row.alert_id, NYSP, 1, START, Delivered("http 204"))
    writer = OutcomeWriter(Backoff())
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, report)
    settled = await ground.committer.submit(writer, report)
    assert settled is not None
    assert (settled.state, settled.changed) == (DELIVERED, fate is Fate.LOST)
    assert await ground.kinds() == ["accepted", "routed", "delivered"]


@FATES
async def test_a_deferral_told_again_is_one_retry(ground: Ground, faults: Faults, fate: Fate) -> None:
    """A deferral that landed is not counted, nor put off, a second time."""
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    (row,) = await ground.dispatches()
    report = OutcomeReport(DeliveryId(row.delivery_id), row.alert_id, NYSP, 1, START, Deferred("http 503"))
    writer = OutcomeWriter(Backoff())
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, report)
    stored = (await ground.dispatches())[0].due_ms
    await ground.committer.submit(writer, report)
    (row,) = await ground.dispatches()
    assert (row.state, row.attempts) == (PENDING, 1)
    assert row.due_ms >= ground.clock.ms + 500
    if fate is Fate.LANDED:
        assert row.due_ms == stored


@FATES
async def test_a_mark_that_fails_leaves_a_dispatch_that_goes_out_again(
    ground: Ground, faults: Faults, fate: Fate
) -> None:
    """Pending where the mark was lost, published where it landed; marking again is harmless either way."""
    await accepted(ground, acceptance("A-1", permit(NYSP)))
    (row,) = await ground.dispatches()
    mark, writer = [Published(DeliveryId(row.delivery_id), 1, due_ms=ground.clock.ms + 60_000)], PublishedWriter()
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, mark)
    assert (await ground.dispatches())[0].state == (PUBLISHED if fate is Fate.LANDED else PENDING)
    await ground.committer.submit(writer, mark)
    (row,) = await ground.dispatches()
    assert (row.state, row.attempts) == (PUBLISHED, 1)


@FATES
async def test_an_expiry_tried_again_is_one(ground: Ground, faults: Faults, fate: Fate) -> None:
    """The watch that looks again ends a delivery once."""
    await accepted(ground, acceptance("A-1", permit(NYSP), lasts=1))
    (row,) = await ground.dispatches()
    ground.clock.advance(1)
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(ExpiryWriter(), DeliveryId(row.delivery_id))
    again = await ground.committer.submit(ExpiryWriter(), DeliveryId(row.delivery_id))
    assert (again is None) == (fate is Fate.LANDED)
    assert (await ground.dispatches())[0].state == EXPIRED
    assert (await ground.kinds()).count("expired") == 1


@FATES
async def test_an_acknowledgement_said_again_is_one(ground: Ground, faults: Faults, fate: Fate) -> None:
    """A partner that tries again has its word in the log once, and is told where."""
    (alert_id,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    (row,) = await ground.dispatches()
    word = Acknowledgement(
        alert_id=alert_id,
        delivery_id=row.delivery_id,
        participant=NYSP,
        status=AcknowledgementStatus.READ,
        at="2026-11-22T12:00:00.000Z",
    )
    signed = SignedAcknowledgement(word, KID, b"a.b.c", b"\x00" * 32)
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(AcknowledgementWriter(contents()), signed)
    recorded = await ground.committer.submit(AcknowledgementWriter(contents()), signed)
    assert (recorded.log_index, recorded.replayed) == (2, fate is Fate.LANDED)
    assert (await ground.kinds()).count("acknowledged") == 1


@FATES
async def test_a_revocation_tried_again_counts(ground: Ground, faults: Faults, fate: Fate) -> None:
    """An authority that tries again has its word counted at once, also where the first try had landed unnoticed."""
    pinned = {QC: jurisdiction()}
    key = SigningKey.generate(KeyId("ca-qc.spvm:1"), "Ed25519")
    registry = CurrentRegistry(Registry.of(pinned, []))
    enrolment = enrolment_of(ground, registry)
    for compact, trusted in ((registered(key), True), (revoked(key), False)):
        faults.fail(fate, unreachable())
        with pytest.raises(LogUnavailableError):
            await enrolment.record(compact)
        _, recorded = await enrolment.record(compact)
        assert recorded.replayed == (fate is Fate.LANDED)
        assert (registry.registry.trusted_key(key.kid, ground.clock()) is not None) == trusted
    assert await ground.kinds() == ["participant-registered", "key-revoked"]


@FATES
async def test_an_assertion_that_may_have_been_spent_is_spent(ground: Ground, faults: Faults, fate: Fate) -> None:
    """Landed, it is refused, and the client makes another; it is never good twice."""
    writer, spent = AssertionWriter(), SpentAssertion(b"\x01" * 32, ground.clock.ms + 60_000)
    faults.fail(fate, unreachable())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, spent)
    assert await ground.committer.submit(writer, spent) == (fate is Fate.LOST)
    assert not await ground.committer.submit(writer, spent)


@FATES
async def test_the_log_goes_on_without_a_gap(ground: Ground, faults: Faults, fate: Fate) -> None:
    """After any number of failures the next entry's index is the number of entries there are."""
    writer = EntryWriter()
    for number in range(5):
        faults.fail(fate, unreachable(), after=number % 2)
        for _ in range(3):
            try:
                index = await ground.committer.submit(writer, draft("a"))
            except LogUnavailableError:
                continue
            assert index == len(await ground.entries()) - 1
    assert [entry["index"] for entry in await ground.entries()] == list(range(len(await ground.entries())))
    assert faults.met == 5


@FATES
async def test_a_failed_fsync_ends_the_committer(ground: Ground, faults: Faults, fate: Fate) -> None:
    """Storage that failed is not tried again: whoever waits, and whoever comes after, is refused; ``run`` raises."""
    writer = acceptances()
    faults.fail(fate, failed_fsync())
    results = await asyncio.gather(
        *(ground.committer.submit(writer, acceptance(f"A-{number}")) for number in range(300)), return_exceptions=True
    )
    assert {type(result) for result in results} == {LogUnavailableError}
    assert (faults.met, ground.batches) == (1, [])
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(writer, acceptance("A-9"))
    assert ground.committer.failure is not None
    with pytest.raises(type(ground.committer.failure)):
        await ground.writing


@FATES
async def test_the_next_process_reads_what_the_disk_has(ground: Ground, faults: Faults, fate: Fate) -> None:
    """After storage failed, a new committer on the same database gives the retry what a single success would have."""
    item = acceptance("A-1", permit(NYSP))
    faults.fail(fate, failed_fsync())
    with pytest.raises(LogUnavailableError):
        await ground.committer.submit(acceptances(), item)
    committer = Committer(ground.store.writer, clock=ground.clock, randomness=bytes)
    writing = asyncio.create_task(committer.run())
    answer = await committer.submit(acceptances(), item)
    committer.close()
    await writing
    assert answer.replayed == (fate is Fate.LANDED)
    assert await ground.kinds() == ["accepted", "routed"]


async def test_storage_that_fails_while_items_are_tried_one_by_one_is_not_tried_again(
    ground: Ground, faults: Faults
) -> None:
    """Where a batch is split and a part of it meets failed storage, no further part is written."""
    writer, items = acceptances(), [acceptance(f"A-{number}") for number in range(5)]
    faults.fail(Fate.LOST, RuntimeError("nobody knows"))
    faults.fail(Fate.LOST, failed_fsync(), after=1)
    results = await asyncio.gather(*(ground.committer.submit(writer, item) for item in items), return_exceptions=True)
    assert [isinstance(result, LogUnavailableError) for result in results] == [False, True, True, True, True]
    assert (await ground.kinds(), faults.met) == (["accepted"], 2)

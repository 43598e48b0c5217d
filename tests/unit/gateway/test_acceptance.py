"""Accepted alerts in the store: known by sender and identifier for good, with the answer they got the first time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from gateway.errors import IdentifierReusedError, UntrustedSignatureError
from gateway.store.dispatches import PENDING, Route
from gateway.store.tables import alerts
from schemas.decisions import Deny, Lane, Reason
from schemas.evidence import read_receipt
from schemas.ids import JurisdictionCode, KeyId
from tests.unit.gateway.ground import (
    NYSP,
    ORIGIN,
    RECEIPT_KEY,
    SQ,
    START,
    VSP,
    Ground,
    acceptance,
    acceptances,
    permit,
)


async def stored(ground: Ground) -> int:
    """Return how many alerts are stored."""
    async with ground.store.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(alerts)) or 0)


async def test_the_answer_is_the_receipt_of_what_was_stored(ground: Ground) -> None:
    """The answer names the alert, its index and its recipients, and its receipt says the same, signed."""
    item = acceptance("A-1", permit(NYSP, Lane.URGENT), permit(VSP))
    answer = await ground.committer.submit(acceptances(), item)
    body: dict[str, Any] = orjson.loads(answer.body)
    receipt = read_receipt(body["receipt"].encode(), RECEIPT_KEY.public)
    assert not answer.replayed
    assert (body["alert_id"], body["log_index"]) == (answer.alert_id, 0) == (receipt.alert_id, receipt.log_index)
    assert (receipt.sender, receipt.identifier, receipt.log_origin) == (SQ, "A-1", ORIGIN)
    assert receipt.digest == f"sha-256:{item.submission_digest.hex()}"
    assert receipt.received == "2026-11-22T12:00:00.000Z"
    assert body["recipients"] == [
        {"participant": NYSP, "agreement": "ca-qc.us-ny.test/1", "clause": "1.1", "lane": "urgent"},
        {"participant": VSP, "agreement": "ca-qc.us-ny.test/1", "clause": "1.1", "lane": "routine"},
    ]


async def test_the_log_tells_the_whole_decision(ground: Ground) -> None:
    """One entry for the alert, one for each recipient, one for all who were denied; each for its own parties."""
    denied = Deny(VSP, JurisdictionCode("US-VT"), Reason("no-agreement", (("home", "CA-QC"), ("destination", "US-VT"))))
    answer = await ground.committer.submit(
        acceptances(), replace(acceptance("A-1", permit(NYSP)), decisions=(permit(NYSP), denied))
    )
    accepted, routed, withheld = await ground.entries()
    assert [entry["kind"] for entry in (accepted, routed, withheld)] == ["accepted", "routed", "withheld"]
    assert {entry["alert_id"] for entry in (accepted, routed, withheld)} == {answer.alert_id}
    assert accepted["jurisdictions"] == routed["jurisdictions"] == ["CA-QC", "US-NY"]
    assert withheld["jurisdictions"] == ["CA-QC"]
    (dispatch,) = await ground.dispatches()
    assert routed["content"]["delivery_id"] == dispatch.delivery_id
    assert routed["content"]["reason"]["code"] == "granted"
    assert [each["recipient"] for each in withheld["content"]["withheld"]] == [VSP]


async def test_each_recipient_gets_a_dispatch_that_is_due(ground: Ground) -> None:
    """A permit becomes a pending dispatch, due at once, in its lane, with the alert's deadline; the relay is told."""
    routed: list[Route] = []
    item = acceptance("A-1", permit(NYSP, Lane.URGENT), permit(VSP), lasts=60)
    answer = await ground.committer.submit(acceptances(routed=routed), item)
    rows = {row.recipient: row for row in await ground.dispatches()}
    assert {(name, row.lane) for name, row in rows.items()} == {(NYSP, "urgent"), (VSP, "routine")}
    assert {(row.state, row.attempts, row.due_ms, row.deadline_ms) for row in rows.values()} == {
        (PENDING, 0, ground.clock.ms, ground.clock.ms + 60_000)
    }
    assert {(row.alert_id, row.thread, row.log_index) for row in rows.values()} == {
        (answer.alert_id, answer.alert_id, 0)
    }
    assert set(routed) == {Route(NYSP, Lane.URGENT), Route(VSP, Lane.ROUTINE)}


async def test_an_alert_without_recipients_is_stored_all_the_same(ground: Ground) -> None:
    """No permit is no reason to refuse: the alert is in the log, and nobody is told of a route."""
    routed: list[Route] = []
    answer = await ground.committer.submit(acceptances(routed=routed), acceptance("A-1"))
    assert orjson.loads(answer.body)["recipients"] == []
    assert (await ground.kinds(), await ground.dispatches(), routed) == (["accepted"], [], [])


async def test_the_same_payload_again_gets_the_first_answer(ground: Ground) -> None:
    """A repetition changes nothing and is answered byte for byte as the first time, whatever its signature."""
    writer = acceptances()
    first = await ground.committer.submit(writer, acceptance("A-1", permit(NYSP)))
    again = replace(
        acceptance("A-1", permit(VSP)), submission=b"another.signature.here", submission_digest=b"\x01" * 32
    )
    second = await ground.committer.submit(writer, again)
    assert (second.body, second.alert_id, second.replayed) == (first.body, first.alert_id, True)
    assert (await stored(ground), len(await ground.dispatches())) == (1, 1)


async def test_equal_submissions_in_one_batch_are_stored_once(ground: Ground) -> None:
    """Two connections that send the same alert at once get one alert; one of the two answers is the first."""
    writer = acceptances()
    answers = await asyncio.gather(
        *(ground.committer.submit(writer, acceptance("A-1", permit(NYSP))) for _ in range(5))
    )
    assert ground.batches == [5]
    assert [answer.replayed for answer in answers] == [False, True, True, True, True]
    assert len({answer.body for answer in answers}) == 1
    assert await ground.kinds() == ["accepted", "routed"]


async def test_a_name_is_never_given_to_other_content(ground: Ground) -> None:
    """The identifier of another payload is refused, in a later batch and in the same one."""
    writer = acceptances()
    first, other = await asyncio.gather(
        *(ground.committer.submit(writer, acceptance("A-1", content=content)) for content in ("one", "other")),
        return_exceptions=True,
    )
    assert not isinstance(first, BaseException)
    assert isinstance(other, IdentifierReusedError)
    with pytest.raises(IdentifierReusedError):
        await ground.committer.submit(writer, acceptance("A-1", content="third"))
    assert await stored(ground) == 1


async def test_a_name_is_its_senders_own(ground: Ground) -> None:
    """Two senders may use the same identifier."""
    writer = acceptances()
    for sender in (SQ, NYSP):
        answer = await ground.committer.submit(writer, acceptance("A-1", sender=sender))
        assert not answer.replayed
    assert await stored(ground) == 2


async def test_a_key_that_was_revoked_meanwhile_is_trusted_no_more(ground: Ground) -> None:
    """The key is looked up again within the transaction: a revoked one's alert is refused, its neighbour's not."""
    revoked = KeyId("revoked")
    writer = acceptances(trusted=lambda kid, batch: kid != revoked and batch.now == START)
    refused, taken = await asyncio.gather(
        ground.committer.submit(writer, acceptance("A-1", permit(NYSP), kid=revoked)),
        ground.committer.submit(writer, acceptance("A-2", permit(NYSP))),
        return_exceptions=True,
    )
    assert isinstance(refused, UntrustedSignatureError)
    assert not isinstance(taken, BaseException)
    assert (taken.replayed, await stored(ground)) == (False, 1)


async def test_a_revoked_key_does_not_hide_its_neighbour_of_the_same_name(ground: Ground) -> None:
    """Of two equal submissions in one batch, one by a revoked key, the other is the one that is stored."""
    revoked = KeyId("revoked")
    writer = acceptances(trusted=lambda kid, _batch: kid != revoked)
    refused, taken = await asyncio.gather(
        ground.committer.submit(writer, acceptance("A-1", kid=revoked)),
        ground.committer.submit(writer, acceptance("A-1")),
        return_exceptions=True,
    )
    assert isinstance(refused, UntrustedSignatureError)
    assert not isinstance(taken, BaseException)
    assert not taken.replayed


async def test_a_revoked_key_gets_no_replay(ground: Ground) -> None:
    """What a key was answered while it counted is not repeated to it after it was revoked."""
    await ground.committer.submit(acceptances(), acceptance("A-1"))
    with pytest.raises(UntrustedSignatureError):
        await ground.committer.submit(acceptances(trusted=lambda _kid, _batch: False), acceptance("A-1"))


async def test_ids_of_one_instant_differ(ground: Ground) -> None:
    """Alerts and deliveries made in the same millisecond have names of their own."""
    writer = acceptances()
    items = [acceptance(f"A-{number}", permit(NYSP), permit(VSP)) for number in range(100)]
    answers = await asyncio.gather(*(ground.committer.submit(writer, item) for item in items))
    deliveries = {row.delivery_id for row in await ground.dispatches()}
    assert len({answer.alert_id for answer in answers} | deliveries) == 300


async def test_a_warning_is_part_of_the_first_answer(ground: Ground) -> None:
    """What the sender was warned of the first time stands in every later answer."""
    writer = acceptances()
    item = replace(acceptance("A-1"), warnings=("unknown-reference",))
    first = await ground.committer.submit(writer, item)
    again = await ground.committer.submit(writer, replace(item, warnings=()))
    assert orjson.loads(first.body)["warnings"] == ["unknown-reference"]
    assert again.body == first.body

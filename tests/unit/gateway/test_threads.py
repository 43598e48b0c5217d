"""Threads in the store: which alert an Update belongs to, and whom its thread has reached."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import OvertakenError
from gateway.store.acceptance import Answer
from gateway.store.threads import find_thread
from schemas.ids import AgreementId
from tests.unit.gateway.ground import NYSP, SQ, VSP, Ground, acceptance, acceptances, accepted, contents, permit


async def test_a_thread_is_named_by_its_first_alert(ground: Ground) -> None:
    """An Update of an Update belongs to the thread of the Alert that both go back to."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    await accepted(ground, acceptance("A-2", permit(NYSP), thread=first))
    async with ground.store.reading() as connection:
        for identifiers in (["A-1"], ["A-2"], ["A-2", "A-1"], ["unknown", "A-2", "A-2"]):
            thread = await find_thread(connection, contents().marks, sender=SQ, identifiers=identifiers)
            assert thread is not None
            assert thread.first == first


async def test_a_thread_has_reached_whom_any_of_its_alerts_reached(ground: Ground) -> None:
    """Each recipient stands with the clause that last let the thread through to it."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP, clause="1.1"), permit(VSP, clause="2.1")))
    await accepted(ground, acceptance("A-2", permit(NYSP, clause="1.2"), thread=first))
    async with ground.store.reading() as connection:
        thread = await find_thread(connection, contents().marks, sender=SQ, identifiers=["A-1"])
    assert thread is not None
    assert {name: (ref.agreement, ref.clause) for name, ref in thread.reached.items()} == {
        NYSP: (AgreementId("ca-qc.us-ny.test"), "1.2"),
        VSP: (AgreementId("ca-qc.us-ny.test"), "2.1"),
    }


async def test_references_to_several_threads_reach_everyone_of_them(ground: Ground) -> None:
    """The earliest thread gives its name, and whom any of them reached counts."""
    first, _ = await accepted(ground, acceptance("A-1", permit(NYSP)), acceptance("A-2", permit(VSP)))
    async with ground.store.reading() as connection:
        thread = await find_thread(connection, contents().marks, sender=SQ, identifiers=["A-2", "A-1"])
    assert thread is not None
    assert (thread.first, set(thread.reached)) == (first, {NYSP, VSP})


async def test_another_sender_s_alert_is_no_thread_of_one_s_own(ground: Ground) -> None:
    """An identifier is its sender's: nobody updates another's alert, and an unknown one starts a thread."""
    await accepted(ground, acceptance("A-1", permit(SQ), sender=NYSP))
    async with ground.store.reading() as connection:
        assert await find_thread(connection, contents().marks, sender=SQ, identifiers=["A-1"]) is None
        assert await find_thread(connection, contents().marks, sender=SQ, identifiers=["unknown"]) is None


async def test_a_cancel_that_an_update_has_outrun_is_decided_anew(ground: Ground) -> None:
    """Whoever an Update reached while a Cancel was being decided is not left holding what was recalled."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    known = {NYSP: permit(NYSP).under}
    cancel = acceptance("A-3", permit(NYSP), thread=first, references=("A-1",), reached=known)
    await accepted(ground, acceptance("A-2", permit(NYSP), permit(VSP), thread=first))
    with pytest.raises(OvertakenError):
        await accepted(ground, cancel)
    assert not [entry for entry in await ground.entries() if entry["content"].get("identifier") == "A-3"]
    known[VSP] = permit(VSP).under
    await accepted(
        ground, acceptance("A-3", permit(NYSP), permit(VSP), thread=first, references=("A-1",), reached=known)
    )


async def test_an_update_of_the_same_batch_outruns_a_cancel_too(ground: Ground) -> None:
    """What the batch itself places counts as what stands: the first of the two is stored, the other decided anew."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    known = {NYSP: permit(NYSP).under}
    writer = acceptances()
    update, cancel, same = await asyncio.gather(
        *[
            ground.committer.submit(writer, item)
            for item in (
                acceptance("A-2", permit(NYSP), permit(VSP), thread=first, references=("A-1",), reached=known),
                acceptance("A-3", permit(NYSP), thread=first, references=("A-1",), reached=known),
                acceptance("A-4", permit(NYSP), references=("A-0",)),
            )
        ],
        return_exceptions=True,
    )
    assert isinstance(update, Answer)
    assert isinstance(cancel, OvertakenError)
    assert isinstance(same, Answer)


async def test_updates_that_reach_the_same_share_a_batch(ground: Ground) -> None:
    """Where nobody was added nothing has moved, and nothing is decided twice."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    known = {NYSP: permit(NYSP).under}
    writer = acceptances()
    updates = [
        acceptance(f"A-{number}", permit(NYSP), thread=first, references=("A-1",), reached=known)
        for number in range(2, 9)
    ]
    answers = await asyncio.gather(*[ground.committer.submit(writer, each) for each in updates])
    assert len({answer.alert_id for answer in answers}) == len(updates)


async def test_an_update_that_its_alert_overtook_joins_its_thread(ground: Ground) -> None:
    """Decided before its Alert was stored, it is not left to begin a thread of its own."""
    writer = acceptances()
    alert, update = await asyncio.gather(
        ground.committer.submit(writer, acceptance("A-1", permit(NYSP))),
        ground.committer.submit(writer, acceptance("A-2", permit(NYSP), references=("A-1",))),
        return_exceptions=True,
    )
    assert isinstance(alert, Answer)
    assert isinstance(update, OvertakenError)

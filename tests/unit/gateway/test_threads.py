"""Threads in the store: which alert an Update belongs to, and whom its thread has reached."""

from __future__ import annotations

from gateway.store.threads import find_thread
from schemas.ids import AgreementId
from tests.unit.gateway.ground import NYSP, SQ, VSP, Ground, acceptance, accepted, permit


async def test_a_thread_is_named_by_its_first_alert(ground: Ground) -> None:
    """An Update of an Update belongs to the thread of the Alert that both go back to."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP)))
    await accepted(ground, acceptance("A-2", permit(NYSP), thread=first))
    async with ground.store.reading() as connection:
        for identifiers in (["A-1"], ["A-2"], ["A-2", "A-1"], ["unknown", "A-2", "A-2"]):
            thread = await find_thread(connection, sender=SQ, identifiers=identifiers)
            assert thread is not None
            assert thread.first == first


async def test_a_thread_has_reached_whom_any_of_its_alerts_reached(ground: Ground) -> None:
    """Each recipient stands with the clause that last let the thread through to it."""
    (first,) = await accepted(ground, acceptance("A-1", permit(NYSP, clause="1.1"), permit(VSP, clause="2.1")))
    await accepted(ground, acceptance("A-2", permit(NYSP, clause="1.2"), thread=first))
    async with ground.store.reading() as connection:
        thread = await find_thread(connection, sender=SQ, identifiers=["A-1"])
    assert thread is not None
    assert {name: (ref.agreement, ref.clause) for name, ref in thread.reached.items()} == {
        NYSP: (AgreementId("ca-qc.us-ny.test"), "1.2"),
        VSP: (AgreementId("ca-qc.us-ny.test"), "2.1"),
    }


async def test_references_to_several_threads_reach_everyone_of_them(ground: Ground) -> None:
    """The earliest thread gives its name, and whom any of them reached counts."""
    first, _ = await accepted(ground, acceptance("A-1", permit(NYSP)), acceptance("A-2", permit(VSP)))
    async with ground.store.reading() as connection:
        thread = await find_thread(connection, sender=SQ, identifiers=["A-2", "A-1"])
    assert thread is not None
    assert (thread.first, set(thread.reached)) == (first, {NYSP, VSP})


async def test_another_sender_s_alert_is_no_thread_of_one_s_own(ground: Ground) -> None:
    """An identifier is its sender's: nobody updates another's alert, and an unknown one starts a thread."""
    await accepted(ground, acceptance("A-1", permit(SQ), sender=NYSP))
    async with ground.store.reading() as connection:
        assert await find_thread(connection, sender=SQ, identifiers=["A-1"]) is None
        assert await find_thread(connection, sender=SQ, identifiers=["unknown"]) is None

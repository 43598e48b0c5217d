"""What differs between two sides' lines, and for whom the log tells of it."""

from __future__ import annotations

from datetime import date
from typing import Final

from gateway.differences import MOST_LOGGED, Difference, Matching, for_the_log, told
from gateway.store.reckoning import Fate
from schemas.decisions import Lane
from schemas.ids import AgreementId, DeliveryId, JurisdictionCode, ParticipantId, uuid7
from schemas.reconciliation import UNKNOWN, Line, day_of

DAY: Final = day_of(date(2026, 11, 21))
A: Final = "aa" * 32
B: Final = "bb" * 32
CRIME: Final = AgreementId("ca-qc.us-ny.crime-2008")


def ids(count: int) -> list[DeliveryId]:
    """Return delivery ids, in their order."""
    return [DeliveryId(uuid7(at=DAY.first, randomness=number.to_bytes(10))) for number in range(count)]


def test_each_difference() -> None:
    """One side alone, the other alone, other bytes; bytes that nobody hashed differ from none."""
    same, lost, kept, other, unhashed = ids(5)
    matching = Matching([Line(same, A), Line(kept, A), Line(other, B), Line(unhashed, A)])
    matching.page([Line(same, A), Line(lost, A)])
    matching.page([Line(other, A), Line(unhashed, UNKNOWN)])
    found = [(each.delivery_id, each.difference) for each in matching.end()]
    assert found == [(lost, Difference.MISSING), (kept, Difference.EXTRA), (other, Difference.ALTERED)]


def test_each_sender_sees_its_own() -> None:
    """An entry is for one sender's jurisdiction, or, of what nobody sent, the recipient's; it names so many at most."""
    deliveries = ids(MOST_LOGGED + 3)
    fates = {
        each: Fate(ParticipantId("ca-qc.sq"), CRIME, Lane.URGENT, "delivered", acknowledged=False)
        for each in deliveries[2:]
    }
    fates[deliveries[1]] = Fate(ParticipantId("us-me.msp"), CRIME, Lane.URGENT, "delivered", acknowledged=True)
    matching = Matching([Line(deliveries[0], A)])
    matching.page([Line(each, A) for each in deliveries[1:]])
    found = matching.end()
    parts = for_the_log(found, fates, participant=ParticipantId("us-ny.nysp"), period=DAY, statement="sha-256:00")
    assert {part.sender: (part.missing, part.extra, len(part.named)) for part in parts} == {
        None: (0, 1, 1),
        JurisdictionCode("US-ME"): (1, 0, 1),
        JurisdictionCode("CA-QC"): (MOST_LOGGED + 1, 0, MOST_LOGGED),
    }
    document = told(found, fates)
    assert (document["missing"], document["extra"], document["altered"]) == (MOST_LOGGED + 2, 1, 0)
    assert [each["acknowledged"] for each in document["deliveries"][:3]] == [False, True, False]

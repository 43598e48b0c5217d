"""Searching the log, over every database: what is found is what a reading of every entry finds, page by page."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.entry import Draft, canonical_entry, time_text
from audit.kinds import Kind
from audit.log import open_batch
from audit.search import Search, search
from audit.segments import SEGMENT, Described, build, describe, indexed, offsets_in, pack, unpack
from audit.tables import log_postings, log_segments
from audit.terms import is_party, kept_as, read_whole, terms_of, told_by, words_of
from schemas.ids import AgreementId, AlertId, JurisdictionCode, ParticipantId, home_of
from schemas.signing.canonical import PlainValue
from tests.contract.audit.writing import Plainly

START: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SENDERS: Final = tuple(map(ParticipantId, ("ca-qc.sq", "ca-qc.msp", "us-ny.nysp")))
RECIPIENTS: Final = tuple(map(ParticipantId, ("us-ny.nysp", "us-vt.vsp", "us-me.msp", "ca.rcmp")))
TYPES: Final = ("law-enforcement/stolen-vehicle/v1", "public-health/outbreak/v1")


def alert(chance: random.Random, number: int) -> list[Draft]:
    """Return the entries of one alert: accepted, routed to some, delivered to some of these."""
    sender, alert_id = chance.choice(SENDERS), AlertId(f"01890a5d-ac96-774b-bcce-{number:012x}")
    chosen = [each for each in RECIPIENTS if each != sender and chance.random() < 0.4]
    homes = (home_of(sender), *map(home_of, chosen))
    content: dict[str, PlainValue] = {
        "identifier": f"SQ-2026-{number:04d}",
        "words": sorted({"sqx", f"m{number % 9}"}),
        "type": chance.choice(TYPES),
        "digest": "sha-256:00",
        "kid": "k:1",
    }
    drafts = [Draft(Kind.ACCEPTED, sender, homes, alert_id, None, content)]
    for recipient in chosen:
        parties, agreement = (home_of(sender), home_of(recipient)), AgreementId(f"a.{chance.randrange(3)}")
        routed: dict[str, PlainValue] = {
            "delivery_id": "d",
            "recipient": recipient,
            "lane": "urgent",
            "clause": f"{agreement}/1#{chance.randrange(2)}",
        }
        drafts.append(Draft(Kind.ROUTED, sender, parties, alert_id, agreement, routed))
        if chance.random() < 0.5:
            taken: dict[str, PlainValue] = {"delivery_id": "d", "recipient": recipient, "attempt": 1, "detail": ""}
            drafts.append(Draft(Kind.DELIVERED, recipient, parties, alert_id, agreement, taken))
    return drafts


async def write(engine: AsyncEngine, entries: int, *, seed: int = 7) -> None:
    """Append at least so many entries, each transaction a few seconds after the last."""
    chance, number, written, now = random.Random(seed), 0, 0, START  # noqa: S311 - the same log each time
    while written < entries:
        now += timedelta(seconds=chance.randrange(4))
        async with engine.begin() as connection:
            batch = await open_batch(connection, now=now, randomness=chance.randbytes, keeper=Plainly())
            for _ in range(chance.randrange(1, 40)):
                drafts = alert(chance, number)
                number, written = number + 1, written + len(drafts)
                for draft in drafts:
                    batch.append(draft)
            await batch.write()


async def written(engine: AsyncEngine, entries: int) -> list[Described]:
    """Append entries and return what each of the first so many is found by."""
    await write(engine, entries)
    async with engine.connect() as connection:
        return await describe(connection, 0, entries)


async def segment_all(engine: AsyncEngine, size: int) -> None:
    """Build every segment of the first ``size`` entries."""
    async with engine.begin() as connection:
        for segment in range(await indexed(connection) // SEGMENT, size // SEGMENT):
            await build(connection, segment)


async def pages(
    engine: AsyncEngine, wanted: Search, scope: str, size: int, limit: int, *, most: int = 100
) -> list[int]:
    """Return what all pages of a search find, one after the other; ``most`` at most."""
    found: list[int] = []
    for _ in range(most):
        async with engine.connect() as connection:
            page = await search(
                connection,
                replace(wanted, after=found[-1] if found else -1),
                scope=JurisdictionCode(scope),
                size=size,
                limit=limit,
            )
        found += page.indexes
        if not page.more:
            break
        assert len(page.indexes) == limit
    return found


def read_all(described: Sequence[Described], wanted: Search, scope: str, size: int) -> list[int]:
    """Return what a reading of every entry finds."""
    return [
        each.index
        for each in described[:size]
        if scope in each.jurisdictions and wanted.is_met_by_terms(each.terms) and wanted.is_met_by(each.time)
    ]


def questions(chance: random.Random, terms: Sequence[str], until: datetime) -> Iterable[Search]:
    """Yield searches: none, one, two and three terms, with bounds in time and without."""
    for count in (0, 1, 2, 3):
        chosen = frozenset(chance.sample(terms, count))
        yield Search(chosen)
        yield Search(chosen, one_of=(frozenset(chance.sample(terms, 2)), frozenset(chance.sample(terms, 3))))
        first, last = sorted(START + (until - START) * chance.random() for _ in range(2))
        yield Search(chosen, since=time_text(first))
        yield Search(chosen, until=time_text(last))
        yield Search(chosen, since=time_text(first), until=time_text(last))


async def test_every_search_finds_what_reading_all_finds(engine: AsyncEngine) -> None:
    """Whatever is asked, by whom, with what page size, and however far the index has come."""
    entries = SEGMENT + 200
    described = await written(engine, entries)
    terms = sorted({term for each in described for term in each.terms if not term.startswith("alert:")})
    until = datetime.fromisoformat(described[-1].time)
    chance = random.Random(11)  # noqa: S311 - the same questions each time
    for built in (0, entries):
        await segment_all(engine, built)
        for wanted in questions(chance, terms, until):
            scope, limit = chance.choice(["CA-QC", "US-VT", "US-ME"]), chance.choice([1, 300, 700])
            expected, most = read_all(described, wanted, scope, entries), 5 if limit == 1 else 100
            found = await pages(engine, wanted, scope, entries, limit, most=most)
            assert found == expected[: most * limit], (wanted, scope, limit, built)


async def test_what_is_rare_is_found_wherever_it_is(engine: AsyncEngine) -> None:
    """Among many segments, those that have all terms are found, in order, whatever lies between them."""
    common, rare = pack(range(0, SEGMENT, 2)), {0: (4,), 17: (3, 8), 44: (1, 2, 1022)}
    rows = [{"jurisdiction": "FR", "term": "common", "segment": at, "offsets": common} for at in range(50)]
    rows += [{"jurisdiction": "FR", "term": "rare", "segment": at, "offsets": pack(few)} for at, few in rare.items()]
    async with engine.begin() as connection:
        await connection.execute(insert(log_postings), rows)
        segments = [{"segment": at, "first_time": "", "last_time": ""} for at in range(50)]
        await connection.execute(insert(log_segments), segments)
    for terms, offsets in (({"rare"}, rare), ({"rare", "common"}, {0: (4,), 17: (8,), 44: (2, 1022)}), ({"none"}, {})):
        expected = [segment * SEGMENT + offset for segment, few in offsets.items() for offset in few]
        for limit in (1, 2, 50):
            assert await pages(engine, Search(frozenset(terms)), "FR", 50 * SEGMENT, limit) == expected


async def test_nothing_beyond_the_size_is_found(engine: AsyncEngine) -> None:
    """A search of a smaller log, under an earlier checkpoint, is the same however much came after."""
    described = await written(engine, SEGMENT + 200)
    for built in (0, SEGMENT):
        await segment_all(engine, built)
        for size in (0, 1, 100, SEGMENT - 1, SEGMENT, SEGMENT + 3):
            expected = read_all(described, Search(), "CA-QC", size)
            assert await pages(engine, Search(), "CA-QC", size, 400) == expected


async def test_a_stranger_finds_nothing(engine: AsyncEngine) -> None:
    """A jurisdiction that is a party to nothing has no posting and finds nothing, in the index and beyond it."""
    await write(engine, SEGMENT + 50)
    await segment_all(engine, SEGMENT)
    assert await pages(engine, Search(), "FR", SEGMENT + 50, 50) == []
    async with engine.connect() as connection:
        assert (await connection.scalars(select(log_postings).where(log_postings.c.jurisdiction == "FR"))).all() == []


@pytest.mark.parametrize("offsets", [(), (0,), (0, 1, 255, 256, 1023), range(64), range(65), range(2, 1024, 3)])
def test_offsets_come_back(offsets: Sequence[int]) -> None:
    """Few are two bytes each, big-endian; many a set of bits, of an odd length; both whatever machine reads them."""
    assert offsets_in(unpack(pack(offsets))) == tuple(offsets)
    assert pack((1, 258)) == b"\x00\x01\x01\x02"
    assert pack(range(1, 70, 1)) == b"\x01\xfe" + b"\xff" * 7 + b"\x3f" + bytes(119)


def test_segments_from_before_the_sets_of_bits_are_read() -> None:
    """However many offsets are written as such, they are read: an index that was built earlier holds."""
    offsets = range(0, 1024, 2)
    assert offsets_in(unpack(struct.pack(">512H", *offsets))) == tuple(offsets)


def test_what_an_entry_is_found_by() -> None:
    """Participants, clauses and requests of the content are terms; words are of acceptances alone."""
    entry = {
        "kind": "consent-requested",
        "jurisdictions": ["CA", "CA-QC"],
        "alert_id": "x",
        "agreement": "a.1",
        "actor": "ca-qc.sq",
        "content": {
            "recipient": "us.fbi",
            "clause": "a.1/2#3",
            "requests": [{"asked": "ca.rcmp"}, {"asked": "CA"}],
            "by": ["us-ny.nysp", "US-NY"],
        },
    }
    assert terms_of(entry, "t/x/v1") == {
        "*",
        "kind:consent-requested",
        "with:CA",
        "with:CA-QC",
        "alert:x",
        "agreement:a.1",
        "clause:a.1/2#3",
        "type:t/x/v1",
        "to:us.fbi",
        "to:US",
        *(f"participant:{name}" for name in ("ca-qc.sq", "us.fbi", "ca.rcmp", "us-ny.nysp")),
    }
    accepted = {**entry, "kind": "accepted", "agreement": None, "content": {"identifier": "SQ-2026/Été_77"}}
    assert {term for term in terms_of(accepted, None) if term.startswith("word:")} == {
        "word:sq",
        "word:2026",
        "word:t",
        "word:77",
    }
    assert words_of("A" * 40) == ("a" * 32,)


def test_what_stands_in_an_entry_is_told_by_its_terms() -> None:
    """Before an entry is read, its bytes already say that it can't have a term, and never so of one that it has."""
    chance = random.Random(3)  # noqa: S311 - the same entries each time
    drafts = [draft for number in range(100) for draft in alert(chance, number)]
    every = [canonical_entry(draft, index=at, time="t") for at, draft in enumerate(drafts)]
    for canonical in every:
        entry = read_whole(canonical)
        assert all(told_by(term) in canonical for term in terms_of(entry, "public-health/outbreak/v1"))
        parties = {each for each in ("CA", "CA-QC", "US-NY", "US-VT", "US-ME", "FR") if is_party(each, canonical)}
        assert parties == set(entry["jurisdictions"])
    assert sum(told_by("kind:routed") in canonical for canonical in every) < len(every)


def test_alerts_are_kept_by_fewer_characters() -> None:
    """Terms about alerts are kept shorter, no two as the same; what is no UUID as it stands, and all other terms."""
    first, second = "019b76da-abe8-7000-8000-000000000000", "019b76da-abe8-7000-8000-000000000001"
    terms = [f"{what}:{each}" for what in ("alert", "looked", "word") for each in (first, second, first.upper(), "x")]
    kept = [kept_as(term) for term in [*terms, "*", "kind:routed"]]
    assert len(set(kept)) == len(kept)
    assert kept[0] == "AZt22qvocACAAAAAAAAAAA"
    assert [len(each) for each in kept[:8]] == [22, 22, 42, 7, 29, 29, 43, 8]
    assert kept[8:] == [*terms[8:], "*", "kind:routed"]

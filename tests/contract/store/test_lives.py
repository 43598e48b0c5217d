"""Agreements in either database: proposed, signed, suspended, altered behind everybody's back, and read again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agreements.life import State
from agreements.signed import VerifiedAgreement, agreement_bytes, read_signed
from gateway.errors import AgreementRefusedError
from gateway.store.agreed import read_agreements, read_proposal_rows, read_proposals
from gateway.store.agreements import AgreementWriter, SignatureWriter, StepWriter
from gateway.store.registry import read_registry
from gateway.trust.assay import Assayer
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import RegistryFollower
from gateway.upkeep.proposals import ProposalAssayer
from gateway.upkeep.vigil import Vigil
from schemas.ids import AgreementId, JurisdictionCode
from schemas.registry import Registry
from schemas.signing.jws import join_signatures
from tests.unit.agreements.builders import NY, QC, Json, agreement, document, jurisdictions, signature, step, verified
from tests.unit.gateway.ground import Ground, open_ground

NAME = AgreementId("ca-qc.us-ny.test")
VALID = {"from": "2026-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"}
DOCUMENT = document(valid=VALID)
WHOLE = verified(DOCUMENT)
OTHER = verified(document(id="another.test", valid=VALID))


@dataclass(slots=True)
class Office:
    """What a process has of agreements, over a store."""

    ground: Ground
    registry: CurrentRegistry
    vigil: Vigil

    async def propose(self, value: Json, *parties: JurisdictionCode) -> int:
        """Hand in a document with some signatures; return the place that it gets."""
        payload = agreement_bytes(agreement(value))
        file = join_signatures([signature(payload, party) for party in parties])
        signed = read_signed(file, jurisdictions())
        return (await self.ground.committer.submit(SignatureWriter(self.registry), signed)).log_index

    async def agree(self, *agreements: VerifiedAgreement) -> None:
        """Have complete agreements stored."""
        for each in agreements:
            await self.ground.committer.submit(AgreementWriter(self.registry), each)

    async def state(self, kind: str, party: JurisdictionCode, minutes: float) -> int:
        """Record a step about the agreement; return its place."""
        made = step(kind, party, minutes, of=WHOLE).verified
        return (await self.ground.committer.submit(StepWriter(self.registry), made)).log_index

    @property
    def now(self) -> State:
        """The state of the agreement."""
        return self.registry.state((NAME, 1), self.ground.clock())


async def office(ground: Ground) -> Office:
    """Return the office of a process that begins now, with what its store holds."""
    assayer = Assayer(jurisdictions())
    async with ground.store.reading() as connection:
        stored = await read_registry(connection)
    registry = CurrentRegistry(
        Registry.of(jurisdictions(), []), assayer.assay(stored.agreements), version=stored.version
    )
    ground.committer.standing = RegistryFollower(registry, ground.store, assayer)
    return Office(ground, registry, Vigil(registry, assayer, store=ground.store, committer=ground.committer))


async def test_the_last_signature_makes_an_agreement(ground: Ground) -> None:
    """A proposal binds nobody; each signature has its entry, whatever the order, and the last one the agreement's."""
    here = await office(ground)
    await here.propose(DOCUMENT, NY)
    assert here.registry.agreements == ()
    await here.propose(DOCUMENT, QC)
    assert here.now is State.IN_FORCE
    assert await ground.kinds() == ["agreement-proposed", "agreement-signed", "agreement-signed", "agreement-in-force"]
    assert (await office(ground)).registry.agreements[0].signed.payload == WHOLE.signed.payload


async def test_a_signature_again_changes_nothing(ground: Ground) -> None:
    """Neither before nor after the document is complete does a repetition leave an entry."""
    here = await office(ground)
    assert await here.propose(DOCUMENT, NY) == 1
    assert await here.propose(DOCUMENT, NY) == 0
    assert await here.propose(DOCUMENT, QC) == 3
    assert await here.propose(DOCUMENT, QC, NY) == 3
    assert len(await ground.kinds()) == 4


@pytest.mark.parametrize("stored", [b"", b"e30.e30.e30", signature(WHOLE.signed.payload, NY)])
async def test_a_signature_that_was_altered_keeps_nobody_from_signing(ground: Ground, stored: bytes) -> None:
    """It counts for nothing, whoever it is said to be of; once its party has signed again the agreement binds."""
    here = await office(ground)
    await here.propose(DOCUMENT, QC)
    literal = f"'\\x{stored.hex()}'" if ground.store.shared else f"X'{stored.hex()}'"
    await ground.tamper(f"UPDATE agreement_signatures SET compact = {literal}")  # noqa: S608 - bytes of the test's own
    await here.propose(DOCUMENT, NY)
    assert here.registry.agreements == ()
    await here.propose(DOCUMENT, QC)
    assert here.now is State.IN_FORCE
    assert (await office(ground)).registry.agreements[0].signed.missing == ()


async def test_a_signature_that_is_no_bytes_is_none(on_sqlite: Ground) -> None:
    """SQLite may hold a text in its place: whoever lists proposals is told of the others."""
    here = await office(on_sqlite)
    await here.propose(DOCUMENT, QC)
    await here.propose(document(id="another.test", valid=VALID), QC)
    await on_sqlite.tamper("UPDATE agreement_signatures SET compact = 'text' WHERE log_index = 1")
    async with on_sqlite.store.reading() as connection:
        altered, sound = await read_proposals(connection)
    assert altered.compacts == (b"",)
    assert len(sound.compacts) == 1
    await here.propose(DOCUMENT, NY, QC)
    assert here.now is State.IN_FORCE


async def test_signatures_at_one_time_make_one_agreement(ground: Ground) -> None:
    """Both parties sign within one transaction, and there is one agreement, with one entry each."""
    here = await office(ground)
    await asyncio.gather(here.propose(DOCUMENT, NY), here.propose(DOCUMENT, QC))
    assert (await ground.kinds()).count("agreement-in-force") == 1
    assert (await ground.kinds()).count("agreement-signed") == 2
    assert here.now is State.IN_FORCE


async def test_another_document_of_the_name_is_refused(ground: Ground) -> None:
    """Two may be proposed; once one of them binds, the other never can, and leaves no entry."""
    here = await office(ground)
    rival = {**DOCUMENT, "title": {"fr": "Autre.", "en": "Other."}}
    await here.propose(rival, QC)
    await here.propose(DOCUMENT, QC, NY)
    entries = len(await ground.kinds())
    with pytest.raises(AgreementRefusedError):
        await here.propose(rival, NY)
    assert len(await ground.kinds()) == entries


async def test_a_life_is_read_again_as_it_was(ground: Ground) -> None:
    """A restart comes to the same states at the same instants, from signed words and the log's times alone."""
    here = await office(ground)
    await here.agree(WHOLE, OTHER)
    for minute, (kind, party) in enumerate([("suspension", QC), ("resumption", NY), ("resumption", QC)]):
        await here.state(kind, party, minute)
        ground.clock.advance(1)
    again = await office(ground)
    assert again.registry.book == here.registry.book
    assert again.now is State.IN_FORCE
    entries = await ground.entries()
    assert [each["content"].get("awaits") for each in entries if each["kind"] == "agreement-resumed"] == [["CA-QC"], []]


async def test_a_step_is_recorded_once(ground: Ground) -> None:
    """The same statement again gets its first place, also after it was lifted, and changes nothing."""
    here = await office(ground)
    await here.agree(WHOLE)
    first = await here.state("suspension", QC, 0)
    await here.state("resumption", QC, 1)
    await here.state("resumption", NY, 2)
    assert await here.state("suspension", QC, 0) == first
    assert here.now is State.IN_FORCE
    with pytest.raises(AgreementRefusedError):
        await here.state("resumption", NY, 3)


async def test_a_withdrawal_ends_it_with_two_entries(ground: Ground) -> None:
    """Who withdraws is one fact, that the agreement ended is another."""
    here = await office(ground)
    await here.agree(WHOLE)
    await here.state("withdrawal", NY, 0)
    assert here.now is State.ENDED
    assert (await ground.kinds())[-2:] == ["agreement-withdrawn", "agreement-ended"]


ALTERATIONS = {
    "a byte of the document": "UPDATE agreements SET signed = {changed} WHERE agreement = 'ca-qc.us-ny.test'",
    "the row is gone": "DELETE FROM agreements WHERE agreement = 'ca-qc.us-ny.test'",
    "another version": "UPDATE agreements SET version = 2 WHERE agreement = 'ca-qc.us-ny.test'",
    "another's document": "UPDATE agreements SET signed = (SELECT signed FROM agreements WHERE agreement = "
    "'another.test') WHERE agreement = 'ca-qc.us-ny.test'",
    "the suspension is gone": "DELETE FROM agreement_steps",
    "a byte of the suspension": "UPDATE agreement_steps SET compact = {step}",
    "its place": "UPDATE agreement_steps SET log_index = 100",
    "its entry": "UPDATE log_entries SET kind = 'agreement-signed' WHERE kind = 'agreement-suspended'",
    "its entry and its row": "DELETE FROM log_entries WHERE kind = 'agreement-suspended'; DELETE FROM agreement_steps",
}


_OVERLAY = {
    "postgres": ("'A'::bytea", "overlay({column} PLACING {byte} FROM 100)"),
    "sqlite": ("x'41'", "CAST(substr({column}, 1, 99) || {byte} || substr({column}, 101) AS BLOB)"),
}


@pytest.mark.parametrize("alteration", list(ALTERATIONS))
async def test_what_was_altered_is_not_in_force(ground: Ground, place: Path | str, alteration: str) -> None:
    """A direct change of rows is found, ends the agreement's force, and raises one alarm; another agreement goes on."""
    here = await office(ground)
    await here.agree(WHOLE, OTHER)
    await here.state("suspension", QC, 0)
    await here.vigil.look()
    assert here.registry.altered == frozenset()
    one_byte, at_100 = _OVERLAY["postgres" if isinstance(place, str) else "sqlite"]
    changed, altered = (at_100.format(column=column, byte=one_byte) for column in ("signed", "compact"))
    for statement in ALTERATIONS[alteration].split("; "):
        await ground.tamper(statement.format(changed=changed, step=altered))
    for _ in range(2):
        await here.vigil.look()
        assert here.registry.altered == {NAME}
        assert here.registry.agreements == (OTHER,)
    assert here.now is State.ALTERED
    assert (await ground.kinds()).count("agreement-altered") == 1
    assert here.registry.state((AgreementId("another.test"), 1), ground.clock()) is State.IN_FORCE
    again = await office(ground)
    assert NAME in again.registry.altered
    assert again.registry.agreements == (OTHER,)
    await again.vigil.look()
    assert (await ground.kinds()).count("agreement-altered") == 1


@pytest.mark.parametrize(
    "alteration",
    [
        ("UPDATE agreement_proposals SET version = 7", "UPDATE agreement_proposals SET version = 1"),
        (
            "UPDATE agreement_signatures SET party = 'US-VT' WHERE party = 'CA-QC'",
            "UPDATE agreement_signatures SET party = 'CA-QC' WHERE party = 'US-VT'",
        ),
        ("UPDATE agreement_signatures SET log_index = -1", "UPDATE agreement_signatures SET log_index = 1"),
    ],
)
async def test_an_altered_proposal_raises_an_alarm(ground: Ground, alteration: tuple[str, str]) -> None:
    """It is logged once for its parties, and once more when it is sound again; what binds of that name goes on."""
    here = await office(ground)
    await here.propose(DOCUMENT, QC)
    await here.agree(OTHER)
    await here.vigil.look()
    assert here.registry.altered_proposals == frozenset()
    altered, restored = alteration
    await ground.tamper(altered)
    for process in (here, await office(ground)):
        for _ in range(2):
            await process.vigil.look()
            assert process.registry.altered_proposals == {NAME}
            assert process.registry.altered == frozenset()
            assert process.registry.agreements == (OTHER,)
    (alarm,) = [each for each in await ground.entries() if each["kind"] == "agreement-altered"]
    assert (alarm["agreement"], alarm["jurisdictions"]) == (NAME, sorted([QC, NY]))
    assert alarm["content"]["proposal"].startswith("sha-256:")
    await ground.tamper(restored)
    for _ in range(2):
        await here.vigil.look()
        assert here.registry.altered_proposals == frozenset()
    assert (await ground.kinds())[-2:] == ["agreement-altered", "agreement-restored"]
    again = await office(ground)
    assert again.registry.altered == frozenset()


async def test_who_can_not_verify_a_signature_ends_no_alarm_about_it(on_sqlite: Ground) -> None:
    """A process that has not pinned every party can't tell: else it would end what another raises, for ever."""
    here = await office(on_sqlite)
    await here.propose(DOCUMENT, QC)
    await on_sqlite.tamper("UPDATE agreement_signatures SET compact = CAST('e30.e30.e30' AS BLOB)")
    await here.vigil.look()
    async with on_sqlite.store.reading() as connection:
        stored, rows = await read_agreements(connection), await read_proposal_rows(connection)
    few = {code: each for code, each in jurisdictions().items() if code == QC}
    assert ProposalAssayer(few).assay(stored.entries, *rows)[0] == []
    assert (await on_sqlite.kinds()).count("agreement-altered") == 1


async def test_what_is_restored_counts_again(ground: Ground) -> None:
    """Once the signed bytes are back the alarm ends, with an entry, and the agreement is what it was."""
    here = await office(ground)
    await here.agree(WHOLE)
    await ground.tamper("UPDATE agreements SET version = 7")
    await here.vigil.look()
    assert here.registry.altered == {NAME}
    await ground.tamper("UPDATE agreements SET version = 1")
    await here.vigil.look()
    assert here.now is State.IN_FORCE
    kinds = [kind for kind in await ground.kinds() if kind in ("agreement-altered", "agreement-restored")]
    assert kinds.count("agreement-altered") == kinds.count("agreement-restored") > 0


async def test_a_text_where_bytes_were_is_an_alteration(on_sqlite: Ground) -> None:
    """SQLite keeps any type in any column: what is no bytes is no agreement, and ends no process."""
    here = await office(on_sqlite)
    await here.agree(WHOLE, OTHER)
    await on_sqlite.tamper("UPDATE agreements SET signed = 'text' WHERE agreement = 'ca-qc.us-ny.test'")
    await here.vigil.look()
    assert here.registry.altered == {NAME}


async def test_an_alarm_is_raised_once_for_all_processes(postgres_database: str) -> None:
    """Two processes that see the same alteration write one entry, and each hears of the other's."""
    async with open_ground(postgres_database) as first, open_ground(postgres_database, seed=2) as second:
        here = await office(first)
        await here.agree(WHOLE)
        there = await office(second)
        await first.tamper("UPDATE agreements SET version = 9")
        await asyncio.gather(here.vigil.look(), there.vigil.look())
        assert (await first.kinds()).count("agreement-altered") == 1
        assert here.registry.altered == there.registry.altered


async def test_a_suspension_counts_in_the_other_process_at_once(postgres_database: str) -> None:
    """What one process records holds in another with its next look, and with its next batch."""
    async with open_ground(postgres_database) as first, open_ground(postgres_database, seed=2) as second:
        here, there = await office(first), await office(second)
        await here.agree(WHOLE)
        await here.state("suspension", NY, 0)
        follower = second.committer.standing
        assert isinstance(follower, RegistryFollower)
        await follower.look()
        assert there.now is State.SUSPENDED
        with pytest.raises(AgreementRefusedError):
            await there.state("accession", QC, 1)
        await there.state("resumption", QC, 2)
        await here.state("resumption", NY, 3)
        assert here.now is State.IN_FORCE
        assert replace(here.registry.found, alarmed=frozenset()).book == here.registry.book

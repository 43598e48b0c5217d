"""Authority statements and agreements while the exchange runs: what counts, from when on, and what is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.errors import StatementRefusedError, UntrustedSignatureError
from gateway.intake.enrol import Enrolment
from gateway.store.committer import Batch
from gateway.store.registry import JurisdictionWriter, jurisdiction_document, read_registry
from gateway.store.tables import authority_statements
from gateway.trust.registry import CurrentRegistry
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.registry import Registry
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import STATEMENT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import Jurisdiction, read_statement
from schemas.timestamps import utc_text
from tests.unit.gateway.ground import (
    START,
    Ground,
    acceptance,
    acceptances,
    enrolment_of,
)

QC = JurisdictionCode("CA-QC")
AUTHORITY = SigningKey.generate(KeyId("ca-qc.authority"), "Ed25519")
SPVM = ParticipantId("ca-qc.spvm")
HOUR = timedelta(hours=1)


def jurisdiction(key: SigningKey = AUTHORITY) -> Jurisdiction:
    """Return Québec, with one authority key."""
    return Jurisdiction.model_validate(
        {
            "code": QC,
            "name": {"fr": "Québec", "en": "Québec"},
            "parent": None,
            "authority_keys": (dict(key.public.jwk),),
        }
    )


def registered(
    *keys: SigningKey, participant: str = SPVM, at: datetime = START, roles: tuple[str, ...] = ("sender", "receiver")
) -> bytes:
    """Return the authority's statement that a participant has these keys, issued at an instant."""
    window = {"from": utc_text(START - HOUR), "until": utc_text(START + 24 * HOUR)}
    document: dict[str, object] = {
        "statement": "participant",
        "participant": participant,
        "jurisdiction": QC,
        "name": {"fr": "Police de Montréal", "en": "Montréal police"},
        "roles": list(roles),
        "sends": ["law-enforcement/*"],
        "keys": [{"jwk": dict(key.public.jwk), **window} for key in keys],
        "hosts": [],
        **window,
    }
    return signed(document, at)


def revoked(key: SigningKey, *, participant: str = SPVM, at: datetime = START) -> bytes:
    """Return the authority's statement that a key is its participant's no longer."""
    return signed(
        {
            "statement": "key-revocation",
            "participant": participant,
            "kid": key.kid,
            "revoked_at": utc_text(at),
            "reason": {"fr": "perdue", "en": "lost"},
        },
        at,
    )


def signed(document: dict[str, object], at: datetime) -> bytes:
    """Return a document signed by the authority."""
    payload = canonical_bytes(document)  # type: ignore[arg-type]  # made of JSON alone
    return sign_compact(payload, key=AUTHORITY, profile=STATEMENT, iat=int(at.timestamp()))


def key(name: str) -> SigningKey:
    """Return a new key of a participant."""
    return SigningKey.generate(KeyId(f"{SPVM}:{name}"), "Ed25519")


@dataclass(slots=True)
class Office:
    """An enrolment over a store, and the registry that it changes."""

    ground: Ground
    registry: CurrentRegistry
    enrolment: Enrolment

    def trusts(self, of: SigningKey) -> bool:
        """Say whether a key counts now."""
        return self.registry.registry.trusted_key(of.kid, self.ground.clock()) is not None

    async def again(self) -> Registry:
        """Return the registry as a restart reads it from the store."""
        async with self.ground.store.reading() as connection:
            stored = await read_registry(connection)
        jurisdictions = {QC: jurisdiction()}
        return Registry.of(jurisdictions, [read_statement(each.compact, jurisdictions) for each in stored.statements])


@pytest.fixture
async def office(ground: Ground) -> Office:
    """Return an exchange's registry with one jurisdiction and no participant."""
    registry = CurrentRegistry(Registry.of({QC: jurisdiction()}, []))
    return Office(ground, registry, enrolment_of(ground, registry))


async def test_a_statement_counts_when_it_is_in_the_log(office: Office) -> None:
    """A participant is known, and its key trusted, as soon as the authority's statement is answered."""
    own = key("1")
    assert not office.trusts(own)
    statement, recorded = await office.enrolment.record(registered(own))
    assert (statement.statement.participant, recorded.log_index, recorded.replayed) == (SPVM, 0, False)
    assert office.trusts(own)
    assert (SPVM, QC) in office.registry.snapshot.candidates
    (entry,) = await office.ground.entries()
    assert (entry["kind"], entry["actor"], entry["content"]["keys"]) == ("participant-registered", SPVM, [own.kid])


async def test_a_revocation_counts_at_once_and_for_good(office: Office) -> None:
    """A revoked key is trusted no more, and no later statement brings it back."""
    own = key("1")
    await office.enrolment.record(registered(own))
    await office.enrolment.record(revoked(own))
    assert not office.trusts(own)
    office.ground.clock.advance(60)
    await office.enrolment.record(registered(own, at=office.ground.clock()))
    assert not office.trusts(own)
    assert await office.ground.kinds() == ["participant-registered", "key-revoked", "participant-registered"]


async def test_the_same_statement_again_changes_nothing(office: Office) -> None:
    """A repetition gets the first place in the log."""
    statement = registered(key("1"))
    await office.enrolment.record(statement)
    _, again = await office.enrolment.record(statement)
    assert (again.log_index, again.replayed) == (0, True)
    assert len(await office.ground.entries()) == 1


async def test_a_repetition_in_one_batch_is_one(office: Office) -> None:
    """The same statement posted twice at once is stored once."""
    statement = registered(key("1"))
    results = await asyncio.gather(*(office.enrolment.record(statement) for _ in range(3)))
    assert [recorded.replayed for _, recorded in results] == [False, True, True]
    assert len(await office.ground.entries()) == 1


async def test_an_older_statement_is_refused(office: Office) -> None:
    """A newer statement stands; one issued at the same second or before is refused, and leaves no entry."""
    await office.enrolment.record(registered(key("1"), at=START))
    for at in (START, START - HOUR):
        with pytest.raises(StatementRefusedError):
            await office.enrolment.record(registered(key("2"), at=at))
    assert len(await office.ground.entries()) == 1


@pytest.mark.parametrize("newer_first", [False, True])
async def test_statements_of_one_batch_are_held_against_each_other(office: Office, *, newer_first: bool) -> None:
    """Two statements written together are taken as if one had come after the other, and a restart takes them so too."""
    older, newer = key("1"), key("2")
    both = [registered(older, at=START - HOUR), registered(newer, at=START)]
    results = await asyncio.gather(
        *(office.enrolment.record(each) for each in (both[::-1] if newer_first else both)), return_exceptions=True
    )
    assert [isinstance(result, StatementRefusedError) for result in results] == [False, newer_first]
    assert (office.trusts(older), office.trusts(newer)) == (False, True)
    assert (await office.again()).participants == office.registry.registry.participants


async def test_one_name_of_a_key_is_never_two_participants(office: Office) -> None:
    """Of two statements in one batch that give the same kid to different keys the second is refused."""
    first, second = key("1"), key("1")
    results = await asyncio.gather(
        office.enrolment.record(registered(first)),
        office.enrolment.record(registered(second, participant="ca-qc.spal")),
        return_exceptions=True,
    )
    assert not isinstance(results[0], BaseException)
    assert isinstance(results[1], StatementRefusedError)
    assert (await office.again()).owners.keys() == {first.kid}


async def test_a_statement_whose_sender_left_counts(office: Office) -> None:
    """A revocation that is in the log counts, although whoever posted it did not wait for the answer."""
    own = key("1")
    await office.enrolment.record(registered(own))
    leaving = asyncio.create_task(office.enrolment.record(revoked(own)))
    await asyncio.sleep(0)
    leaving.cancel()
    office.ground.committer.close()
    await office.ground.writing
    assert (await office.ground.kinds())[-1] == "key-revoked"
    assert not office.trusts(own)


@pytest.mark.parametrize("revoked_first", [False, True])
async def test_the_log_shows_no_alert_after_the_revocation_of_its_key(office: Office, *, revoked_first: bool) -> None:
    """A revocation and an alert that are written together stand as if one had come after the other."""
    own = key("1")
    await office.enrolment.record(registered(own))

    def trusted(kid: KeyId, batch: Batch) -> bool:
        return office.registry.within(batch).trusted_key(kid, batch.now) is not None

    submission = office.ground.committer.submit(
        acceptances(trusted=trusted), acceptance("A-1", sender=SPVM, kid=own.kid)
    )
    calls = [office.enrolment.record(revoked(own)), submission]
    results = await asyncio.gather(*(calls if revoked_first else calls[::-1]), return_exceptions=True)
    assert office.ground.batches[-1] == 2
    assert [isinstance(result, UntrustedSignatureError) for result in results] == [False, revoked_first]
    kinds = (await office.ground.kinds())[1:]
    assert kinds == (["key-revoked"] if revoked_first else ["accepted", "key-revoked"])


async def test_what_nobody_entitled_signed_is_refused(office: Office) -> None:
    """Another authority's key, a stranger's bytes and a foreign participant are refused, and leave no entry."""
    stranger = SigningKey.generate(AUTHORITY.kid, "Ed25519")
    forged = sign_compact(b"{}", key=stranger, profile=STATEMENT, iat=int(START.timestamp()))
    for compact in (forged, b"not a statement", registered(key("1"), participant="us-ny.nysp")):
        with pytest.raises(StatementRefusedError):
            await office.enrolment.record(compact)
    assert await office.ground.entries() == []


async def test_a_statement_from_the_future_is_refused(office: Office) -> None:
    """An authority whose clock is wrong can't bar every later statement of its own."""
    with pytest.raises(StatementRefusedError):
        await office.enrolment.record(registered(key("1"), at=START + HOUR))
    await office.enrolment.record(registered(key("1"), at=START + timedelta(seconds=200)))


async def test_a_restart_takes_the_statements_in_log_order(office: Office) -> None:
    """What is read back from the store gives the registry that stood when the process ended."""
    first, second = key("1"), key("2")
    await office.enrolment.record(registered(first, at=START - HOUR))
    await office.enrolment.record(revoked(first))
    await office.enrolment.record(registered(first, second, at=START))
    again = await office.again()
    assert again.revoked == office.registry.registry.revoked
    assert again.participants == office.registry.registry.participants
    async with office.ground.store.reading() as connection:
        indexes = await connection.scalars(select(authority_statements.c.log_index))
        assert sorted(indexes) == [0, 1, 2]


async def test_a_pin_is_the_canonical_form_of_its_jurisdiction(ground: Ground) -> None:
    """What is pinned is read back as it was, and another key makes another document."""
    await ground.committer.submit(JurisdictionWriter(), jurisdiction())
    async with ground.store.reading() as connection:
        stored = await read_registry(connection)
    assert stored.jurisdictions == {QC: jurisdiction_document(jurisdiction())}
    other = SigningKey.generate(AUTHORITY.kid, "Ed25519")
    assert jurisdiction_document(jurisdiction(other)) != stored.jurisdictions[QC]
    assert await ground.kinds() == ["jurisdiction-pinned"]


@pytest.mark.parametrize(
    "kid",
    [
        "exchange.example.log:receipt",
        "Exchange.Example.LOG:Receipt",
        "exchange.example.log:receipt-2027",
        "Transport-1",
        "transport-1",
    ],
)
async def test_no_participant_takes_a_name_of_the_exchange(office: Office, kid: str) -> None:
    """A key that could be taken for one of the exchange's own, now or after its next change of keys, is refused."""
    taken = SigningKey.generate(KeyId(kid), "Ed25519")
    with pytest.raises(StatementRefusedError, match="of a key of the exchange"):
        await office.enrolment.record(registered(key("1"), taken))
    assert office.registry.participant(SPVM) is None
    assert await office.ground.entries() == []


@pytest.mark.parametrize("kid", ["exchange.example", "exchange.example.logs:1", "transport-10"])
async def test_other_names_stay_free(office: Office, kid: str) -> None:
    """A name that merely resembles the exchange's is a participant's to choose."""
    own = SigningKey.generate(KeyId(kid), "Ed25519")
    await office.enrolment.record(registered(own))
    assert office.trusts(own)

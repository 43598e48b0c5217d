"""Several processes on one database: what one of them records counts in all, before anything else is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from gateway.errors import LogUnavailableError, OvertakenError, StatementRefusedError, UntrustedSignatureError
from gateway.store.agreements import AgreementWriter
from gateway.store.committer import Batch
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import RegistryFollower, decided_anew
from schemas.ids import JurisdictionCode, KeyId
from schemas.registry import Registry
from schemas.signing.keys import SigningKey
from tests.patience import GIVES_UP_AFTER
from tests.unit.agreements import builders
from tests.unit.gateway.ground import (
    Ground,
    acceptance,
    acceptances,
    enrolment_of,
    open_ground,
)
from tests.unit.gateway.test_registry import QC, jurisdiction, registered, revoked

KEY = SigningKey.generate(KeyId("ca-qc.spvm:1"), "Ed25519")


@dataclass(frozen=True, slots=True)
class Process:
    """What a gateway process has of its own."""

    ground: Ground
    registry: CurrentRegistry
    follower: RegistryFollower

    async def record(self, compact: bytes) -> int:
        """Record a statement and return its index."""
        return (await enrolment_of(self.ground, self.registry).record(compact))[1].log_index

    @property
    def trusts(self) -> bool:
        """Whether this process, as it stands, trusts the key."""
        return self.registry.registry.trusted_key(KEY.kid, self.ground.clock()) is not None


def process(ground: Ground) -> Process:
    """Return a process on a ground, whose registry has the pins alone."""
    registry = CurrentRegistry(Registry.of({QC: jurisdiction()}, []))
    ground.committer.standing = follower = RegistryFollower(registry, ground.store)
    return Process(ground, registry, follower)


@pytest.fixture
async def processes(postgres_database: str) -> AsyncIterator[tuple[Process, Process]]:
    """Yield two processes on one database."""
    async with open_ground(postgres_database) as first, open_ground(postgres_database, seed=2) as second:
        yield process(first), process(second)


async def test_a_decision_by_an_older_registry_is_not_written(processes: tuple[Process, Process]) -> None:
    """Whoever decided before another process recorded a statement is told so, and nothing is stored of it."""
    here, there = processes
    decided_at = there.registry.version
    assert await here.record(registered(KEY)) == 0
    with pytest.raises(OvertakenError):
        await there.ground.committer.submit(acceptances(), acceptance("A-1"), decided_at=decided_at)
    assert (there.trusts, there.registry.version) == (True, 1)
    await there.ground.committer.submit(acceptances(), acceptance("A-1"), decided_at=there.registry.version)
    assert await there.ground.kinds() == ["participant-registered", "accepted"]


async def test_a_revocation_in_one_process_counts_in_the_other_at_once(processes: tuple[Process, Process]) -> None:
    """The other's very next batch trusts the key no more, although nobody told it anything."""
    here, there = processes
    await here.record(registered(KEY))

    def trusted(kid: KeyId, batch: Batch) -> bool:
        return there.registry.within(batch).trusted_key(kid, batch.now) is not None

    writer = acceptances(trusted=trusted)
    await there.ground.committer.submit(writer, acceptance("A-1", kid=KEY.kid))
    await here.record(revoked(KEY))
    with pytest.raises(UntrustedSignatureError):
        await there.ground.committer.submit(writer, acceptance("A-2", kid=KEY.kid))
    assert await here.ground.kinds() == ["participant-registered", "accepted", "key-revoked"]


async def test_both_processes_come_to_the_same_registry(processes: tuple[Process, Process]) -> None:
    """Statements recorded by turns are refused, or count, as if one process had taken them all."""
    here, there = processes
    await here.record(registered(KEY))
    with pytest.raises(StatementRefusedError):
        await there.record(registered(SigningKey.generate(KeyId("ca-qc.spvm:2"), "Ed25519")))  # no newer than the first
    assert await there.record(registered(KEY)) == 0
    assert await there.record(revoked(KEY)) == 1
    await here.follower.look()
    assert (here.trusts, there.trusts) == (False, False)
    assert here.registry.version == there.registry.version == 2
    assert await here.ground.kinds() == ["participant-registered", "key-revoked"]


async def test_looks_at_one_time_are_one(processes: tuple[Process, Process]) -> None:
    """However many strangers knock, the database is asked once at a time; who asks later gets a later look."""
    here, there = processes
    first = asyncio.gather(*(there.follower.look() for _ in range(50)))
    await here.record(registered(KEY))
    await asyncio.gather(first, there.follower.look())
    assert there.trusts


async def test_a_running_follower_hears_of_it(processes: tuple[Process, Process]) -> None:
    """A process that writes nothing has the statement within milliseconds all the same."""
    here, there = processes
    running = asyncio.create_task(there.follower.run())
    await here.record(registered(KEY))
    await _until(lambda: there.trusts)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_look_that_failed_is_repeated(processes: tuple[Process, Process], postgres_database: str) -> None:
    """Its connection is cut within the look that a revocation caused; it counts all the same, with nothing logged."""
    here, there = processes
    running = asyncio.create_task(there.follower.run())
    await here.record(registered(KEY))
    await _until(lambda: there.trusts)
    blocking, cutting = await asyncpg.connect(postgres_database), await asyncpg.connect(postgres_database)
    async with asyncio.timeout(GIVES_UP_AFTER), blocking.transaction():
        await blocking.execute(
            "LOCK TABLE agreements IN ACCESS EXCLUSIVE MODE"
        )  # a look reads it, a revocation doesn't
        await here.record(revoked(KEY))
        while not await cutting.fetchval(_CUT_WHO_WAITS):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    await asyncio.gather(blocking.close(), cutting.close())
    await _until(lambda: not there.trusts)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVES_UP_AFTER):
        while not holds():  # noqa: ASYNC110 - a registry tells nobody
            await asyncio.sleep(0.005)


_CUT_WHO_WAITS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%agreements%'
"""


async def test_what_no_authority_has_signed_ends_the_other_process(processes: tuple[Process, Process]) -> None:
    """A row that was slipped into the registry's tables is not believed: the committer stops, and says why."""
    here, there = processes
    await here.record(registered(KEY))
    forged = "UPDATE authority_statements SET compact = overlay(compact PLACING 'AAAA'::bytea FROM length(compact) - 8)"
    await here.ground.tamper(forged)
    with pytest.raises(LogUnavailableError):
        await there.ground.committer.submit(acceptances(), acceptance("A-1"))
    assert "tampered" in str(there.ground.committer.failure)


def holding(ground: Ground, *codes: JurisdictionCode) -> CurrentRegistry:
    """Return the registry of a process on a ground whose jurisdictions file names these."""
    registry = CurrentRegistry(Registry.of({code: builders.jurisdictions()[code] for code in codes}, []))
    ground.committer.standing = RegistryFollower(registry, ground.store)
    return registry


async def test_an_older_jurisdictions_file_ends_no_process(processes: tuple[Process, Process]) -> None:
    """An agreement with a jurisdiction that this process has not pinned is left out here; the next one counts."""
    here, there = processes
    older = holding(there.ground, builders.QC, builders.NY)
    with_maine = builders.document(builders.grant(to=["US-ME"]), id="ca-qc.us-me.test", parties=["CA-QC", "US-ME"])
    await here.ground.committer.submit(AgreementWriter(here.registry), builders.verified(with_maine))
    await there.ground.committer.submit(acceptances(), acceptance("A-1"))
    assert (older.agreements, older.version) == ((), 3)
    with_new_york = builders.verified(builders.document())
    await here.ground.committer.submit(AgreementWriter(here.registry), with_new_york)
    await there.ground.committer.submit(acceptances(), acceptance("A-2"))
    assert older.agreements == (with_new_york,)


async def test_a_version_that_can_not_be_verified_ends_the_one_before(processes: tuple[Process, Process]) -> None:
    """Where a later version has an unknown party nothing is decided by the earlier one, which was replaced."""
    here, there = processes
    older = holding(there.ground, builders.QC, builders.NY)
    first = builders.verified(builders.document())
    await here.ground.committer.submit(AgreementWriter(here.registry), first)
    await there.ground.committer.submit(acceptances(), acceptance("A-1"))
    assert len(older.agreements) == 1
    second = builders.verified(builders.document(version=2, parties=["CA-QC", "US-NY", "US-ME"]))
    await here.ground.committer.submit(AgreementWriter(here.registry), second)
    await there.ground.committer.submit(acceptances(), acceptance("A-2"))
    assert len(older.agreements) == 0


async def test_an_agreement_that_nobody_signed_counts_for_nothing(processes: tuple[Process, Process]) -> None:
    """Where every party is known its signature is asked for, and a row that has none is not believed; others are."""
    here, there = processes
    older = holding(there.ground, builders.QC, builders.NY)
    other = builders.verified(builders.document(id="another.test"))
    for each in (builders.verified(builders.document()), other):
        await here.ground.committer.submit(AgreementWriter(here.registry), each)
    await here.ground.tamper(
        "UPDATE agreements SET signed = "
        """replace(encode(signed, 'escape'), '"signature":"', '"signature":"AAAA')::bytea """
        "WHERE agreement = 'ca-qc.us-ny.test'"
    )
    await there.ground.committer.submit(acceptances(), acceptance("A-1"))
    assert older.agreements == (other,)
    assert older.altered == {"ca-qc.us-ny.test"}


async def test_a_registry_that_never_rests_is_a_503() -> None:
    """What would have to be decided for ever anew is given up, with nothing stored."""

    async def decide() -> None:
        raise OvertakenError

    with pytest.raises(LogUnavailableError):
        await decided_anew(decide)

"""The parts of a process that readiness names, and how each is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import text

from audit.checkpoints import Checkpoint
from audit.cosigned import last_cosigned
from audit.errors import AuditError
from audit.log import read_head
from audit.note import LogSigner, open_note
from audit.policy import WitnessPolicy, missing
from gateway.clock import Clock
from gateway.log.ledger import Ledger
from gateway.sealing.contents import Contents
from gateway.signatures.beside import SignatureProcess
from gateway.store.engine import Store
from gateway.trust.registry import CurrentRegistry
from gateway.watching.health import WORKS, Check, Condition, Finding
from schemas.ids import ParticipantId
from schemas.signing.keys import PublicKey

LAG: Final = 10.0
"""Seconds that the log's head may go without a checkpoint before readiness says so."""
_PROBE: Final = b"readiness"


class HasLatest(Protocol):
    """Whoever knows the last checkpoint."""

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that was published last; None before the first."""
        ...


def database_check(ledger: Ledger) -> Check:
    """Return a look at the database: it answers, and the committer still writes."""

    async def look() -> Finding:
        if ledger.committer.failure is not None:
            return Finding(Condition.FAILING, "writing has ended")
        async with ledger.store.reading() as connection:
            await connection.execute(text("SELECT 1"))
        return WORKS

    return look


def log_check(ledger: Ledger, checkpoints: HasLatest, clock: Clock) -> Check:
    """Return a look at the log's head: nobody doubts it, it can be read, and a checkpoint follows it."""

    async def look() -> Finding:
        if ledger.doubts.reason is not None:
            return Finding(Condition.FAILING, ledger.doubts.detail, ledger.doubts.reason)
        async with ledger.store.reading() as connection:
            head = await read_head(connection)
        latest = checkpoints.latest
        if latest is not None and latest.size >= head.size:
            return Finding(Condition.WORKING, f"size {head.size}")
        if latest is None:
            return Finding(Condition.DEGRADED, f"size {head.size}, never signed")
        behind = (clock() - datetime.fromisoformat(latest.time)).total_seconds()
        # the checkpoint may be old because nothing happened: then the head has only just moved away from it
        return Finding(
            Condition.DEGRADED if behind > LAG and await _still_behind(checkpoints) else Condition.WORKING,
            f"size {head.size}, signed {latest.size}",
        )

    return look


async def _still_behind(checkpoints: HasLatest) -> bool:
    """Say whether no newer checkpoint comes within a second, which one does where anybody signs."""
    before = checkpoints.latest
    for _ in range(10):
        await asyncio.sleep(0.1)
        if checkpoints.latest is not before:
            return False
    return True


def signer_check(key: PublicKey, signatures: SignatureProcess) -> Check:
    """Return a look at the process that signs: it signs, and the signature is the key's."""

    async def look() -> Finding:
        if not signatures.available:
            return Finding(Condition.FAILING, "no process")
        (signature,) = await signatures.sign([_PROBE])
        return WORKS if key.verify(_PROBE, signature) else Finding(Condition.FAILING, "signatures do not verify")

    return look


def log_signer_check(signer: LogSigner) -> Check:
    """Return a look at the log's own key: it signs, and what it signs can be verified.

    The text that it signs is no checkpoint, so nobody could take it for one.
    """

    async def look() -> Finding:
        try:
            open_note(signer.sign(f"{_PROBE.decode()}\n").encode(), signer.verifier)
        except AuditError:
            return Finding(Condition.FAILING, "signatures do not verify")
        return WORKS

    return look


def adapters_check(unanswered: Callable[[], Mapping[ParticipantId, int]]) -> Check:
    """Return a look at what is on the bus: the adapters report on it."""

    async def look() -> Finding:
        waiting = unanswered()
        return Finding(Condition.DEGRADED, f"unanswered {sum(waiting.values())}") if waiting else WORKS

    return look


def witnesses_check(store: Store, policy: WitnessPolicy, clock: Clock) -> Check:
    """Return a look at the cosignatures: enough witnesses have cosigned lately, as the policy says."""

    async def look() -> Finding:
        now, fresh = clock().timestamp(), list[str]()
        async with store.reading() as connection:
            for key in policy.witnesses:
                last = await last_cosigned(connection, key.name)
                if last is not None and now - last[1] <= policy.within:
                    fresh.append(key.name)
        unmet = policy.unmet(fresh)
        if not unmet:
            return Finding(Condition.WORKING, f"cosigned by {len(fresh)}")
        return Finding(Condition.DEGRADED, f"lacking {'; '.join(map(str, unmet))}", missing(unmet))

    return look


def agreements_check(registry: CurrentRegistry) -> Check:
    """Return a look at the stored agreements: those that are not as their parties signed them are named."""

    async def look() -> Finding:
        altered = [*sorted(registry.altered), *(f"{each} (proposal)" for each in sorted(registry.altered_proposals))]
        return Finding(Condition.DEGRADED, f"altered {', '.join(altered)}") if altered else WORKS

    return look


def content_check(contents: Contents) -> Check:
    """Return a look at the folder of the content keys: a day's key can be made when the first alert needs it."""

    async def look() -> Finding:
        return WORKS if contents.folder.usable else Finding(Condition.DEGRADED, "the folder of content keys")

    return look


async def bus_here() -> Finding:
    """Find the bus of this process, which works for as long as the process does."""
    return WORKS

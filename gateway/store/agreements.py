"""Storing what parties sign of agreements: documents, signatures and steps, each once, each with its entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import insert, select, update

from agreements.book import ConflictingVersionsError
from agreements.document import Agreement
from agreements.life import StepRefusedError
from agreements.signed import (
    PartySignature,
    SignedAgreement,
    UntrustedAgreementError,
    VerifiedAgreement,
    read_signed,
)
from agreements.steps import LoggedStep, VerifiedStep
from gateway.errors import AgreementRefusedError
from gateway.store.agreed import digest_of, read_signatures
from gateway.store.committer import Batch
from gateway.store.milestones import (
    ended_entry,
    in_force_entry,
    proposed_entry,
    replaced_entries,
    signature_entry,
    step_entry,
)
from gateway.store.tables import (
    agreement_proposals,
    agreement_signatures,
    agreement_steps,
    agreements,
    registry_head,
)
from gateway.trust.registry import CurrentRegistry, StagedRegistry
from schemas.ids import JurisdictionCode
from schemas.signing.jws import MalformedJwsError, join_signatures
from schemas.timestamps import read_utc, utc_text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AgreementRecorded:
    """Where something stands in the log; ``replayed`` where it stood there before."""

    log_index: int
    replayed: bool


class AgreementWriter:
    """Stores agreements that every party has signed, each once, and lets them count when they stand.

    An entry for each signature that has none yet, one for the whole, and one for each version that it replaces.
    """

    def __init__(self, registry: CurrentRegistry) -> None:
        self._registry = registry

    async def write(
        self, batch: Batch, items: Sequence[VerifiedAgreement]
    ) -> Sequence[AgreementRecorded | AgreementRefusedError]:
        """Return the place of the entry that says each agreement binds, or why it can't."""
        staged = self._registry.stage(batch)
        results = [await complete(batch, staged, item) for item in items]
        batch.after_commit.append(lambda: self._registry.count(staged))
        return results


async def complete(
    batch: Batch, staged: StagedRegistry, item: VerifiedAgreement
) -> AgreementRecorded | AgreementRefusedError:
    """Store a complete agreement in a batch, also where another process has stored it already."""
    document = item.document
    known: int | None = await batch.connection.scalar(
        select(agreements.c.log_index).where(
            agreements.c.agreement == document.id, agreements.c.version == document.version
        )
    )
    before = staged.book
    try:
        staged.book = before.with_agreement(item)
    except ConflictingVersionsError as error:
        return AgreementRefusedError(error.reason)
    if known is not None:
        return AgreementRecorded(known, replayed=True)
    for signature in await _unlogged(batch, item.signed):
        batch.log.append(signature_entry(item.signed, signature))
    index = batch.log.append(in_force_entry(item))
    for draft in replaced_entries(before, document):
        batch.log.append(draft)
    await batch.connection.execute(
        insert(agreements),
        [
            {
                "agreement": document.id,
                "version": document.version,
                "signed": join_signatures([signature.compact for signature in item.signed.signatures]),
                "log_index": index,
            }
        ],
    )
    await move_version(batch, staged, index)
    return AgreementRecorded(index, replayed=False)


class SignatureWriter:
    """Stores proposals and their signatures, each once; the last one makes an agreement of its document."""

    def __init__(self, registry: CurrentRegistry) -> None:
        self._registry = registry

    async def write(
        self, batch: Batch, items: Sequence[SignedAgreement]
    ) -> Sequence[AgreementRecorded | AgreementRefusedError]:
        """Return the place of the last entry that each file made, or of the proposal where it brought nothing new."""
        staged = self._registry.stage(batch)
        results = [await self._write_one(batch, staged, item) for item in items]
        batch.after_commit.append(lambda: self._registry.count(staged))
        return results

    async def _write_one(
        self, batch: Batch, staged: StagedRegistry, item: SignedAgreement
    ) -> AgreementRecorded | AgreementRefusedError:
        try:
            if staged.book.holds(item):
                return AgreementRecorded(await _place(batch, item.document), replayed=True)
            whole = await self._with_stored(batch, item)
            if not whole.missing:  # asked before anything is written: what is refused must leave nothing
                staged.book.with_agreement(VerifiedAgreement(whole))
        except ConflictingVersionsError as error:
            return AgreementRefusedError(error.reason)
        except UntrustedAgreementError as error:
            return AgreementRefusedError(error.reason)
        recorded = await _record(batch, item)
        return recorded if whole.missing else await complete(batch, staged, VerifiedAgreement(whole))

    async def _with_stored(self, batch: Batch, item: SignedAgreement) -> SignedAgreement:
        """Return a file with the signatures that its document has already, each verified again.

        One that is not as its party made it counts for nothing: that party signs again.
        """
        mine = {signature.party: signature.compact for signature in item.signatures}
        stored = await read_signatures(batch.connection, item)
        try:
            return self._joined({**mine, **stored})
        except (UntrustedAgreementError, MalformedJwsError):
            log.critical("signature_altered", agreement=item.document.id, version=item.document.version)
        sound = {party: compact for party, compact in stored.items() if self._is_of(item, party, compact)}
        return self._joined({**mine, **sound})

    def _is_of(self, item: SignedAgreement, party: JurisdictionCode, compact: bytes) -> bool:
        try:
            read = self._joined({party: compact})
        except (UntrustedAgreementError, MalformedJwsError):
            return False
        return read.payload == item.payload and read.signatures[0].party == party

    def _joined(self, compacts: Mapping[JurisdictionCode, bytes]) -> SignedAgreement:
        return read_signed(join_signatures(list(compacts.values())), self._registry.jurisdictions)


async def _record(batch: Batch, item: SignedAgreement) -> AgreementRecorded:
    """Store a proposal where it is new, and the signatures over it that are."""
    fresh = await _unlogged(batch, item)
    proposed: int | None = await batch.connection.scalar(
        select(agreement_proposals.c.log_index).where(agreement_proposals.c.digest == digest_of(item))
    )
    index = await _propose(batch, item) if proposed is None else proposed
    for signature in fresh:
        index = batch.log.append(signature_entry(item, signature))
        row = {"digest": digest_of(item), "party": signature.party, "compact": signature.compact, "log_index": index}
        await batch.connection.execute(insert(agreement_signatures), [row])
    return AgreementRecorded(index, replayed=not fresh)


async def _place(batch: Batch, document: Agreement) -> int:
    """Return the index of the entry that says a complete version binds."""
    index = await batch.connection.scalar(
        select(agreements.c.log_index).where(
            agreements.c.agreement == document.id, agreements.c.version == document.version
        )
    )
    return int(index or 0)


class StepWriter:
    """Stores steps, each once, and lets them count when they stand."""

    def __init__(self, registry: CurrentRegistry) -> None:
        self._registry = registry

    async def write(
        self, batch: Batch, items: Sequence[VerifiedStep]
    ) -> Sequence[AgreementRecorded | AgreementRefusedError]:
        """Return the place of each step's entry, or why the agreement's life has no place for it."""
        staged = self._registry.stage(batch)
        results = [await self._write_one(batch, staged, item) for item in items]
        batch.after_commit.append(lambda: self._registry.count(staged))
        return results

    async def _write_one(
        self, batch: Batch, staged: StagedRegistry, item: VerifiedStep
    ) -> AgreementRecorded | AgreementRefusedError:
        known: int | None = await batch.connection.scalar(
            select(agreement_steps.c.log_index).where(agreement_steps.c.digest == item.digest)
        )
        if known is not None:
            return AgreementRecorded(known, replayed=True)
        try:
            book = staged.book.with_step(LoggedStep(item, _logged_at(batch)))
        except StepRefusedError as error:
            return AgreementRefusedError(error.reason)
        life = book.chapters[item.step.about].life
        index = batch.log.append(step_entry(item, life))
        if life.ended is not None:
            batch.log.append(ended_entry(item, life))
        step = item.step
        await batch.connection.execute(
            insert(agreement_steps),
            [
                {
                    "digest": item.digest,
                    "agreement": step.agreement,
                    "version": step.version,
                    "compact": item.compact,
                    "log_index": index,
                }
            ],
        )
        staged.book = book
        await move_version(batch, staged, index)
        return AgreementRecorded(index, replayed=False)


def _logged_at(batch: Batch) -> datetime:
    """Return the instant that the log gives a batch's entries: a step counts from it, whoever reads it, whenever."""
    return read_utc(utc_text(batch.now))


async def move_version(batch: Batch, staged: StagedRegistry, index: int) -> None:
    """Say that the registry has come as far as an entry, so that every process takes it."""
    staged.version = index + 1
    statement = update(registry_head).where(registry_head.c.version < index + 1).values(version=index + 1)
    await batch.connection.execute(statement)


async def _unlogged(batch: Batch, item: SignedAgreement) -> list[PartySignature]:
    """Return the signatures of a file that were not stored with their document before."""
    stored = await batch.connection.scalars(
        select(agreement_signatures.c.party).where(agreement_signatures.c.digest == digest_of(item))
    )
    parties = set(stored)
    return [signature for signature in item.signatures if signature.party not in parties]


async def _propose(batch: Batch, item: SignedAgreement) -> int:
    index = batch.log.append(proposed_entry(item))
    await batch.connection.execute(
        insert(agreement_proposals),
        [
            {
                "digest": digest_of(item),
                "agreement": item.document.id,
                "version": item.document.version,
                "payload": item.payload,
                "log_index": index,
            }
        ],
    )
    return index

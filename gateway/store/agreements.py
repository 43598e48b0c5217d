"""Agreements in the database: documents, signatures and steps, each with its entry.

Nothing read from here is trusted before ``gateway.assay`` has verified it again and held it against the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

import orjson
from sqlalchemy import Column, ColumnElement, Row, Select, Table, insert, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from agreements.book import Book, ConflictingVersionsError
from agreements.document import Agreement
from agreements.life import Life, StepRefusedError
from agreements.signed import (
    PartySignature,
    SignedAgreement,
    UntrustedAgreementError,
    VerifiedAgreement,
    read_signed,
)
from agreements.steps import LoggedStep, StepKind, VerifiedStep, document_digest
from audit.entry import Draft, Kind
from audit.tables import log_entries
from gateway.assay import StoredAgreements, StoredDocument, StoredEntry
from gateway.errors import AgreementRefusedError
from gateway.registry import CurrentRegistry, StagedRegistry
from gateway.store.committer import Batch
from gateway.store.tables import (
    agreement_proposals,
    agreement_signatures,
    agreement_steps,
    agreements,
    registry_head,
)
from schemas.ids import AgreementId
from schemas.signing.canonical import PlainValue
from schemas.signing.jws import join_signatures
from schemas.timestamps import utc_text

STEP_KINDS: Final[Mapping[StepKind, Kind]] = {
    StepKind.SUSPENSION: Kind.AGREEMENT_SUSPENDED,
    StepKind.RESUMPTION: Kind.AGREEMENT_RESUMED,
    StepKind.WITHDRAWAL: Kind.AGREEMENT_WITHDRAWN,
    StepKind.ACCESSION: Kind.AGREEMENT_ACCEDED,
}


async def read_agreements(connection: AsyncConnection, *, since: int = 0) -> StoredAgreements:
    """Return every complete agreement, every step, and the log's entries about them, from an index on."""
    complete = await connection.execute(_of(agreements, agreements.c.signed, since))
    stated = await connection.execute(_of(agreement_steps, agreement_steps.c.compact, since))
    logged = await connection.execute(
        select(
            log_entries.c.log_index,
            log_entries.c.kind,
            log_entries.c.agreement,
            *map(_as_it_is, (log_entries.c.salt, log_entries.c.content, log_entries.c.commitment)),
        )
        .where(
            log_entries.c.agreement.is_not(None),
            log_entries.c.alert_id.is_(None),
            log_entries.c.log_index >= since,
        )
        .order_by(log_entries.c.log_index)
    )
    return StoredAgreements(
        tuple(_document(row) for row in complete),
        tuple(_document(row) for row in stated),
        tuple(StoredEntry(index, kind, name, *map(_bytes, committed)) for index, kind, name, *committed in logged),
    )


def _of(table: Table, content: Column[bytes], since: int) -> Select[Any]:
    columns = (table.c.agreement, table.c.version, _as_it_is(content).label("content"), table.c.log_index)
    return select(*columns).where(table.c.log_index >= since).order_by(table.c.log_index)


def _document(row: Row[Any]) -> StoredDocument:
    return StoredDocument(row.agreement, row.version, _bytes(row.content), row.log_index)


def _as_it_is(column: ColumnElement[bytes]) -> ColumnElement[Any]:
    """Return a column whose values are not converted: SQLite may hold a text there, which is an alteration."""
    return type_coerce(column, NullType())


def _bytes(value: object) -> bytes:
    """Return bytes as they are; whatever else stands in their place was never signed."""
    return value if isinstance(value, bytes) else b""


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
    index = batch.log.append(_in_force_entry(item))
    for draft in _replaced_entries(before, document):
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
        """Return a file with the signatures that its document has already, each verified again."""
        stored = await batch.connection.execute(
            select(agreement_signatures.c.party, agreement_signatures.c.compact).where(
                agreement_signatures.c.digest == _digest(item)
            )
        )
        compacts = {signature.party: signature.compact for signature in item.signatures}
        compacts.update({row.party: row.compact for row in stored})
        return read_signed(join_signatures(list(compacts.values())), self._registry.jurisdictions)


async def _record(batch: Batch, item: SignedAgreement) -> AgreementRecorded:
    """Store a proposal where it is new, and the signatures over it that are."""
    fresh = await _unlogged(batch, item)
    proposed: int | None = await batch.connection.scalar(
        select(agreement_proposals.c.log_index).where(agreement_proposals.c.digest == _digest(item))
    )
    index = await _propose(batch, item) if proposed is None else proposed
    for signature in fresh:
        index = batch.log.append(signature_entry(item, signature))
        row = {"digest": _digest(item), "party": signature.party, "compact": signature.compact, "log_index": index}
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
            book = staged.book.with_step(LoggedStep(item, batch.now))
        except StepRefusedError as error:
            return AgreementRefusedError(error.reason)
        life = book.chapters[item.step.about].life
        index = batch.log.append(_step_entry(item, life))
        if life.ended is not None:
            batch.log.append(_ended_entry(item, life))
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


async def move_version(batch: Batch, staged: StagedRegistry, index: int) -> None:
    """Say that the registry has come as far as an entry, so that every process takes it."""
    staged.version = index + 1
    statement = update(registry_head).where(registry_head.c.version < index + 1).values(version=index + 1)
    await batch.connection.execute(statement)


async def _unlogged(batch: Batch, item: SignedAgreement) -> list[PartySignature]:
    """Return the signatures of a file that were not stored with their document before."""
    stored = await batch.connection.scalars(
        select(agreement_signatures.c.party).where(agreement_signatures.c.digest == _digest(item))
    )
    parties = set(stored)
    return [signature for signature in item.signatures if signature.party not in parties]


async def _propose(batch: Batch, item: SignedAgreement) -> int:
    first = item.signatures[0]
    index = batch.log.append(
        _entry(
            Kind.AGREEMENT_PROPOSED,
            item.document,
            {
                "version": item.document.version,
                "digest": document_digest(item.payload),
                "jurisdiction": first.party,
            },
        )
    )
    await batch.connection.execute(
        insert(agreement_proposals),
        [
            {
                "digest": _digest(item),
                "agreement": item.document.id,
                "version": item.document.version,
                "payload": item.payload,
                "log_index": index,
            }
        ],
    )
    return index


def _digest(item: SignedAgreement) -> bytes:
    return hashlib.sha256(item.payload).digest()


def signature_entry(signed: SignedAgreement, signature: PartySignature) -> Draft:
    """Return the entry of one party's signature."""
    return _entry(
        Kind.AGREEMENT_SIGNED,
        signed.document,
        {
            "version": signed.document.version,
            "digest": document_digest(signed.payload),
            "jurisdiction": signature.party,
            "kid": signature.kid,
            "signed_at": utc_text(signature.signed_at),
        },
    )


def _in_force_entry(item: VerifiedAgreement) -> Draft:
    return _entry(
        Kind.AGREEMENT_IN_FORCE,
        item.document,
        {
            "version": item.document.version,
            "digest": document_digest(item.signed.payload),
            "from": item.document.valid.start,
            "until": item.document.valid.until,
        },
    )


def _replaced_entries(book: Book, document: Agreement) -> list[Draft]:
    earlier = [version for name, version in book.chapters if name == document.id and version < document.version]
    return [
        _entry(
            Kind.AGREEMENT_REPLACED,
            document,
            {"version": version, "by": document.version, "from": document.valid.start},
        )
        for version in sorted(earlier)
    ]


def _step_entry(item: VerifiedStep, life: Life) -> Draft:
    step = item.step
    content: dict[str, PlainValue] = {
        "version": step.version,
        "digest": step.digest,
        "jurisdiction": step.party,
        "kid": item.kid,
        "statement": f"sha-256:{item.digest.hex()}",
        "stated_at": step.at,
    }
    match step.step:
        case StepKind.RESUMPTION:
            running = life.open_suspension
            content["awaits"] = [] if running is None else sorted(life.bound - running.resuming)
        case StepKind.SUSPENSION | StepKind.WITHDRAWAL | StepKind.ACCESSION:
            pass
        case unreachable:
            assert_never(unreachable)
    return _life_entry(STEP_KINDS[step.step], step.agreement, life, content)


def _ended_entry(item: VerifiedStep, life: Life) -> Draft:
    step = item.step
    content: dict[str, PlainValue] = {"version": step.version, "digest": step.digest, "jurisdiction": step.party}
    return _life_entry(Kind.AGREEMENT_ENDED, step.agreement, life, content)


def _life_entry(kind: Kind, agreement: AgreementId, life: Life, content: Mapping[str, PlainValue]) -> Draft:
    return Draft(
        kind=kind,
        actor=None,
        jurisdictions=tuple(life.members),
        alert_id=None,
        agreement=agreement,
        content=content,
    )


def _entry(kind: Kind, document: Agreement, content: Mapping[str, PlainValue]) -> Draft:
    return Draft(
        kind=kind,
        actor=None,
        jurisdictions=tuple(document.parties),
        alert_id=None,
        agreement=document.id,
        content=content,
    )


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """A document that was proposed, as bytes, and the signatures over it so far; nothing in it is verified here."""

    payload: bytes
    compacts: tuple[bytes, ...]


async def is_proposed(connection: AsyncConnection, signed: SignedAgreement) -> bool:
    """Say whether a document was proposed, or stands among the complete ones."""
    proposed = select(agreement_proposals.c.log_index).where(agreement_proposals.c.digest == _digest(signed))
    standing = select(agreements.c.log_index).where(
        agreements.c.agreement == signed.document.id, agreements.c.version == signed.document.version
    )
    return (await connection.execute(proposed.union_all(standing))).first() is not None


async def read_proposals(connection: AsyncConnection) -> Sequence[StoredProposal]:
    """Return every proposal with its signatures, the latest last."""
    said = await connection.execute(
        select(agreement_signatures.c.digest, agreement_signatures.c.compact).order_by(agreement_signatures.c.log_index)
    )
    compacts: dict[bytes, list[bytes]] = {}
    for row in said:
        compacts.setdefault(row.digest, []).append(row.compact)
    rows = await connection.execute(
        select(agreement_proposals.c.digest, agreement_proposals.c.payload).order_by(agreement_proposals.c.log_index)
    )
    return [StoredProposal(row.payload, tuple(compacts.get(row.digest, ()))) for row in rows]


async def read_history(connection: AsyncConnection, agreement: AgreementId) -> Sequence[Mapping[str, Any]]:
    """Return the log's entries about an agreement and no alert, in their order, as the JSON that they are."""
    contents = await connection.scalars(
        select(log_entries.c.content)
        .where(log_entries.c.agreement == agreement, log_entries.c.alert_id.is_(None))
        .order_by(log_entries.c.log_index)
    )
    return [orjson.loads(content) for content in contents]

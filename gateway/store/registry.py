"""The registry's rows: pinned jurisdictions and authority statements, each with its entry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from gateway.errors import StatementRefusedError, StoreError
from gateway.store.agreed import read_agreements
from gateway.store.agreements import move_version
from gateway.store.committer import Batch
from gateway.store.tables import authority_statements, jurisdictions, registry_head
from gateway.trust.assay import StoredAgreements
from gateway.trust.registry import CurrentRegistry, StagedRegistry
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, ParticipantId, home_of
from schemas.signing.canonical import PlainValue, canonical_bytes
from schemas.statements import Jurisdiction, KeyRevocation, ParticipantStatement, VerifiedStatement
from schemas.timestamps import utc_text


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A statement as signed, and whom it was stored as being about."""

    participant: ParticipantId
    compact: bytes


@dataclass(frozen=True, slots=True)
class StoredRegistry:
    """What the database holds, as signed: nothing in it is trusted before its signatures are verified again.

    ``version`` is how far the registry had come when it was read.
    """

    version: int
    jurisdictions: dict[JurisdictionCode, bytes]
    statements: tuple[StoredStatement, ...]
    agreements: StoredAgreements


async def read_version(connection: AsyncConnection) -> int:
    """Return how far the registry has come."""
    return int(await connection.scalar(select(registry_head.c.version)) or 0)


async def read_registry(connection: AsyncConnection, *, since: int = 0) -> StoredRegistry:
    """Return the jurisdictions, and every statement and agreement from an index on, in the order of the log."""
    version = await read_version(connection)
    pinned = await connection.execute(select(jurisdictions.c.code, jurisdictions.c.document))
    said = await connection.execute(
        select(authority_statements.c.participant, authority_statements.c.compact)
        .where(authority_statements.c.log_index >= since)
        .order_by(authority_statements.c.log_index)
    )
    return StoredRegistry(
        version=version,
        jurisdictions={JurisdictionCode(row.code): row.document for row in pinned},
        statements=tuple(StoredStatement(ParticipantId(row.participant), row.compact) for row in said),
        agreements=await read_agreements(connection, since=since),
    )


def jurisdiction_document(jurisdiction: Jurisdiction) -> bytes:
    """Return the canonical bytes under which a jurisdiction and its authority keys are pinned."""
    return canonical_bytes(jurisdiction.model_dump(mode="json"))


def changed_pin(code: JurisdictionCode) -> StoreError:
    """Return what the operator is told of a jurisdiction whose entry is not what was pinned."""
    return StoreError(
        Bilingual(
            fr=f"Le fichier des juridictions ne dit plus de {code} ce qui a été épinglé à la mise en place de cette "
            "plateforme : rétablissez son entrée.",
            en=f"The jurisdictions file no longer says of {code} what was pinned when this exchange was set up: "
            "restore its entry.",
        )
    )


class JurisdictionWriter:
    """Pins jurisdictions when an exchange is set up, each once and for good."""

    async def write(self, batch: Batch, items: Sequence[Jurisdiction]) -> Sequence[int | StoreError]:
        """Return the index of each pin's entry, or why it can't be pinned: another process pinned it otherwise."""
        known = {row.code: row for row in await batch.connection.execute(select(jurisdictions))}
        indices: list[int | StoreError] = []
        for item in items:
            document = jurisdiction_document(item)
            pinned = known.get(item.code)
            if pinned is not None:
                indices.append(pinned.log_index if pinned.document == document else changed_pin(item.code))
                continue
            index = batch.log.append(
                Draft(
                    kind=Kind.JURISDICTION_PINNED,
                    actor=None,
                    jurisdictions=(item.code,),
                    alert_id=None,
                    agreement=None,
                    content={
                        "jurisdiction": item.code,
                        "authority_keys": [key.kid for key in item.authority_keys],
                        "digest": f"sha-256:{hashlib.sha256(document).hexdigest()}",
                    },
                )
            )
            await batch.connection.execute(
                insert(jurisdictions), [{"code": item.code, "document": document, "log_index": index}]
            )
            indices.append(index)
        return indices


@dataclass(frozen=True, slots=True)
class StatementRecorded:
    """Where a statement stands in the log; ``replayed`` where it stood there before."""

    log_index: int
    replayed: bool


class StatementWriter:
    """Stores authority statements, each once, and lets them count when they stand."""

    def __init__(self, registry: CurrentRegistry) -> None:
        self._registry = registry

    async def write(
        self, batch: Batch, items: Sequence[VerifiedStatement]
    ) -> Sequence[StatementRecorded | StatementRefusedError]:
        """Return the index of each statement's entry, or why the registry does not take it."""
        staged = self._registry.stage(batch)
        results = [await self._write_one(batch, staged, item) for item in items]
        batch.after_commit.append(lambda: self._registry.count(staged))
        return results

    async def _write_one(
        self, batch: Batch, staged: StagedRegistry, item: VerifiedStatement
    ) -> StatementRecorded | StatementRefusedError:
        digest = hashlib.sha256(item.compact).digest()
        statement = select(authority_statements.c.log_index).where(authority_statements.c.digest == digest)
        known = (await batch.connection.execute(statement)).scalar_one_or_none()
        if known is not None:
            with suppress(StatementRefusedError):  # it counts, unless the commit that stored it seemed to fail
                staged.add(item)
            return StatementRecorded(known, replayed=True)
        try:
            staged.add(item)
        except StatementRefusedError as refusal:
            return refusal
        index = batch.log.append(_statement_entry(item, digest))
        await move_version(batch, staged, index)
        await batch.connection.execute(
            insert(authority_statements),
            [
                {
                    "digest": digest,
                    "participant": item.statement.participant,
                    "compact": item.compact,
                    "log_index": index,
                }
            ],
        )
        return StatementRecorded(index, replayed=False)


def _statement_entry(item: VerifiedStatement, digest: bytes) -> Draft:
    said = item.statement
    common: dict[str, PlainValue] = {
        "participant": said.participant,
        "statement": f"sha-256:{digest.hex()}",
        "authority_kid": item.authority_kid,
        "issued_at": utc_text(item.issued_at),
    }
    match said:
        case ParticipantStatement():
            kind = Kind.PARTICIPANT_REGISTERED
            content = {**common, "roles": [str(role) for role in said.roles], "keys": [key.kid for key in said.keys]}
        case KeyRevocation():
            kind = Kind.KEY_REVOKED
            content = {**common, "kid": said.kid, "revoked_at": said.revoked_at}
        case unreachable:
            assert_never(unreachable)
    return Draft(
        kind=kind,
        actor=said.participant,
        jurisdictions=(home_of(said.participant),),
        alert_id=None,
        agreement=None,
        content=content,
    )

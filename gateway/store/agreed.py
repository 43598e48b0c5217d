"""What the database holds of agreements, as it stands there.

Nothing read from here is trusted before ``gateway.trust.assay`` has verified it again and held it against the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Column, ColumnElement, Row, Select, Table, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from agreements.signed import SignedAgreement
from audit.tables import log_entries
from gateway.store.tables import agreement_proposals, agreement_signatures, agreement_steps, agreements
from gateway.trust.assay import StoredAgreements, StoredDocument, StoredEntry
from schemas.ids import AgreementId, JurisdictionCode

NO_END: Final = (1 << 63) - 1
"""Beyond every index."""


def digest_of(signed: SignedAgreement) -> bytes:
    """Return what a document's row is known by: the SHA-256 of the bytes that its parties sign."""
    return hashlib.sha256(signed.payload).digest()


async def read_agreements(connection: AsyncConnection, *, since: int = 0, until: int = NO_END) -> StoredAgreements:
    """Return every complete agreement, every step, and the log's entries about them, from an index up to another."""
    complete = await connection.execute(_of(agreements, agreements.c.signed, since, until))
    stated = await connection.execute(_of(agreement_steps, agreement_steps.c.compact, since, until))
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
            log_entries.c.log_index < until,
        )
        .order_by(log_entries.c.log_index)
    )
    return StoredAgreements(
        tuple(_document(row) for row in complete),
        tuple(_document(row) for row in stated),
        tuple(StoredEntry(index, kind, name, *map(_bytes, committed)) for index, kind, name, *committed in logged),
    )


def _of(table: Table, content: Column[bytes], since: int, until: int) -> Select[Any]:
    columns = (table.c.agreement, table.c.version, _as_it_is(content).label("content"), table.c.log_index)
    within = table.c.log_index >= since, table.c.log_index < until
    return select(*columns).where(*within).order_by(table.c.log_index)


def _document(row: Row[Any]) -> StoredDocument:
    return StoredDocument(row.agreement, row.version, _bytes(row.content), row.log_index)


def _as_it_is(column: ColumnElement[bytes]) -> ColumnElement[Any]:
    """Return a column whose values are not converted: SQLite may hold a text there, which is an alteration."""
    return type_coerce(column, NullType())


def _bytes(value: object) -> bytes:
    """Return bytes as they are; whatever else stands in their place was never signed."""
    return value if isinstance(value, bytes) else b""


_COMPACT: Final = _as_it_is(agreement_signatures.c.compact).label("compact")


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """The row of a document that was proposed; nothing in it is verified here."""

    digest: bytes
    agreement: str
    version: int
    payload: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """The row of a signature over a document that was proposed; nothing in it is verified here."""

    digest: bytes
    party: str
    compact: bytes
    log_index: int


async def read_proposal_rows(connection: AsyncConnection) -> tuple[Sequence[ProposalRow], Sequence[SignatureRow]]:
    """Return what is stored of proposals and of the signatures over them."""
    table, signed = agreement_proposals, agreement_signatures
    documents = await connection.execute(
        select(
            _as_it_is(table.c.digest), table.c.agreement, table.c.version, _as_it_is(table.c.payload), table.c.log_index
        )
    )
    signatures = await connection.execute(
        select(_as_it_is(signed.c.digest), signed.c.party, _COMPACT, signed.c.log_index)
    )
    return (
        [ProposalRow(_bytes(digest), name, version, _bytes(said), at) for digest, name, version, said, at in documents],
        [SignatureRow(_bytes(digest), party, _bytes(compact), at) for digest, party, compact, at in signatures],
    )


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """The signatures over a document that was proposed, so far; nothing in them is verified here."""

    compacts: tuple[bytes, ...]


async def is_proposed(connection: AsyncConnection, signed: SignedAgreement) -> bool:
    """Say whether a document was proposed, or stands among the complete ones."""
    proposed = select(agreement_proposals.c.log_index).where(agreement_proposals.c.digest == digest_of(signed))
    standing = select(agreements.c.log_index).where(
        agreements.c.agreement == signed.document.id, agreements.c.version == signed.document.version
    )
    return (await connection.execute(proposed.union_all(standing))).first() is not None


async def read_proposals(connection: AsyncConnection) -> Sequence[StoredProposal]:
    """Return every proposal with its signatures, the latest last."""
    said = await connection.execute(
        select(agreement_signatures.c.digest, _COMPACT).order_by(agreement_signatures.c.log_index)
    )
    compacts: dict[bytes, list[bytes]] = {}
    for row in said:
        compacts.setdefault(row.digest, []).append(_bytes(row.compact))
    rows = await connection.scalars(select(agreement_proposals.c.digest).order_by(agreement_proposals.c.log_index))
    return [StoredProposal(tuple(compacts.get(digest, ()))) for digest in rows]


async def read_signatures(connection: AsyncConnection, signed: SignedAgreement) -> Mapping[JurisdictionCode, bytes]:
    """Return the signatures that a document has, by whose they are said to be."""
    said = await connection.execute(
        select(agreement_signatures.c.party, _COMPACT).where(agreement_signatures.c.digest == digest_of(signed))
    )
    return {JurisdictionCode(row.party): _bytes(row.compact) for row in said}


async def read_history(connection: AsyncConnection, agreement: AgreementId) -> Sequence[Mapping[str, Any]]:
    """Return the log's entries about an agreement and no alert, in their order, as the JSON that they are."""
    contents = await connection.scalars(
        select(log_entries.c.content)
        .where(log_entries.c.agreement == agreement, log_entries.c.alert_id.is_(None))
        .order_by(log_entries.c.log_index)
    )
    return [orjson.loads(content) for content in contents]

"""Writing down what was compared: the exchange's own daily statements, partners' statements, and what differed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft
from audit.kinds import Kind
from gateway.store.committer import Batch
from gateway.store.tables import period_statements, reconciliations
from schemas.ids import AgreementId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.reconciliation import Group, PartnerStatement, Period
from schemas.signing.canonical import canonical_plain_bytes

MOST_LISTED: Final = 20
"""Groups that differ which one entry lists at most; their digests are all in the statements."""


@dataclass(frozen=True, slots=True)
class OwnStatement:
    """What the exchange handed to a participant in a period, as its log is to have it."""

    participant: ParticipantId
    period: Period
    groups: tuple[Group, ...]
    open: int

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what it says; how many are open does not count, only whether any is."""
        said: dict[str, Any] = {"groups": _plain(self.groups), "open": self.open > 0}
        return hashlib.sha256(canonical_plain_bytes(said)).digest()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A partner's statement whose signature was verified, beside the exchange's.

    ``digest`` is the SHA-256 of its payload, ``ours`` that of the exchange's; ``differing`` are pairs of groups, the
    exchange's first. ``answer`` is what the partner is told, but for the place in the log.
    """

    statement: PartnerStatement
    kid: KeyId
    compact: bytes
    digest: bytes
    ours: bytes
    deliveries: int
    differing: tuple[tuple[Group, Group], ...]
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer to a statement, and whether the same one had it before."""

    answer: dict[str, Any]
    replayed: bool


@dataclass(frozen=True, slots=True)
class KnownStatement:
    """A partner's statement that was taken."""

    participant: ParticipantId
    compact: bytes


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs among the deliveries of one sender's jurisdiction under one agreement; None where nobody sent it.

    ``named`` are some of them, each with its difference and the state that the exchange has it in.
    """

    participant: ParticipantId
    period: Period
    statement: str
    sender: JurisdictionCode | None
    agreement: AgreementId | None
    missing: int
    extra: int
    altered: int
    named: tuple[dict[str, str], ...]


class OwnStatementWriter:
    """Writes the exchange's own statements, each where it says something new."""

    async def write(self, batch: Batch, items: Sequence[OwnStatement]) -> Sequence[bool]:
        """Return for each whether it was written."""
        return [await self._write_one(batch, item) for item in items]

    async def _write_one(self, batch: Batch, item: OwnStatement) -> bool:
        day = period_statements.c
        from_ms = _ms(item.period)[0]
        last = await batch.connection.scalar(
            select(day.digest)
            .where(day.participant == item.participant, day.from_ms == from_ms)
            .order_by(day.log_index.desc())
            .limit(1)
        )
        if last == item.digest:
            return False
        row = {
            "participant": item.participant,
            "from_ms": from_ms,
            "log_index": batch.log.append(_stated_entry(item)),
            "digest": item.digest,
            "at_ms": batch.now_ms,
        }
        await batch.connection.execute(insert(period_statements), [row])
        return True


class ComparisonWriter:
    """Stores partners' statements and how each compared; the first answer to one stands."""

    async def write(self, batch: Batch, items: Sequence[Comparison]) -> Sequence[Compared]:
        """Return the answer to each."""
        return [await self._write_one(batch, item) for item in items]

    async def _write_one(self, batch: Batch, item: Comparison) -> Compared:
        known = reconciliations.c
        before = await batch.connection.scalar(select(known.answer).where(known.digest == item.digest))
        if before is not None:
            return Compared(orjson.loads(before), replayed=True)
        index = batch.log.append(_compared_entry(item))
        answer = {**item.answer, "log_index": index}
        from_ms, until_ms = _ms(item.statement)
        row = {
            "digest": item.digest,
            "participant": item.statement.participant,
            "from_ms": from_ms,
            "until_ms": until_ms,
            "at_ms": batch.now_ms,
            "compact": item.compact,
            "answer": orjson.dumps(answer),
            "log_index": index,
        }
        await batch.connection.execute(insert(reconciliations), [row])
        return Compared(answer, replayed=False)


class DifferencesWriter:
    """Writes what differs, an entry for each part of it."""

    async def write(self, batch: Batch, items: Sequence[Sequence[Differing]]) -> Sequence[list[int]]:
        """Return the places of the entries of each item."""
        return [[batch.log.append(_differed_entry(part)) for part in item] for item in items]


async def read_known(connection: AsyncConnection, digest: bytes) -> KnownStatement | None:
    """Return a statement that was taken, by the SHA-256 of its payload."""
    known = reconciliations.c
    row = (
        await connection.execute(select(known.participant, known.compact).where(known.digest == digest))
    ).one_or_none()
    return None if row is None else KnownStatement(ParticipantId(row.participant), row.compact)


async def waiting_since(connection: AsyncConnection, participant: ParticipantId) -> int | None:
    """Return when a participant last reconciled, or else when the exchange first had something to say to it.

    In ms since the Unix epoch; None where there was nothing to reconcile so far.
    """
    known, day = reconciliations.c, period_statements.c
    last = await connection.scalar(select(func.max(known.at_ms)).where(known.participant == participant))
    if last is None:
        last = await connection.scalar(select(func.min(day.at_ms)).where(day.participant == participant))
    return None if last is None else int(last)


def _ms(period: Period) -> tuple[int, int]:
    return round(period.first.timestamp() * 1000), round(period.end.timestamp() * 1000)


def _plain(groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [group.model_dump(mode="json") for group in groups]


def _stated_entry(item: OwnStatement) -> Draft:
    return Draft(
        kind=Kind.RECONCILIATION_STATED,
        actor=None,
        jurisdictions=(home_of(item.participant),),
        alert_id=None,
        agreement=None,
        content={
            "participant": item.participant,
            "from": item.period.start,
            "until": item.period.until,
            "groups": _plain(item.groups),
            "open": item.open,
        },
    )


def _compared_entry(item: Comparison) -> Draft:
    said = item.statement
    listed: list[Any] = [
        {
            "agreement": ours.agreement,
            "lane": None if ours.lane is None else ours.lane.value,
            "ours": {"deliveries": ours.deliveries, "digest": ours.digest},
            "theirs": {"deliveries": theirs.deliveries, "digest": theirs.digest},
        }
        for ours, theirs in item.differing[:MOST_LISTED]
    ]
    return Draft(
        kind=Kind.RECONCILED,
        actor=said.participant,
        jurisdictions=(home_of(said.participant),),
        alert_id=None,
        agreement=None,
        content={
            "participant": said.participant,
            "from": said.start,
            "until": said.until,
            "agreed": not item.differing,
            "kid": item.kid,
            "statement": f"sha-256:{item.digest.hex()}",
            "ours": f"sha-256:{item.ours.hex()}",
            "deliveries": {"ours": item.deliveries, "theirs": sum(group.deliveries for group in said.groups)},
            "differing": listed,
        },
    )


def _differed_entry(item: Differing) -> Draft:
    return Draft(
        kind=Kind.RECONCILIATION_DIFFERED,
        actor=item.participant,
        jurisdictions=(home_of(item.participant), *(() if item.sender is None else (item.sender,))),
        alert_id=None,
        agreement=item.agreement,
        content={
            "participant": item.participant,
            "from": item.period.start,
            "until": item.period.until,
            "statement": item.statement,
            "missing": item.missing,
            "extra": item.extra,
            "altered": item.altered,
            "deliveries": list(item.named),
        },
    )

"""Comparing a partner's book with the exchange's: the statement, the answer, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.ids import KeyId, ParticipantId
from schemas.reconciliation import (
    EVERYTHING,
    MOST_GROUPS,
    NOTHING,
    ExchangeStatement,
    Group,
    GroupName,
    Line,
    PartnerStatement,
    Period,
    UnreadableStatementError,
    read_exchange_statement,
    tallied,
)
from schemas.signing.jws import (
    RECONCILIATION,
    RECONCILIATION_STATEMENT,
    MalformedJwsError,
    SignatureNotTrustedError,
    read_compact,
    sign_compact,
)
from schemas.signing.keys import PublicKey, SigningKey
from schemas.timestamps import utc_text

Lines = Mapping[GroupName, list[Line]]
"""A book's lines of one period, by group, each in the order of the delivery ids."""


class StatementNotTrustedError(LacolleError):
    """What the exchange stated is not signed by a key of its own, or is about something else."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Pair(_Answer):
    """A group that is not alike on both sides."""

    ours: Group
    theirs: Group


class ComparedAnswer(_Answer):
    """What the exchange answers to a statement; "ours" is the exchange's side there."""

    reconciliation_id: str
    agreed: bool
    differing: tuple[Pair, ...]
    statement: str
    log_index: int


class DifferingDelivery(_Answer):
    """A delivery that differs: ``missing`` here, ``extra`` here, or ``altered``; ``state`` is how the exchange has it.

    ``ours`` is the exchange's digest, ``theirs`` the partner's.
    """

    delivery_id: str
    difference: Literal["missing", "extra", "altered"]
    ours: str | None
    theirs: str | None
    state: str
    acknowledged: bool
    agreement: str | None
    lane: str | None


class NamedAnswer(_Answer):
    """What differs in one group: counted, and, up to a thousand, named."""

    agreed: bool
    missing: int
    extra: int
    altered: int
    deliveries: tuple[DifferingDelivery, ...]
    log_indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReconciledGroup:
    """One group that the groups' digests said is not alike, the exchange's first, and which deliveries differ."""

    exchange: Group
    partner: Group
    named: NamedAnswer


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How a comparison came out. ``statement`` is the exchange's, verified; ``signed`` the JWS that it came in."""

    statement: ExchangeStatement
    signed: str
    partner: tuple[Group, ...]
    groups: tuple[ReconciledGroup, ...]
    log_index: int

    @property
    def agreed(self) -> bool:
        """Whether nothing differs: no delivery is missing, extra or altered."""
        return all(group.named.agreed for group in self.groups)


def bounded(lines: Lines) -> Lines:
    """Return lines in as many groups as a statement may have: in one, where there are more."""
    if len(lines) <= MOST_GROUPS:
        return lines
    return {EVERYTHING: sorted((line for each in lines.values() for line in each), key=lambda line: line.delivery_id)}


def statement_of(participant: ParticipantId, period: Period, lines: Lines, *, now: datetime) -> PartnerStatement:
    """Return what a partner states of a period."""
    groups = tallied((name, line) for name, each in lines.items() for line in each)
    in_one = (Group(agreement=None, lane=None, deliveries=0, digest=NOTHING),)
    return PartnerStatement.model_validate(
        {
            "participant": participant,
            "from": period.start,
            "until": period.until,
            "at": utc_text(now),
            "groups": groups or (in_one if EVERYTHING in lines else ()),
        }
    )


def signed_statement(statement: PartnerStatement, *, key: SigningKey, now: datetime) -> bytes:
    """Return a partner's statement as a compact JWS, signed at ``now``."""
    return sign_compact(statement.canonical, key=key, profile=RECONCILIATION_STATEMENT, iat=int(now.timestamp()))


def verified(signed: str, keys: Mapping[KeyId, PublicKey], *, said: PartnerStatement) -> ExchangeStatement:
    """Return the exchange's statement, which must be about the same. Raises ``StatementNotTrustedError``."""
    try:
        compact = signed.encode("ascii")
        stated = read_exchange_statement(compact, keys[read_compact(compact, RECONCILIATION).kid])
    except (MalformedJwsError, SignatureNotTrustedError, UnreadableStatementError, UnicodeEncodeError, KeyError):
        raise StatementNotTrustedError(_NOT_TRUSTED) from None
    if (stated.participant, stated.first, stated.end) != (said.participant, said.first, said.end):
        raise StatementNotTrustedError(_NOT_TRUSTED)
    return stated


def body_of(lines: Iterable[Line]) -> bytes:
    """Return the lines of a group as their digest has them."""
    return b"".join(line.written for line in lines)


_NOT_TRUSTED = Bilingual(
    fr="Le relevé de la plateforme n'est pas signé par elle, ou porte sur autre chose : conservez-le et communiquez "
    "avec son exploitant.",
    en="The exchange's statement is not signed by it, or is about something else: keep it, and contact its operator.",
)

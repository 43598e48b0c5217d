"""Comparing books with a partner: the exchange's statement of a period, the partner's own, and what differs.

    form -> signature -> rate -> content -> whose period -> count anew -> sign -> commit

A statement is compared with what the database says now, never with what was stated before. Where groups differ, the
partner sends their lines, which must be those that it signed the digest of; each delivery that one side alone has, or
that was not the same bytes, is named, in the answer and in the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.clock import Clock
from gateway.differences import Matching, differing, for_the_log, told
from gateway.errors import (
    AlertRefusedError,
    InvalidQueryError,
    MalformedSubmissionError,
    NotFoundError,
    NotPermittedError,
)
from gateway.intake.identification import Identification, Identified
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE, read_word
from gateway.signatures.beside import Signatures
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.store.reckoning import Books, read_books, read_fates, read_handed
from gateway.store.reconciliations import (
    Compared,
    Comparison,
    ComparisonWriter,
    DifferencesWriter,
    Differing,
    read_known,
)
from gateway.upkeep.following import decided_anew
from gateway.watching.checks import HasLatest
from gateway.watching.metrics import ReconciliationMetrics
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.ids import CertificateDigest, ParticipantId
from schemas.reconciliation import (
    MOST_LINES,
    NOTHING,
    ExchangeStatement,
    GroupName,
    Line,
    MalformedLinesError,
    PartnerStatement,
    Period,
    read_lines,
)
from schemas.signing.jws import RECONCILIATION, RECONCILIATION_STATEMENT, read_compact, signing_input, with_signature
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import parse_json
from schemas.timestamps import read_utc, utc_text

AT_ONCE: Final = 2
"""Groups whose lines one process compares at once: 100,000 of them are 30 MB in memory, beside their bytes."""


KEPT: Final = 1_000
"""Groups of which a process remembers what it logged of their lines."""


@dataclass(frozen=True, slots=True)
class StatementSigner:
    """Signs the exchange's statements with its key, in the name of its log."""

    key: PublicKey
    signatures: Signatures

    async def sign(self, statement: ExchangeStatement) -> str:
        """Return the compact JWS. Raises what ``Signatures.sign`` raises."""
        to_sign = signing_input(statement.canonical, key=self.key, profile=RECONCILIATION)
        (signature,) = await self.signatures.sign([to_sign])
        return with_signature(to_sign, signature).decode("ascii")


@dataclass(frozen=True, slots=True)
class Stated:
    """What the exchange says of a period, read and signed."""

    statement: ExchangeStatement
    signed: str


class Reconciliations:
    """The use cases of ``/v1/reconciliations``."""

    def __init__(
        self,
        *,
        identification: Identification,
        store: Store,
        committer: Committer,
        checkpoints: HasLatest,
        signer: StatementSigner,
        limiter: RateLimiter,
        clock: Clock,
        metrics: ReconciliationMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identification = identification
        self._store = store
        self._committer = committer
        self._checkpoints = checkpoints
        self._signer = signer
        self._limiter = limiter
        self._clock = clock
        self._metrics = metrics
        self._monotonic = monotonic
        self._places = asyncio.Semaphore(AT_ONCE)
        self._turns: defaultdict[ParticipantId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._named: OrderedDict[tuple[str, GroupName], tuple[Sequence[Differing], list[int]]] = OrderedDict()
        self._comparisons = ComparisonWriter()
        self._differences = DifferencesWriter()

    async def state(self, participant: ParticipantId, period: Period) -> Stated:
        """Return what the exchange handed to a participant in a period that is over.

        Raises ``RateLimitedError``, ``InvalidQueryError``, and ``NotFoundError`` before the first checkpoint.
        """
        self._limiter.take(participant, now=self._monotonic())
        if period.end > self._clock():
            raise InvalidQueryError(_NOT_OVER)
        return await self._state(participant, period, in_one=False)

    async def compare(self, compact: bytes, *, certificate: CertificateDigest | None = None) -> Compared:
        """Compare what a participant states that it received, and return the answer with its place in the log.

        Raises ``MalformedSubmissionError``, ``UntrustedSignatureError``, ``RateLimitedError``, ``AlertRefusedError``
        for a document that is no statement, ``NotPermittedError`` where it is about another participant, and
        ``NotFoundError`` before the first checkpoint.
        """
        identified = await self._identification.identify(compact, RECONCILIATION_STATEMENT, certificate=certificate)
        participant = identified.participant.participant
        self._limiter.take(participant, now=self._monotonic())
        said = read_word(PartnerStatement, identified.unverified.payload)
        if said.participant != participant:
            raise NotPermittedError(_ANOTHER_S)
        now = self._clock()
        if read_utc(said.at) > now + CLOCK_TOLERANCE:
            raise AlertRefusedError((_IN_THE_FUTURE,))
        if said.end > now:
            raise AlertRefusedError((Fault(pointer="/until", code="period-not-over", message=_NOT_OVER),))
        stated = await self._state(participant, said, in_one=said.in_one)
        comparison = _comparison(said, stated, identified=identified, compact=compact)
        compared = await decided_anew(lambda: self._submit(identified, comparison))
        if not compared.replayed:
            self._metrics.compared(participant, agreed=compared.answer["agreed"])
        return compared

    async def name_differences(
        self, participant: ParticipantId, digest: bytes, name: GroupName, body: bytes
    ) -> dict[str, Any]:
        """Return which deliveries of a group differ; ``body`` is the lines that its statement has the digest of.

        ``digest`` names the statement. What differs is in the log by then, each part for its sender. Raises
        ``RateLimitedError``, ``NotFoundError`` for a statement that is not this participant's,
        ``MalformedSubmissionError`` for other lines than those that were stated, and ``InvalidQueryError``.
        """
        self._limiter.take(participant, now=self._monotonic())
        async with self._store.reading() as connection:
            known = await read_known(connection, digest)
        if known is None or known.participant != participant:
            raise NotFoundError
        said = _statement_in(known.compact)
        async with self._turns[participant], self._places:
            lines = await asyncio.to_thread(_stated_lines, said, name, body)
            return await self._name(participant, said, f"sha-256:{digest.hex()}", name, lines)

    async def _name(
        self, participant: ParticipantId, period: Period, statement: str, name: GroupName, lines: list[Line]
    ) -> dict[str, Any]:
        matching = Matching(lines)
        async for page in read_handed(self._store, period, participant, name):
            matching.page(page)
            if matching.ours > MOST_LINES:
                raise InvalidQueryError(_TOO_MANY)
        found = matching.end()
        fates = await read_fates(self._store, participant, [each.delivery_id for each in found])
        parts = await asyncio.to_thread(
            for_the_log, found, fates, participant=participant, period=period, statement=statement
        )
        named_before, indexes = self._named.get((statement, name), ((), []))
        if named_before != parts:
            indexes = await self._committer.submit(self._differences, parts) if parts else []
            self._remember((statement, name), parts, indexes)
            self._metrics.differed(participant, found)
        return {**told(found, fates), "log_indexes": indexes}

    def _remember(self, asked: tuple[str, GroupName], parts: Sequence[Differing], indexes: list[int]) -> None:
        """Keep where it stands in the log what was found, so that the same lines sent again add nothing to it."""
        self._named[asked] = parts, indexes
        if len(self._named) > KEPT:
            self._named.popitem(last=False)

    async def _state(self, participant: ParticipantId, period: Period, *, in_one: bool) -> Stated:
        checkpoint = self._checkpoints.latest
        if checkpoint is None:
            raise NotFoundError
        async with self._turns[participant]:
            books = (await read_books(self._store, period, participant)).get(participant, Books())
        statement = ExchangeStatement.model_validate(
            {
                "participant": participant,
                "from": period.start,
                "until": period.until,
                "at": utc_text(self._clock()),
                "groups": books.groups(in_one=in_one),
                "open": books.open,
                "log_origin": checkpoint.origin,
                "log_size": checkpoint.size,
                "log_root": checkpoint.root.hex(),
            }
        )
        return Stated(statement, await self._signer.sign(statement))

    async def _submit(self, identified: Identified, comparison: Comparison) -> Compared:
        confirmed = self._identification.confirm(identified)
        return await self._committer.submit(self._comparisons, comparison, decided_at=confirmed.version)


def _comparison(said: PartnerStatement, stated: Stated, *, identified: Identified, compact: bytes) -> Comparison:
    ours = stated.statement
    pairs = differing(ours.groups, said.groups)
    digest = hashlib.sha256(identified.unverified.payload).digest()
    return Comparison(
        statement=said,
        kid=identified.unverified.kid,
        compact=compact,
        digest=digest,
        ours=hashlib.sha256(ours.canonical).digest(),
        deliveries=sum(group.deliveries for group in ours.groups),
        differing=pairs,
        answer={
            "reconciliation_id": digest.hex(),
            "agreed": not pairs,
            "differing": [
                {"ours": mine.model_dump(mode="json"), "theirs": theirs.model_dump(mode="json")}
                for mine, theirs in pairs
            ],
            "statement": stated.signed,
        },
    )


def _stated_lines(said: PartnerStatement, name: GroupName, body: bytes) -> list[Line]:
    """Return the lines of a group that a statement has the digest of. Raises ``MalformedSubmissionError``."""
    stated = next((group.digest for group in said.groups if group.name == name), NOTHING)
    if stated != f"sha-256:{hashlib.sha256(body).hexdigest()}":
        raise MalformedSubmissionError(_OTHER_LINES)
    try:
        return read_lines(body, said)
    except MalformedLinesError as error:
        raise MalformedSubmissionError(error.reason) from error


def _statement_in(compact: bytes) -> PartnerStatement:
    """Return a statement that was verified when it was taken."""
    payload = read_compact(compact, RECONCILIATION_STATEMENT).payload
    return PartnerStatement.model_validate(parse_json(payload))


_NOT_OVER: Final = Bilingual(
    fr="la période n'est pas terminée : on ne compare que ce qui est révolu",
    en="the period is not over: only what is past is compared",
)
_ANOTHER_S: Final = Bilingual(
    fr="un participant ne dit que ce qu'il a lui-même reçu",
    en="a participant states what it has received itself, and nobody else",
)
_IN_THE_FUTURE: Final = Fault(
    pointer="/at",
    code="at-in-future",
    message=Bilingual(
        fr="l'instant de la déclaration est dans l'avenir", en="the time of the statement is in the future"
    ),
)
_OTHER_LINES: Final = Bilingual(
    fr="ces lignes ne sont pas celles dont la déclaration porte l'empreinte",
    en="these lines are not those that the statement has the digest of",
)
_TOO_MANY: Final = Bilingual(
    fr="ce groupe compte plus de 100 000 remises : comparez une période plus courte",
    en="this group has more than 100,000 deliveries: compare a shorter period",
)

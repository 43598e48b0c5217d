"""Taking what authorities state of an alert's content.

    form -> signature -> rate -> content -> commit

The signature is the credential: only the pinned authority key of the jurisdiction that it names can have made it.
"""

from __future__ import annotations

import hashlib
import time
from typing import Final, TypeVar

from gateway.clock import Clock
from gateway.errors import AlertRefusedError, MalformedSubmissionError, NotFoundError
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE, read_word
from gateway.sealing.contents import Contents
from gateway.store.committer import Committer
from gateway.store.holds import SignedStatement, Stated, StatementWriter
from gateway.trust.authorities import Authorities
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.holds import ErasureOrder, HoldRelease, LegalHold
from schemas.signing.jws import ERASURE_ORDER, LEGAL_HOLD, JwsProfile, MalformedJwsError, read_compact
from schemas.timestamps import read_utc

StatementT = TypeVar("StatementT", LegalHold, HoldRelease, ErasureOrder)


class Holds:
    """The use cases of ``POST /v1/holds``, of what stands below it, and of ``POST /v1/erasures``.

    Each raises ``MalformedSubmissionError``, ``UntrustedSignatureError``, ``RateLimitedError``, ``AlertRefusedError``
    for a document that is not what it must be, ``NotFoundError`` where its jurisdiction is no party to the alert, and
    ``LogUnavailableError``.
    """

    def __init__(
        self,
        *,
        authorities: Authorities,
        committer: Committer,
        contents: Contents,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._authorities = authorities
        self._committer = committer
        self._limiter = limiter
        self._clock = clock
        self._writer = StatementWriter(contents)

    async def place(self, compact: bytes) -> tuple[str, Stated]:
        """Place a hold, and return what it is known by and its place. Raises ``ContentGoneError`` where it is late."""
        signed = await self._signed(compact, LEGAL_HOLD, LegalHold)
        return f"sha-256:{signed.digest.hex()}", await self._committer.submit(self._writer, signed)

    async def release(self, hold: str, compact: bytes) -> Stated:
        """Release a hold. Raises ``NotFoundError`` where it is not this authority's, or does not stand."""
        signed = await self._signed(compact, LEGAL_HOLD, HoldRelease)
        if isinstance(signed.statement, HoldRelease) and signed.statement.hold != hold:
            raise NotFoundError
        return await self._committer.submit(self._writer, signed)

    async def erase(self, compact: bytes) -> Stated:
        """Erase an alert's content now. Raises ``ContentHeldError``, and ``ContentGoneError`` where it is gone."""
        return await self._committer.submit(self._writer, await self._signed(compact, ERASURE_ORDER, ErasureOrder))

    async def _signed(self, compact: bytes, profile: JwsProfile, kind: type[StatementT]) -> SignedStatement:
        try:
            unverified = read_compact(compact, profile)
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        (signer,) = await self._authorities.signers([unverified])
        self._limiter.take(signer, now=time.monotonic())
        statement = read_word(kind, unverified.payload)
        if statement.jurisdiction != signer:
            raise AlertRefusedError((_ANOTHER_S,))
        if max(read_utc(statement.at), unverified.issued_at) > self._clock() + CLOCK_TOLERANCE:
            raise AlertRefusedError((_IN_THE_FUTURE,))
        return SignedStatement(statement, unverified.kid, compact, hashlib.sha256(unverified.payload).digest())


_ANOTHER_S: Final = Fault(
    pointer="/jurisdiction",
    code="not-the-signer-s",
    message=Bilingual(
        fr="une autorité ne parle que pour sa propre juridiction",
        en="an authority speaks for its own jurisdiction alone",
    ),
)
_IN_THE_FUTURE: Final = Fault(
    pointer="/at",
    code="at-in-future",
    message=Bilingual(
        fr="l'instant de la déclaration est dans l'avenir", en="the time of the statement is in the future"
    ),
)

"""Taking what authorities sign of agreements: proposals, signatures, and the steps of their lives.

    form -> verify -> rate -> content -> lint -> commit

Each is its own credential: only the pinned authority key of a party can have made it, and nobody else, the operator
included, can bring a state about. Signatures are verified in the process beside this one, one file at a time, so that
strangers never take more than one place there; documents, which may be large, are read and linted in a thread, and only
once an authority is known to have signed them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Final

from agreements.lint import Severity, lint
from agreements.signed import SignedAgreement, UntrustedAgreementError, read_signed
from agreements.steps import StepKind, UnsoundStepError, VerifiedStep, VersionName, step_in
from gateway.clock import Clock
from gateway.errors import (
    AgreementRefusedError,
    MalformedSubmissionError,
    NotFoundError,
    UnsoundAgreementError,
)
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE
from gateway.store.agreed import is_proposed
from gateway.store.agreements import AgreementRecorded, SignatureWriter, StepWriter
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.trust.authorities import Authorities
from gateway.trust.registry import CurrentRegistry
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode
from schemas.signing.jws import (
    AGREEMENT,
    AGREEMENT_STEP,
    MalformedJwsError,
    Unverified,
    join_signatures,
    read_compact,
    split_signatures,
)


class Treaties:
    """The use cases of ``POST /v1/agreements`` and of what stands below it."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        authorities: Authorities,
        store: Store,
        committer: Committer,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._authorities = authorities
        self._store = store
        self._committer = committer
        self._limiter = limiter
        self._clock = clock
        self._signing = SignatureWriter(registry)
        self._stepping = StepWriter(registry)

    async def propose(self, general: bytes) -> tuple[SignedAgreement, AgreementRecorded]:
        """Store a document with the signatures that it came with; return both, and the last one's place in the log.

        The same again changes nothing. Raises ``MalformedSubmissionError``, ``UntrustedSignatureError``,
        ``RateLimitedError``, ``UnsoundAgreementError`` with what lint finds, and ``AgreementRefusedError``.
        """
        signed = await self._read(general)
        return signed, await self._committer.submit(self._signing, signed)

    async def sign(self, about: VersionName, compact: bytes) -> tuple[SignedAgreement, AgreementRecorded]:
        """Store one party's signature over a document that was proposed before.

        Raises as ``propose``, and ``NotFoundError`` where it was not, or is of another name.
        """
        try:
            read_compact(compact, AGREEMENT)
            general = join_signatures([compact])
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        signed = await self._read(general)
        async with self._store.reading() as connection:
            proposed = await is_proposed(connection, signed)
        if (signed.document.id, signed.document.version) != about or not proposed:
            raise NotFoundError
        return signed, await self._committer.submit(self._signing, signed)

    async def state(self, about: VersionName, kind: StepKind, compact: bytes) -> tuple[VerifiedStep, AgreementRecorded]:
        """Store what a party states of a complete agreement, and let it count at once.

        The same statement again changes nothing and gets its first place. Raises ``MalformedSubmissionError``,
        ``UntrustedSignatureError``, ``RateLimitedError``, and ``AgreementRefusedError`` where the agreement's life has
        no place for it.
        """
        try:
            unverified = read_compact(compact, AGREEMENT_STEP)
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        (signer,) = await self._verify([unverified])
        try:
            verified = step_in(unverified, signer)
        except UnsoundStepError as error:
            raise MalformedSubmissionError(error.reason) from error
        if (verified.step.about, verified.step.step) != (about, kind):
            raise AgreementRefusedError(_OTHER_ADDRESS)
        return verified, await self._committer.submit(self._stepping, verified)

    async def _read(self, general: bytes) -> SignedAgreement:
        try:
            unverified = split_signatures(general)
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        await self._verify(unverified)
        try:
            signed = await asyncio.to_thread(read_signed, general, self._registry.jurisdictions)
        except UntrustedAgreementError as error:
            raise MalformedSubmissionError(error.reason) from error
        await self._require_sound(signed)
        return signed

    async def _verify(self, unverified: Sequence[Unverified]) -> list[JurisdictionCode]:
        """Return whose authorities signed, once all are verified; the first one's rate is taken from."""
        signers = await self._authorities.signers(unverified)
        self._limiter.take(signers[0], now=time.monotonic())
        if any(each.issued_at > self._clock() + CLOCK_TOLERANCE for each in unverified):
            raise AgreementRefusedError(_FROM_THE_FUTURE)
        return signers

    async def _require_sound(self, signed: SignedAgreement) -> None:
        """Raise ``UnsoundAgreementError`` with every error that lint finds: nobody signs such a document here."""
        registry = self._registry.registry
        findings = await asyncio.to_thread(
            lint,
            signed.payload.decode("utf-8"),
            file="agreement",
            now=self._clock(),
            jurisdictions=registry.jurisdictions,
            participants=[each.statement for each in registry.participants.values()],
        )
        errors = [(_pointer(each.path), each.reason) for each in findings if each.severity is Severity.ERROR]
        if errors:
            raise UnsoundAgreementError(tuple(errors))


def _pointer(path: str) -> str:
    """Return the JSON Pointer (RFC 6901) of a path as lint writes it: ``/grants/0/to/1`` for ``grants[0].to[1]``."""
    return "".join(f"/{step}" for step in re.findall(r"[^.\[\]]+", path))


_FROM_THE_FUTURE: Final = Bilingual(
    fr="La signature est datée dans l'avenir : réglez l'horloge de l'autorité.",
    en="The signature is dated in the future: set the authority's clock right.",
)
_OTHER_ADDRESS: Final = Bilingual(
    fr="La déclaration porte sur autre chose que ce que désigne cette adresse.",
    en="The statement is about something else than this address names.",
)

"""Who signed what arrived: the same steps for a submission, an acknowledgement and a client's assertion.

    read -> signing time -> key -> certificate -> verify

Whatever fails after reading is one answer: an unknown key, a wrong one, one that counts no more or not yet, and a key
that is used over another connection than its participant's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.clock import Clock
from gateway.errors import MalformedSubmissionError, UntrustedSignatureError
from gateway.intake.screening import check_signing_time
from gateway.signatures.beside import Signatures
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import no_look
from schemas.ids import CertificateDigest, KeyId
from schemas.signing.jws import JwsProfile, MalformedJwsError, SignatureNotTrustedError, Unverified, read_compact
from schemas.signing.keys import PublicKey
from schemas.statements import ParticipantStatement


@dataclass(frozen=True, slots=True)
class Identified:
    """A JWS whose signature is a participant's own.

    ``certificate`` is what its connection showed, ``version`` how far the registry had come that said so.
    """

    participant: ParticipantStatement
    unverified: Unverified
    certificate: CertificateDigest | None
    version: int


class Identification:
    """Finds out whose a signature is."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        signatures: Signatures,
        clock: Clock,
        look: Callable[[], Awaitable[None]] = no_look,
    ) -> None:
        self._registry = registry
        self._signatures = signatures
        self._clock = clock
        self._look = look

    async def identify(
        self, compact: bytes, profile: JwsProfile, *, certificate: CertificateDigest | None
    ) -> Identified:
        """Return whose signature a compact JWS has; its connection showed ``certificate``.

        Raises ``MalformedSubmissionError`` for what is not of the profile or was signed at another time,
        ``UntrustedSignatureError``, and ``LogUnavailableError`` where nobody can be asked now.
        """
        try:
            unverified = read_compact(compact, profile)
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        return await self.signer_of(unverified, profile, certificate=certificate)

    async def signer_of(
        self, unverified: Unverified, profile: JwsProfile, *, certificate: CertificateDigest | None
    ) -> Identified:
        """Return whose signature a JWS of a profile has, which was read already; raises as ``identify``."""
        now = self._clock()
        if "iat" in profile.members:
            check_signing_time(unverified, now)
        version, known = self._registry.version, self._speaker(unverified.kid, certificate, now)
        if known is None:  # another process may have heard of it
            await self._look()
            version, known = self._registry.version, self._speaker(unverified.kid, certificate, now)
        try:
            await self._signatures.verify(unverified, None if known is None else known[1])
        except SignatureNotTrustedError as error:
            raise UntrustedSignatureError from error
        if known is None:
            raise UntrustedSignatureError
        return Identified(known[0], unverified, certificate, version)

    def confirm(self, identified: Identified) -> Identified:
        """Return the same signer as the registry has it now, without verifying anything twice.

        A key's id stands for one key for good. Raises ``UntrustedSignatureError`` where it counts no more.
        """
        if identified.version == self._registry.version:
            return identified
        kid, version = identified.unverified.kid, self._registry.version
        known = self._speaker(kid, identified.certificate, self._clock())
        if known is None:
            raise UntrustedSignatureError
        return replace(identified, participant=known[0], version=version)

    def _speaker(
        self, kid: KeyId, certificate: CertificateDigest | None, now: datetime
    ) -> tuple[ParticipantStatement, PublicKey] | None:
        known = self._registry.registry.trusted_key(kid, now)
        if known is not None and not known[0].speaks_over(certificate):
            return None  # a stolen key alone is no use from elsewhere, and hears what a stranger hears
        return known

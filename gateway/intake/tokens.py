"""Bearer tokens for reading: OAuth 2.0 client credentials with ``private_key_jwt``.

A participant proves itself with an assertion signed by a registered key (RFC 7523 section 3, RFC 7521 section 4.2); the
exchange answers with a short-lived access token in RFC 9068's form. A token is bound to the key that asked for it: when
that key is revoked or ends, so does the token. Asked for over mutual TLS, it is bound to the client's certificate too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.clock import Clock
from gateway.errors import MalformedSubmissionError, TokenRefusedError, UntrustedSignatureError
from gateway.intake.identification import Identification, Identified
from gateway.intake.ratelimit import RateLimiter
from gateway.store.committer import Committer
from gateway.store.entries import AssertionWriter, SpentAssertion
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import decided_anew
from schemas.bilingual import Bilingual
from schemas.ids import CertificateDigest, KeyId, ParticipantId
from schemas.signing import base64url
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import (
    ACCESS_TOKEN,
    ASSERTION,
    MalformedJwsError,
    SignatureNotTrustedError,
    read_compact,
    sign_compact,
    verify,
)
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.statements import ParticipantStatement, Role

TOKEN_SECONDS = 300
ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 30
_LONGEST_JTI = 256


class Scope(StrEnum):
    """What a token lets its bearer do."""

    ALERTS_READ = "alerts:read"
    LOG_READ = "log:read"


class _Confirmation(BaseModel):
    """What a token is bound to (RFC 8705 section 3.1): a certificate's SHA-256, in base64url."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=True)

    thumbprint: str = Field(alias="x5t#S256")


class _Claims(BaseModel):
    """The claims of an access token (RFC 9068 section 2.2); ``assertion_kid`` is the key that asked for it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    iss: str
    aud: str
    sub: str
    client_id: str
    iat: int
    exp: int
    jti: str
    scope: str
    assertion_kid: str
    cnf: _Confirmation | None = None


class OAuthError(Exception):
    """The token endpoint's refusal (RFC 6749 section 5.2).

    The English of its ``reason`` keeps to what the section lets an ``error_description`` hold: no quote, no backslash,
    nothing but ASCII.
    """

    def __init__(self, error: str, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.error = error
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, its scopes, and for how many seconds it lasts."""

    token: str
    scopes: tuple[Scope, ...]
    expires_in: int


class TokenIssuer:
    """Gives out access tokens and reads them back."""

    def __init__(
        self,
        *,
        issuer: str,
        key: SigningKey,
        registry: CurrentRegistry,
        identification: Identification,
        committer: Committer,
        limiter: RateLimiter,
        clock: Clock,
        randomness: Callable[[int], bytes],
    ) -> None:
        self.issuer = issuer
        self._key = key
        self._registry = registry
        self._identification = identification
        self._committer = committer
        self._limiter = limiter
        self._clock = clock
        self._randomness = randomness
        self._assertions = AssertionWriter()

    async def issue(
        self,
        *,
        assertion: bytes,
        scopes: tuple[str, ...],
        client_id: str | None = None,
        certificate: CertificateDigest | None = None,
    ) -> AccessToken:
        """Return a token for the participant that signed ``assertion``; a ``client_id`` must be its (RFC 7521, 4.2).

        Where the request's connection showed a ``certificate``, the token is bound to it (RFC 8705 section 3). No
        ``scopes`` means all that its roles allow. Raises ``OAuthError``: ``invalid_client`` for every fault of the
        assertion, one answer for all, and ``invalid_scope``; ``RateLimitedError``; ``LogUnavailableError`` where its
        use can't be recorded.
        """
        now = self._clock()
        try:
            identified = await self._identification.identify(assertion, ASSERTION, certificate=certificate)
        except (MalformedSubmissionError, UntrustedSignatureError) as error:
            raise _invalid_client() from error
        participant = identified.participant.participant
        self._limiter.take(participant, now=time.monotonic())
        spent = self._spent(identified, now)
        if client_id not in (None, participant):
            raise _invalid_client()
        granted = await decided_anew(lambda: self._grant(identified, spent, scopes))
        issued = int(now.timestamp())
        claims_of_token = _Claims(
            iss=self.issuer,
            aud=self.issuer,
            sub=participant,
            client_id=participant,
            iat=issued,
            exp=issued + TOKEN_SECONDS,
            jti=self._randomness(16).hex(),
            scope=" ".join(granted),
            assertion_kid=identified.unverified.kid,
            cnf=None if certificate is None else _Confirmation(thumbprint=_thumbprint(certificate)),
        )
        payload = canonical_plain_bytes(claims_of_token.model_dump(by_alias=True, exclude_none=True))
        token = sign_compact(payload, key=self._key, profile=ACCESS_TOKEN).decode("ascii")
        return AccessToken(token=token, scopes=granted, expires_in=TOKEN_SECONDS)

    def read(
        self, authorization: str | None, *, scope: Scope, certificate: CertificateDigest | None = None
    ) -> ParticipantStatement:
        """Return the participant that an ``Authorization`` field speaks for.

        ``certificate`` is what the request's connection showed. Raises ``TokenRefusedError`` where the token is
        missing, not ours, spent, of a key that no longer counts, bound to another certificate, or lacks the scope.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefusedError(scope=scope, presented=False)
        now = self._clock()
        try:
            claims = parse_json(verify(read_compact(token.strip().encode("ascii"), ACCESS_TOKEN), self._key.public))
            ours = _Claims.model_validate(claims)  # of our own making, but perhaps another version's
        except (MalformedJwsError, SignatureNotTrustedError, JsonError, UnicodeEncodeError, ValidationError) as error:
            raise TokenRefusedError(scope=scope) from error
        known = self._registry.registry.trusted_key(KeyId(ours.assertion_kid), now)
        if ours.exp <= now.timestamp() or ours.aud != self.issuer or known is None or known[0].participant != ours.sub:
            raise TokenRefusedError(scope=scope)
        if not known[0].speaks_over(certificate) or not _is_shown(ours.cnf, certificate):
            raise TokenRefusedError(scope=scope)
        if scope not in ours.scope.split():
            raise TokenRefusedError(scope=scope, insufficient=True)
        return known[0]

    async def _grant(self, identified: Identified, spent: SpentAssertion, scopes: tuple[str, ...]) -> tuple[Scope, ...]:
        try:
            confirmed = self._identification.confirm(identified)
        except UntrustedSignatureError as error:
            raise _invalid_client() from error
        granted = _allowed(confirmed.participant, scopes)
        if not await self._committer.submit(self._assertions, spent, decided_at=confirmed.version):
            raise _invalid_client()
        return granted

    def _spent(self, identified: Identified, now: datetime) -> SpentAssertion:
        """Return what is remembered of an assertion. Raises ``OAuthError`` where its claims are not acceptable."""
        participant = identified.participant.participant
        try:
            claims: Any = parse_json(identified.unverified.payload)
        except JsonError as error:
            raise _invalid_client() from error
        if not isinstance(claims, dict) or not self._acceptable(claims, participant, now):
            raise _invalid_client()
        return SpentAssertion(
            digest=hashlib.sha256(f"{participant}\n{claims['jti']}".encode()).digest(),
            expires_ms=(int(claims["exp"]) + CLOCK_SKEW_SECONDS) * 1000,
        )

    def _acceptable(self, claims: dict[str, Any], participant: ParticipantId, now: datetime) -> bool:
        """Say whether the claims are RFC 7523 section 3's: this client, this server alone, once, and soon over."""
        audience, expires, identifier = claims.get("aud"), claims.get("exp"), claims.get("jti")
        issued = claims.get("iat")
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        if not isinstance(identifier, str) or not 0 < len(identifier) <= _LONGEST_JTI:
            return False
        seconds = now.timestamp()
        for early in (issued, claims.get("nbf")):
            if early is not None and (not _is_integer(early) or early > seconds + CLOCK_SKEW_SECONDS):
                return False
        return (
            claims.get("iss") == participant
            and claims.get("sub") == participant
            and audience == self.issuer
            and _is_integer(expires)
            and seconds < expires <= seconds + ASSERTION_SECONDS + CLOCK_SKEW_SECONDS
            and (issued is None or expires - issued <= ASSERTION_SECONDS)
        )


def _invalid_client() -> OAuthError:
    # made anew each time: an exception that is raised twice keeps the frames, and the bodies, of both requests
    return OAuthError(
        "invalid_client",
        Bilingual(fr="l'assertion du client n'est pas recevable", en="the client assertion is not acceptable"),
    )


def _thumbprint(certificate: CertificateDigest) -> str:
    return base64url.encode(bytes.fromhex(certificate.removeprefix("sha-256:"))).decode("ascii")


def _is_shown(bound: _Confirmation | None, certificate: CertificateDigest | None) -> bool:
    """Say whether a token's certificate is the connection's; an unbound token is anyone's."""
    return bound is None or (certificate is not None and bound.thumbprint == _thumbprint(certificate))


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _allowed(participant: ParticipantStatement, wanted: tuple[str, ...]) -> tuple[Scope, ...]:
    allowed = {Scope.ALERTS_READ}
    if Role.AUDITOR in participant.roles:
        allowed.add(Scope.LOG_READ)
    if not wanted:
        return tuple(sorted(allowed))
    if not set(wanted) <= {str(scope) for scope in allowed}:
        raise OAuthError(
            "invalid_scope",
            Bilingual(
                fr="les rôles du participant ne permettent pas une des portées (scope) demandées",
                en="the participant's roles do not allow a scope that was asked for",
            ),
        )
    return tuple(sorted(Scope(scope) for scope in set(wanted)))

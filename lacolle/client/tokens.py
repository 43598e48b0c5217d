"""Access tokens: asked for with a signed assertion, kept until shortly before they end.

OAuth 2.0 client credentials (RFC 6749 section 4.4) with ``private_key_jwt`` (RFC 7523 section 2.2). The assertion's
one audience is the exchange's issuer, so that no other server could use it.
"""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from lacolle.client.answers import read_answer
from lacolle.client.calls import Call, Caller
from lacolle.client.surroundings import Surroundings
from schemas.ids import ParticipantId
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import ASSERTION, sign_compact
from schemas.signing.keys import SigningKey

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS: Final = 60
_MARGIN_SECONDS: Final = 30
"""A token is not used in its last seconds, so that it does not end on its way."""
_JTI_BYTES: Final = 16


class _Token(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    access_token: str
    expires_in: int


def assertion(*, participant: ParticipantId, key: SigningKey, issuer: str, now: datetime, randomness: bytes) -> bytes:
    """Return a client assertion, a JWT good for one minute and one use (RFC 7523 section 3)."""
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {
        "iss": participant,
        "sub": participant,
        "aud": issuer,
        "jti": randomness.hex(),
        "iat": issued,
        "exp": issued + _ASSERTION_SECONDS,
    }
    return sign_compact(canonical_plain_bytes(claims), key=key, profile=ASSERTION)


class Tokens:
    """The access token of one participant for one scope. Safe to use from several threads."""

    def __init__(
        self,
        caller: Caller,
        *,
        participant: ParticipantId,
        key: SigningKey,
        issuer: str,
        scope: str,
        surroundings: Surroundings,
    ) -> None:
        self._caller = caller
        self._participant = participant
        self._key = key
        self._issuer = issuer
        self._scope = scope
        self._surroundings = surroundings
        self._lock = Lock()
        self._token = ""
        self._usable_until = float("-inf")

    def token(self) -> str:
        """Return a token that is good for a while yet, asking for one where need be.

        Raises what a call raises: for an assertion that is not acceptable, a ``ProblemError`` named ``invalid_client``.
        """
        with self._lock:
            if self._surroundings.monotonic() >= self._usable_until:
                self._renew()
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that the exchange no longer takes, unless it was renewed meanwhile."""
        with self._lock:
            if self._token == token:
                self._usable_until = float("-inf")

    def _renew(self) -> None:
        asked = self._surroundings.monotonic()
        granted = read_answer(self._caller.answer(self._request), _Token)
        self._token = granted.access_token
        self._usable_until = asked + granted.expires_in - _MARGIN_SECONDS

    def _request(self) -> Call:
        """Return the token request, with an assertion of its own: a used one is refused for good."""
        signed = assertion(
            participant=self._participant,
            key=self._key,
            issuer=self._issuer,
            now=self._surroundings.now(),
            randomness=self._surroundings.randomness(_JTI_BYTES),
        )
        form = {
            "grant_type": "client_credentials",
            "scope": self._scope,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": signed.decode("ascii"),
        }
        return Call(
            "POST",
            "/oauth/token",
            content=urlencode(form).encode("ascii"),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

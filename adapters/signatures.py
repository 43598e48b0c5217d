"""Signing what is handed over, and checking it at the other end (RFC 9421, with RFC 9530's Content-Digest).

The exchange signs ``@method``, ``@authority``, ``@path`` and ``content-digest``, with the parameters ``created``,
``keyid`` and ``nonce``. The algorithm is the registered key's: a signature that names one (``alg``) is not taken.
The authority is the one of the URL that the partner gave out, not whatever a Host field says.

Partners use ``verify_request``; a nonce counts once, so whoever records a request can't send it again.
"""

from __future__ import annotations

import heapq
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    VerifyResult,
)

from schemas.ids import KeyId
from schemas.signing.keys import PublicKey, SigningKey

COMPONENTS: Final = ("@method", "@authority", "@path", "content-digest")
LABEL: Final = "lacolle"
MAX_AGE: Final = timedelta(minutes=5)
"""How far from the verifier's clock, either way, a signature may have been made."""

KeyLookup: TypeAlias = Callable[[KeyId], PublicKey | None]


class RequestNotTrustedError(Exception):
    """The request was not signed by a key that is trusted, or is not the request that was signed, or came before."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as its signature sees it: ``url`` is absolute, as the partner gave it out; ``headers`` keep repeats."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def sign_request(request: SentRequest, *, key: SigningKey, created: datetime, nonce: str) -> dict[str, str]:
    """Return the fields that sign a request: Content-Digest, Signature-Input and Signature.

    ``created`` counts to the second; ``nonce`` must be new for every request of the key.
    """
    return _signature_of(request, COMPONENTS, key=key, created=created, nonce=nonce)


class NonceMemory:
    """The nonces seen of trusted keys, each for as long as its signature could be taken.

    In memory and for one process: after a restart a request of the last minutes could come again, and the
    delivery id still tells it from a new one.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._forget: list[tuple[datetime, tuple[str, str]]] = []

    def take(self, key_id: KeyId, nonce: str, *, until: datetime, now: datetime) -> bool:
        """Remember a nonce until an instant; false where it is remembered already."""
        while self._forget and self._forget[0][0] < now:
            self._seen.discard(heapq.heappop(self._forget)[1])
        if (key_id, nonce) in self._seen:
            return False
        self._seen.add((key_id, nonce))
        heapq.heappush(self._forget, (until, (key_id, nonce)))
        return True


def verify_request(request: SentRequest, *, keys: KeyLookup, nonces: NonceMemory, now: datetime) -> KeyId:
    """Return the key that signed a request, body included.

    Every signature on it must cover the components above, with a nonce that was not seen before. Raises
    ``RequestNotTrustedError``, which does not tell why.
    """
    verifier = _Verifier(keys, now)
    try:
        result, *others = verifier.verify(
            _Message(request.method, request.url, _FieldLines(request.headers)),
            max_age=MAX_AGE,
            require_components=COMPONENTS,
            body=request.body,
        )
    except HTTPMessageSignaturesException:
        raise RequestNotTrustedError from None
    # One verdict over everything: with a second signature it would be unclear whose nonce and key count.
    if others or result.nonce is None:
        raise RequestNotTrustedError
    key_id, created = _signed_by(result)
    if not nonces.take(key_id, result.nonce, until=created + MAX_AGE, now=now):
        raise RequestNotTrustedError
    return key_id


def _signature_of(
    request: SentRequest, components: Sequence[str], *, key: SigningKey, created: datetime, nonce: str | None
) -> dict[str, str]:
    fields = dict(request.headers)
    message = _Message(request.method, request.url, fields)
    signer = HTTPMessageSigner(signature_algorithm=_RegisteredKey)
    prepared = signer.prepare(
        message,
        key_id=key.kid,
        created=created,
        nonce=nonce,
        include_alg=False,
        label=LABEL,
        covered_component_ids=components,
        body=request.body if "content-digest" in components else None,
    )
    # signer.apply would build the same base a second time, for signers that take long enough to let it change.
    signature = b64encode(key.sign(prepared.signature_base)).decode()
    fields |= {"Signature-Input": f"{LABEL}={prepared.signature_params}", "Signature": f"{LABEL}=:{signature}:"}
    return {name: fields[name] for name in ("Content-Digest", "Signature-Input", "Signature") if name in fields}


def _signed_by(result: VerifyResult) -> tuple[KeyId, datetime]:
    return KeyId(str(result.parameters["keyid"])), datetime.fromtimestamp(int(result.parameters["created"]), UTC)


@dataclass(frozen=True, slots=True)
class _FieldLines:
    """Header fields with their repeats, in the shape in which http-message-signatures reads them."""

    lines: tuple[tuple[str, str], ...]

    def items(self) -> Iterable[tuple[str, str]]:
        return self.lines


@dataclass(frozen=True, slots=True)
class _Message:
    """What http-message-signatures asks of a request: to sign it writes to the headers, to verify it reads them."""

    method: str
    url: str
    headers: dict[str, str] | _FieldLines


class _RegisteredKey(HTTPSignatureAlgorithm):
    """The algorithm that a registered key has, whichever it is; no signature can name it (RFC 9421 section 3.2)."""

    algorithm_id = "of-the-registered-key"

    def __init__(self, public_key: PublicKey | None = None) -> None:
        self._key = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        if self._key is None or not self._key.verify(message, signature):
            raise InvalidSignature


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, keys: KeyLookup) -> None:
        self._keys = keys

    def resolve_public_key(self, key_id: str) -> PublicKey | None:
        return self._keys(KeyId(key_id))


class _Verifier(HTTPMessageVerifier):
    """The library's verifier with the caller's clock for its own, and as strict about the past as about the future."""

    def __init__(self, keys: KeyLookup, now: datetime) -> None:
        super().__init__(signature_algorithm=_RegisteredKey, key_resolver=_Keys(keys))
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:  # noqa: ANN401 - the base class's own, untyped
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires")
        seconds = self._now.timestamp()
        if created is None or abs(seconds - created) > (max_age or MAX_AGE).total_seconds():
            raise InvalidSignature
        if expires is not None and expires < seconds:
            raise InvalidSignature

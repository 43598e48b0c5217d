"""Signing what is handed over, and checking it at the other end (RFC 9421, with RFC 9530's Content-Digest).

The exchange signs ``@method``, ``@authority``, ``@path`` and ``content-digest``, with the parameters ``created``,
``keyid`` and ``nonce``. The algorithm is the registered key's: a signature that names one (``alg``) is not taken.
The authority is the one of the URL that the partner gave out, not whatever a Host field says.

Signing assembles the signature base here, for these components alone; verifying is the library's, whose tests and
users are many. Partners use ``verify_request``; a nonce counts once, so whoever records a request can't send it again.
"""

from __future__ import annotations

import heapq
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from http_message_signatures import (
    HTTPMessageSignaturesException,
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

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")

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


class RequestSigner:
    """Signs the requests of one method to one ``https`` URL."""

    def __init__(self, method: str, url: str, *, key: SigningKey) -> None:
        self._target = (("@method", method), ("@authority", _authority(url)), ("@path", urlsplit(url).path or "/"))
        self._key = key

    def sign(self, body: bytes, *, created: datetime, nonce: str) -> dict[str, str]:
        """Return the fields that sign a request with this body: Content-Digest, Signature-Input and Signature.

        ``created`` counts to the second; ``nonce`` must be new for every request of the key. Raises ``ValueError``
        for a nonce that is not printable ASCII.
        """
        digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"  # RFC 9530 section 2
        parameters = signature_parameters(COMPONENTS, created=created, key_id=self._key.kid, nonce=nonce)
        base = signature_base((*self._target, ("content-digest", digest)), parameters)
        return {
            "Content-Digest": digest,
            "Signature-Input": f"{LABEL}={parameters}",
            "Signature": f"{LABEL}=:{b64encode(self._key.sign(base)).decode()}:",
        }


def signature_parameters(
    components: Iterable[str], *, created: datetime, key_id: KeyId, nonce: str | None = None
) -> str:
    """Return what a signature covers and says of itself: a structured inner list (RFC 9421 section 2.3)."""
    covered = " ".join(map(_sf_known, components))
    said = f"({covered});created={int(created.timestamp())};keyid={_sf_known(key_id)}"
    return said if nonce is None else f"{said};nonce={_sf_string(nonce)}"


def signature_base(components: Iterable[tuple[str, str]], parameters: str) -> bytes:
    """Return the bytes that are signed: each covered component by name and value, then the parameters.

    RFC 9421 section 2.5. Raises ``ValueError`` for a value that could pass for a line of its own, or is not ASCII.
    """
    lines = [f"{_sf_known(name)}: {value}" for name, value in (*components, ("@signature-params", parameters))]
    if any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a component's value spans lines")
    return "\n".join(lines).encode("ascii")


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


def _authority(url: str) -> str:
    """Return a URL's host and port, normalised as for the https scheme (RFC 9421 section 2.2.3)."""
    return urlsplit(url).netloc.lower().removesuffix(":443")


def _sf_string(text: str) -> str:
    """Return a structured field's string (RFC 9651 section 4.1.6)."""
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("a structured field's string is printable ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_sf_known = lru_cache(maxsize=256)(_sf_string)
"""The same for what comes with every signature: components and key ids."""


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
    """What http-message-signatures asks of a request."""

    method: str
    url: str
    headers: _FieldLines


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

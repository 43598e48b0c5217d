"""Disclosures of an SD-JWT: a member of an object or an element of an array, salted, so that its digest tells nothing.

RFC 9901 section 4.2. A disclosure is the base64url of a JSON array, ``[salt, name, value]`` for a member and
``[salt, value]`` for an element; its digest is the SHA-256 of that base64url text as it stands, so nothing here is
ever written anew. What the RFC leaves to taste is fixed: canonical base64url, I-JSON, salts of at least 128 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from schemas.bilingual import Bilingual
from schemas.signing import base64url
from schemas.signing.strict_json import JsonError, JsonValue, parse_json

HIDDEN: Final = "_sd"
"""The member of an object that lists the digests of its other members (section 4.2.4.1)."""

ELEMENT: Final = "..."
"""The one member of the object that stands for an element of an array (section 4.2.4.2)."""

HASH: Final = "_sd_alg"
"""The member of the payload that names the hash function (section 4.1.1); ``sha-256`` here, and where it is absent."""

RESERVED: Final = frozenset({HIDDEN, ELEMENT, HASH})

SALT_BYTES: Final = 16
"""128 bits, as section 9.3 recommends."""


class MalformedDisclosureError(Exception):
    """The text is not a disclosure; ``reason`` says why without repeating any of it."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosure. ``name`` is None for an element of an array; ``digest`` is base64url, as digests are listed."""

    text: bytes
    salt: str
    name: str | None
    value: JsonValue
    digest: str


def write_disclosure(name: str | None, value: JsonValue, *, randomness: Callable[[int], bytes]) -> Disclosure:
    """Return the disclosure of a value, with a new salt from ``randomness``, which gives as many bytes as it is asked.

    ``value`` may hold digests of disclosures further down. Raises ``ValueError`` for a reserved name.
    """
    if name in RESERVED:
        raise ValueError("this name means something to an SD-JWT")
    salt = base64url.encode(randomness(SALT_BYTES)).decode()
    text = base64url.encode(orjson.dumps([salt, value] if name is None else [salt, name, value]))
    return Disclosure(text, salt, name, value, digest_of(text))


def read_disclosure(text: bytes) -> Disclosure:
    """Return the disclosure that a text is. Raises ``MalformedDisclosureError``; see the module for what is refused."""
    try:
        content = parse_json(base64url.decode(text))
    except base64url.Base64UrlError:
        raise MalformedDisclosureError(_NOT_BASE64URL) from None
    except JsonError as error:
        raise MalformedDisclosureError(error.reason) from None
    salt, name, value = _parts(content)
    if name in RESERVED:
        raise MalformedDisclosureError(_RESERVED_NAME)
    if not _LEAST_SALT <= len(salt) <= _MOST_SALT:
        raise MalformedDisclosureError(_BAD_SALT)
    return Disclosure(text, salt, name, value, digest_of(text))


def digest_of(text: bytes) -> str:
    """Return the digest of a disclosure's text (section 4.2.3)."""
    return base64url.encode(hashlib.sha256(text).digest()).decode()


def _parts(content: JsonValue) -> tuple[str, str | None, JsonValue]:
    match content:
        case [str(salt), str(name), value]:
            return salt, name, value
        case [str(salt), value]:
            return salt, None, value
        case _:
            raise MalformedDisclosureError(_NOT_A_DISCLOSURE)


_LEAST_SALT: Final = 22
"""The base64url characters of 128 bits: a value behind a shorter salt can be guessed from its digest."""
_MOST_SALT: Final = 128

_NOT_BASE64URL: Final = Bilingual(
    fr="Une divulgation n'est pas du base64url canonique sans remplissage.",
    en="A disclosure is not canonical base64url without padding.",
)
_NOT_A_DISCLOSURE: Final = Bilingual(
    fr="Une divulgation doit être un tableau : un sel, un nom de membre s'il y a lieu, une valeur.",
    en="A disclosure must be an array: a salt, the name of a member if it is one, a value.",
)
_RESERVED_NAME: Final = Bilingual(
    fr="Une divulgation ne peut porter un nom réservé aux SD-JWT.",
    en="A disclosure can't bear a name that is reserved to SD-JWTs.",
)
_BAD_SALT: Final = Bilingual(
    fr="Le sel d'une divulgation doit avoir de 22 à 128 caractères.",
    en="The salt of a disclosure must have 22 to 128 characters.",
)

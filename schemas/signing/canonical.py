"""The bytes of what we sign ourselves: JSON Canonicalization Scheme (RFC 8785).

Bytes that were received are kept as they came and never pass through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import orjson
import rfc8785

from schemas.bilingual import Bilingual
from schemas.signing.strict_json import JsonValue

CanonicalPart: TypeAlias = orjson.Fragment
"""The canonical bytes of a plain value, to be a part of others as they are."""

PlainValue: TypeAlias = "str | int | bool | Sequence[PlainValue] | Mapping[str, PlainValue] | CanonicalPart | None"
"""A value whose canonical bytes need no care: no floating-point number, and every member's name in ASCII."""


class NotCanonicalError(ValueError):
    """The value has no canonical bytes: an integer beyond ±(2^53-1), a number that is not finite, a lone surrogate."""

    reason: Final = Bilingual(
        fr="Cette valeur n'a pas de forme canonique (RFC 8785).", en="This value has no canonical form (RFC 8785)."
    )

    def __init__(self) -> None:
        super().__init__(self.reason.en)


def canonical_bytes(value: JsonValue) -> bytes:
    """Return the canonical bytes of any JSON value (RFC 8785 section 3.2). Raises ``NotCanonicalError``."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise NotCanonicalError from None


def canonical_plain_bytes(value: Mapping[str, PlainValue]) -> bytes:
    """Return the canonical bytes of a plain object, several times faster; the hot path's way.

    Byte for byte ``canonical_bytes`` over its domain: names in ASCII sort alike as UTF-8 and as UTF-16 (RFC 8785
    section 3.2.3), and what differs between the two in writing numbers is floats alone (section 3.2.2.3).
    Raises ``NotCanonicalError``, also for objects of other types that orjson could write.
    """
    try:
        return orjson.dumps(value, option=_PLAIN)
    except orjson.JSONEncodeError:
        raise NotCanonicalError from None


def canonical_part(value: PlainValue) -> CanonicalPart:
    """Return a plain value in the form in which it is written once for many objects. Raises ``NotCanonicalError``."""
    try:
        return orjson.Fragment(orjson.dumps(value, option=_PLAIN))
    except orjson.JSONEncodeError:
        raise NotCanonicalError from None


_PLAIN: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)

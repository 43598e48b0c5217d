"""Members that several signed documents have: names, windows of time, keys, type patterns, hosts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.signing.keys import KeyMaterialError, PublicKey
from schemas.timestamps import UtcText, read_utc


class Part(BaseModel):
    """A signed document or a part of one: strict, nothing unexpected, never changed; written as it is read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, serialize_by_alias=True)


class Name(Part):
    """A name, or a few words, in both languages."""

    fr: Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"\S")]
    en: Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"\S")]

    @property
    def bilingual(self) -> Bilingual:
        """The name as text that a person reads."""
        return Bilingual(fr=self.fr, en=self.en)


class Window(Part):
    """A time that begins at ``from`` and ends before ``until``, both in UTC."""

    start: Annotated[UtcText, Field(alias="from")]
    until: UtcText

    @property
    def first(self) -> datetime:
        """The first instant inside."""
        return read_utc(self.start)

    @property
    def end(self) -> datetime:
        """The first instant after."""
        return read_utc(self.until)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.first >= self.end:
            raise BrokenRuleError(
                Bilingual(fr="La fin doit suivre le début.", en="The end must come after the beginning.")
            )
        return self


def _public_key(value: object) -> PublicKey:
    if not isinstance(value, Mapping):
        raise BrokenRuleError(Bilingual(fr="Il faut ici une clé JWK.", en="This must be a JWK."))
    try:
        return PublicKey.from_jwk(value)
    except KeyMaterialError as error:
        raise BrokenRuleError(error.reason) from None


def _host(text: str) -> str:
    try:
        spelling = str(ipaddress.ip_address(text))
    except ValueError:
        # Some resolvers read a last label that is a number, 0x7f too, as one of an address (WHATWG URL, section 3.5).
        sound = len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) and not _NUMERIC.fullmatch(text.rpartition(".")[2])
    else:
        # A zone ("fe80::1%eth0") means something on one machine only.
        sound = spelling == text and "%" not in text
    if not sound:
        raise BrokenRuleError(
            Bilingual(
                fr="Il faut ici un nom d'hôte en minuscules ou une adresse IP dans sa forme canonique, sans port.",
                en="This must be a host name in lower case or an IP address in canonical form, without a port.",
            )
        )
    return text


_LONGEST_NAME: Final = 253
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

PublicKeyField = Annotated[
    PublicKey,
    PlainValidator(_public_key),
    PlainSerializer(lambda key: dict(key.jwk), return_type=dict[str, str]),
    WithJsonSchema({"type": "object", "required": ["kty", "crv", "x", "kid", "alg"]}),
]
"""A public JWK with its ``kid`` and ``alg`` (RFC 7517); a ``PublicKey`` in Python."""

TypePattern = Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*/(\*|[a-z]+(-[a-z]+)*/v[1-9][0-9]{0,2})$")]
"""An alert type, or all of a domain: ``public-health/outbreak/v1``, ``law-enforcement/*``."""

HostField = Annotated[str, AfterValidator(_host)]
"""A URL's host (RFC 3986 section 3.2.2): a name in lower case, IDNA encoded, or a literal IP without brackets."""

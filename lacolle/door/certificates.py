"""Which client certificate came with a request: this connection's own, or the one that a trusted proxy was shown.

The application finds it in its ASGI scope, under ``extensions``, as ``lacolle.client_certificate``: ``{"der": bytes}``.

A proxy that ends TLS says in ``Client-Cert`` what it was shown (RFC 9440). It is believed of a trusted hop alone; the
hop's own certificate then stands for nobody but itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509

CLIENT_CERT: Final = b"client-cert"
CLIENT_CERT_CHAIN: Final = b"client-cert-chain"
FORWARDED: Final = frozenset({CLIENT_CERT, CLIENT_CERT_CHAIN})
_LONGEST: Final = 16 * 1024
_BYTES: Final = re.compile(rb" *:([A-Za-z0-9+/]*={0,2}): *")
"""A structured field that is one Byte Sequence (RFC 9651 sections 4.2 and 4.2.7), without parameters."""

Headers = Sequence[tuple[bytes, bytes]]


class MalformedFieldError(Exception):
    """A trusted hop's ``Client-Cert`` is not what RFC 9440 says; nothing of it is used."""


def forwarded_certificate(headers: Headers) -> bytes | None:
    """Return the certificate (DER) that a trusted hop names; None where it names none.

    ``Client-Cert-Chain`` is refused where it stands alone (RFC 9440 section 2.3) and not used otherwise: whose a
    certificate is, its own bytes say. Raises ``MalformedFieldError``.
    """
    named = [value for name, value in headers if name == CLIENT_CERT]
    if not named:
        if any(name == CLIENT_CERT_CHAIN for name, _ in headers):
            raise MalformedFieldError("a chain without its certificate")
        return None
    if len(named) > 1:
        raise MalformedFieldError("the field occurs twice")
    return _certificate(named[0])


def _certificate(value: bytes) -> bytes:
    found = _BYTES.fullmatch(value) if len(value) <= _LONGEST else None
    if found is None:
        raise MalformedFieldError("not a byte sequence")
    try:
        der = base64.b64decode(found[1], validate=True)
        x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError) as error:
        raise MalformedFieldError("not a certificate") from error
    if base64.b64encode(der) != found[1]:
        raise MalformedFieldError("not canonical base64")
    return der

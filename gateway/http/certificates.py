"""Which client certificate came with a request, as the server that verified it says in the ASGI scope."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from schemas.ids import CertificateDigest, certificate_digest

EXTENSION: Final = "lacolle.client_certificate"
"""The ASGI extension ``{"der": bytes}``. Only a server that verified the certificate, or trusts who did, sets it."""


def shown_certificate(scope: Scope) -> CertificateDigest | None:
    """Return the client certificate that the request's connection, or the trusted proxy's, was shown; None for none."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return None if extension is None else certificate_digest(extension["der"])

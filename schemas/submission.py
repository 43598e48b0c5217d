"""A submission in either of its forms: a compact JWS, or an SD-JWT, of which parts can be left out (RFC 9901).

No compact JWS has a ``~`` and every SD-JWT has one, so the bytes themselves say which form they are; over HTTP the
media type must say the same. What was received is kept byte for byte. For everything that is asked of the alert
itself, its *JSON* stands: of a JWS the payload, of an SD-JWT the RFC 8785 bytes of what it discloses, so that an alert
that is signed again, with other salts, is the same alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from schemas.signing.canonical import canonical_bytes
from schemas.signing.disclosures import Disclosure
from schemas.signing.jws import ALERT, ALERT_SD_JWT, JwsProfile, Unverified, read_compact
from schemas.signing.sd_jwt import SdJwt, assemble, read_sd_jwt
from schemas.signing.strict_json import JsonValue, parse_json
from schemas.withholding.copies import CopyForm


class Form(StrEnum):
    """The media type of a submission, which says what form it has."""

    JWS = CopyForm.ORIGINAL.value
    SD_JWT = CopyForm.PRESENTED.value


def form_of(data: bytes) -> Form:
    """Return the form that a submission's bytes have."""
    return Form.SD_JWT if b"~" in data else Form.JWS


@dataclass(frozen=True, slots=True)
class Submission:
    """What arrived, ``data``, and the signed part of it; ``disclosures`` are those of an SD-JWT."""

    data: bytes
    form: Form
    jws: Unverified
    disclosures: tuple[Disclosure, ...] = ()

    @property
    def profile(self) -> JwsProfile:
        """What the signed part of this form must be."""
        return ALERT if self.form is Form.JWS else ALERT_SD_JWT

    def alert_json(self) -> bytes:
        """Return the alert's JSON; nobody has vouched for it unless ``jws`` was verified.

        Raises ``MalformedJwsError`` where an SD-JWT's disclosures and its payload don't make one document.
        """
        return self.jws.payload if self.form is Form.JWS else canonical_bytes(self.sd_jwt().document)

    def document(self) -> JsonValue:
        """Return the alert as a JSON value. Raises as ``alert_json``, and ``JsonError`` for a payload that is none."""
        return parse_json(self.jws.payload) if self.form is Form.JWS else self.sd_jwt().document

    def sd_jwt(self) -> SdJwt:
        """Return what an SD-JWT discloses, and where. Raises as ``alert_json``."""
        document, placed, undisclosed = assemble(self.jws.payload, self.disclosures)
        return SdJwt(self.jws.compact, document, placed, undisclosed)


def read_submission(data: bytes) -> Submission:
    """Return a submission's parts, none of them verified. Raises ``MalformedJwsError`` for what is of neither form."""
    if form_of(data) is Form.JWS:
        return Submission(data, Form.JWS, read_compact(data, ALERT))
    unverified = read_sd_jwt(data)
    return Submission(data, Form.SD_JWT, unverified.jws, unverified.disclosures)


def handling_in(data: bytes) -> Mapping[str, Any]:
    """Return the ``handling`` of a submission that was accepted, as its sender wrote it."""
    alert = cast("Mapping[str, Any]", read_submission(data).document())
    handling: Mapping[str, Any] = alert["handling"]
    return handling

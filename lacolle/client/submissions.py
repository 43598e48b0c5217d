"""Signing an alert in one of the two forms of a submission (``docs/wire.md``, Submitting).

=========  ==========================  =====================================================================
jose       ``application/jose``        a compact JWS over the whole alert
sd-jwt     ``application/alert+sd-jwt``  an SD-JWT (RFC 9901): members may be left out under the same signature
=========  ==========================  =====================================================================

An alert of a type with fields that identify a person, or say something of a person's health, is signed as an SD-JWT
unless another form is asked for: a partner that may not have those fields then still verifies the agency's own
signature. Every SD-JWT has salts of its own, so whoever sends again sends the same bytes; an exchange knows the alert
again either way, by what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from lacolle.client.documents import AlertDocument, signed_alert
from lacolle.errors import LacolleError
from schemas.alerts.catalogue import alert_types, marked_paths, parse_alert
from schemas.bilingual import Bilingual
from schemas.ids import AlertType
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt_issuing import issue
from schemas.signing.strict_json import JsonValue
from schemas.submission import form_of, read_submission
from schemas.withholding.disclosable import disclosable


class SubmissionForm(StrEnum):
    """The form in which an alert is signed, as an option names it."""

    JOSE = "jose"
    SD_JWT = "sd-jwt"


class TooLargeToSeparateError(LacolleError):
    """The alert can't be signed so that its members can be left out one by one."""


def form_for(alert: AlertDocument) -> SubmissionForm:
    """Return the form in which an alert is signed where none is asked for."""
    alert_type = AlertType(str(alert.get("type")))
    if alert_type not in alert_types():
        return SubmissionForm.JOSE
    sensitive = marked_paths(alert_type, "identifying") or marked_paths(alert_type, "health")
    return SubmissionForm.SD_JWT if sensitive else SubmissionForm.JOSE


def signed_submission(
    alert: AlertDocument,
    *,
    form: SubmissionForm | None,
    key: SigningKey,
    now: datetime,
    randomness: Callable[[int], bytes],
    unchecked: bool = False,
) -> bytes:
    """Return an alert signed at ``now``; None leaves the form to ``form_for``.

    ``randomness`` gives as many bytes as it is asked for, fit for secrets. Raises ``InvalidAlertError`` for an alert
    that the exchange would refuse on its own showing, unless ``unchecked``, and ``TooLargeToSeparateError``.
    """
    chosen = form_for(alert) if form is None else form
    match chosen:
        case SubmissionForm.JOSE:
            return signed_alert(alert, key=key, now=now, unchecked=unchecked)
        case SubmissionForm.SD_JWT:
            if not unchecked:
                parse_alert(dict(alert))
            return _sd_jwt(alert, key=key, now=now, randomness=randomness)
        case _:
            assert_never(chosen)


def media_type_of(submission: bytes) -> str:
    """Return the media type of a submission."""
    return form_of(submission).value


def document_in(submission: bytes) -> Mapping[str, JsonValue]:
    """Return the alert that a submission of either form says, unverified; empty where it is no object.

    Raises ``MalformedJwsError`` and ``JsonError`` for bytes that are no submission.
    """
    document = read_submission(submission).document()
    return document if isinstance(document, dict) else {}


def _sd_jwt(alert: AlertDocument, *, key: SigningKey, now: datetime, randomness: Callable[[int], bytes]) -> bytes:
    alert_type = AlertType(str(alert.get("type")))
    parts = disclosable(alert_type) if alert_type in alert_types() else ()
    try:
        return issue(dict(alert), disclosable=parts, key=key, iat=int(now.timestamp()), randomness=randomness)
    except ValueError:  # too many parts, or too much of them
        raise TooLargeToSeparateError(_TOO_LARGE) from None


_TOO_LARGE: Final = Bilingual(
    fr="L'alerte est trop grande pour être signée en SD-JWT : allégez-la, ou signez-la d'un bloc (--form jose).",
    en="The alert is too large to be signed as an SD-JWT: make it smaller, or sign it as a whole (--form jose).",
)

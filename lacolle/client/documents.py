"""The documents a client makes: signed submissions, updates, cancellations, acknowledgements. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from lacolle.client.answers import Question
from lacolle.errors import InvalidAcknowledgementError
from schemas.alerts.catalogue import parse_alert
from schemas.consents import Answer, Consent
from schemas.evidence import Acknowledgement
from schemas.faults import first_fault
from schemas.holds import ContentStatement, ErasureOrder
from schemas.ids import ParticipantId
from schemas.signing.canonical import canonical_bytes, canonical_plain_bytes
from schemas.signing.jws import ACKNOWLEDGEMENT, ALERT, CONSENT, ERASURE_ORDER, LEGAL_HOLD, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue
from schemas.timestamps import utc_text

AlertDocument = Mapping[str, JsonValue]
"""An alert in its native form, as JSON has it."""


def signed_alert(alert: AlertDocument, *, key: SigningKey, now: datetime, unchecked: bool = False) -> bytes:
    """Return a submission: the alert's canonical bytes (RFC 8785), signed at ``now``.

    The same alert always has the same payload, so the exchange knows it again however often it is signed. Raises
    ``InvalidAlertError`` for an alert that the exchange would refuse on its own showing, unless ``unchecked``.
    """
    document = dict(alert)
    if not unchecked:
        parse_alert(document)
    return sign_compact(canonical_bytes(document), key=key, profile=ALERT, iat=int(now.timestamp()))


def acknowledgement(
    *, alert_id: str, delivery_id: str, participant: ParticipantId, status: str, at: datetime, note: str | None
) -> Acknowledgement:
    """Return what a recipient says of a delivery. Raises ``InvalidAcknowledgementError``."""
    document = {
        "alert_id": alert_id,
        "delivery_id": delivery_id,
        "participant": participant,
        "status": status,
        "at": utc_text(at),
        "note": note,
    }
    try:
        return Acknowledgement.model_validate(document)
    except ValidationError as error:
        raise InvalidAcknowledgementError(first_fault(error)) from None


def signed_acknowledgement(word: Acknowledgement, *, key: SigningKey, now: datetime) -> bytes:
    """Return a recipient's word about a delivery, signed at ``now``; an absent note is left out."""
    payload = canonical_plain_bytes(word.model_dump(mode="json", exclude_none=True))
    return sign_compact(payload, key=key, profile=ACKNOWLEDGEMENT, iat=int(now.timestamp()))


def signed_consent(question: Question, decision: Answer, *, key: SigningKey, now: datetime) -> bytes:
    """Return the answer of whoever is asked, given at ``now`` and signed with its own key or its authority's."""
    word = Consent.model_validate(
        {
            "consent_id": question.consent_id,
            "alert_id": question.alert_id,
            "digest": question.digest,
            "recipient": question.recipient,
            "by": question.asked,
            "decision": decision,
            "at": utc_text(now),
        }
    )
    payload = canonical_plain_bytes(word.model_dump(mode="json"))
    return sign_compact(payload, key=key, profile=CONSENT, iat=int(now.timestamp()))


def signed_content_statement(statement: ContentStatement, *, key: SigningKey, now: datetime) -> bytes:
    """Return what an authority states of an alert's content, signed at ``now``; what is absent is left out."""
    payload = canonical_plain_bytes(statement.model_dump(mode="json", exclude_none=True))
    profile = ERASURE_ORDER if isinstance(statement, ErasureOrder) else LEGAL_HOLD
    return sign_compact(payload, key=key, profile=profile, iat=int(now.timestamp()))


def update_of(original: AlertDocument, alert: AlertDocument) -> dict[str, JsonValue]:
    """Return ``alert`` as the Update that replaces ``original`` and all that ``original`` replaced (CAP 1.2, 3.2.1)."""
    return {**alert, "msgType": "Update", "references": _chain(original)}


def cancellation_of(original: AlertDocument, *, identifier: str, now: datetime) -> dict[str, JsonValue]:
    """Return the Cancel that recalls ``original``: its own content under a new identifier, sent at ``now``."""
    return {
        **original,
        "identifier": identifier,
        "sent": cap_time(now),
        "msgType": "Cancel",
        "references": _chain(original),
    }


def cap_time(at: datetime) -> str:
    """Return an aware instant in CAP's form; UTC is written ``-00:00`` (CAP 1.2 section 3.3.2)."""
    text = at.isoformat(timespec="seconds")
    return f"{text.removesuffix('+00:00')}-00:00" if text.endswith("+00:00") else text


def reference_to(alert: AlertDocument) -> str:
    """Return the extended message identifier of an alert, ``sender,identifier,sent`` (CAP 1.2 section 3.2.1)."""
    return ",".join(str(alert[member]) for member in ("sender", "identifier", "sent"))


def _chain(original: AlertDocument) -> list[JsonValue]:
    earlier = original.get("references")
    return [*(earlier if isinstance(earlier, list) else []), reference_to(original)]

"""Screening: whether what a participant submitted may be taken at all. Pure; each refusal is one of the wire contract.

Nothing here knows of agreements: they decide who receives an alert, not whether it is one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from gateway.errors import AlertRefusedError, MalformedSubmissionError, NotPermittedError
from schemas.alerts.catalogue import Fault, InvalidAlertError, parse_alert
from schemas.alerts.header import Alert, instant, read_references
from schemas.bilingual import Bilingual
from schemas.faults import sentence_for
from schemas.fields import Part
from schemas.registry import may_send
from schemas.signing.jws import Unverified
from schemas.signing.strict_json import JsonError, parse_json
from schemas.statements import ParticipantStatement, Role

WordT = TypeVar("WordT", bound=Part)

CLOCK_TOLERANCE = timedelta(seconds=300)
"""How far a signing time may be from the exchange's clock, and a ``sent`` ahead of it."""


def check_signing_time(unverified: Unverified, now: datetime) -> None:
    """Raise ``MalformedSubmissionError`` where ``iat`` is further from ``now`` than the tolerance."""
    if unverified.iat is None or abs(unverified.iat - now.timestamp()) > CLOCK_TOLERANCE.total_seconds():
        raise MalformedSubmissionError(
            Bilingual(
                fr="l'heure de signature (iat) s'écarte de plus de 300 secondes de l'horloge de la plateforme : "
                "réglez l'horloge et signez de nouveau",
                en="the signing time (iat) is more than 300 seconds from the exchange's clock: "
                "set the clock and sign again",
            )
        )


def read_alert(payload: bytes) -> Alert:
    """Return the alert of a payload. Raises ``MalformedSubmissionError`` and ``AlertRefusedError``."""
    try:
        return parse_alert(parse_json(payload))
    except JsonError as error:
        raise MalformedSubmissionError(error.reason, error.pointer) from error
    except InvalidAlertError as error:
        raise AlertRefusedError(error.faults) from error


def read_word(kind: type[WordT], payload: bytes) -> WordT:
    """Return a participant's own word about something, read strictly from what it signed.

    Raises ``MalformedSubmissionError``, and ``AlertRefusedError`` with every place that is not as ``kind`` asks.
    """
    try:
        return kind.model_validate(parse_json(payload))
    except JsonError as error:
        raise MalformedSubmissionError(error.reason, error.pointer) from error
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise AlertRefusedError(
            tuple(
                Fault(
                    pointer="".join(f"/{part}" for part in each["loc"]), code=each["type"], message=sentence_for(each)
                )
                for each in faults
            )
        ) from error


def check_permission(participant: ParticipantStatement, alert: Alert) -> None:
    """Raise ``NotPermittedError`` where the participant's statement does not let it send the alert."""
    if alert.sender != participant.participant:
        raise NotPermittedError(
            Bilingual(
                fr="la clé est celle d'un autre participant que l'expéditeur de l'alerte",
                en="the key is another participant's than the alert's sender",
            )
        )
    if Role.SENDER not in participant.roles:
        raise NotPermittedError(
            Bilingual(
                fr="le participant n'a pas le rôle d'expéditeur", en="the participant does not have the sender role"
            )
        )
    if not may_send(participant.sends, alert.type):
        raise NotPermittedError(
            Bilingual(
                fr="l'attestation du participant ne lui permet pas d'envoyer ce type d'alerte",
                en="the participant's authority statement does not let it send this type of alert",
            )
        )


def check_times(alert: Alert, now: datetime) -> datetime | None:
    """Return when the alert expires; None where it does not say. Raises ``AlertRefusedError``."""
    faults = []
    if instant(alert.sent) > now + CLOCK_TOLERANCE:
        message = Bilingual(fr="la date d'envoi est dans l'avenir", en="the time sent lies in the future")
        faults.append(Fault(pointer="/sent", code="sent-in-future", message=message))
    expires, pointer = _expiry(alert)
    if expires is not None and expires <= now:
        message = Bilingual(fr="l'alerte est déjà expirée", en="the alert has expired already")
        faults.append(Fault(pointer=pointer, code="expired", message=message))
    if faults:
        raise AlertRefusedError(tuple(faults))
    return expires


def _expiry(alert: Alert) -> tuple[datetime | None, str]:
    """Return when an alert ends and where it says so: its own word, or else the last of its info blocks'."""
    if alert.expires is not None:
        return instant(alert.expires), "/expires"
    ends = [instant(info.expires) for info in alert.info if info.expires is not None]
    if not ends or len(ends) < len(alert.info):
        return None, ""
    return max(ends), f"/info/{ends.index(max(ends))}/expires"


def own_references(alert: Alert) -> tuple[str, ...]:
    """Return the identifiers of the sender's own alerts that an alert is about; an Alert is about none."""
    if alert.msgType == "Alert":
        return ()
    return tuple(
        reference.identifier for reference in read_references(alert.references) if reference.sender == alert.sender
    )


UNKNOWN_REFERENCE = Fault(
    pointer="/references",
    code="unknown-reference",
    message=Bilingual(
        fr="aucune alerte connue de cet expéditeur n'est citée : il n'y a rien à annuler",
        en="no known alert of this sender is referenced: there is nothing to cancel",
    ),
)
"""Why a Cancel is refused whose thread nobody knows."""

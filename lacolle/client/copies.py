"""Whether a parcel that a partner took off its own topic is what its sender signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lacolle.client.documents import AlertDocument
from lacolle.client.senders import SenderKeys
from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import Parcel
from schemas.signing.jws import ALERT, MalformedJwsError, SignatureNotTrustedError, read_compact, verify
from schemas.signing.strict_json import JsonError, JsonValue, parse_json

_ORIGINAL: Final = "application/jose"


class CopyNotTrustedError(LacolleError):
    """The copy is not what its headers say, or nobody who is trusted signed it; ``name`` is its delivery id."""

    def __init__(self, reason: Bilingual, *, name: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class ConsumedAlert:
    """An alert as its sender signed it, and what the exchange says of the delivery.

    ``document`` is the alert in its native form, ``submission`` the signed bytes. ``deadline`` is UTC; what is read
    after it may be out of date. ``exercise`` is true where the alert's status is not ``Actual``.
    """

    delivery_id: DeliveryId
    alert_id: AlertId
    thread: AlertId
    sender: ParticipantId
    alert_type: AlertType
    lane: Lane
    under: ClauseRef
    deadline: datetime
    exercise: bool
    document: AlertDocument
    submission: bytes


def trusted_copy(parcel: Parcel, keys: SenderKeys) -> ConsumedAlert:
    """Return the alert in a parcel, now that its sender is known to have signed it.

    Raises ``CopyNotTrustedError``, and what ``keys`` raise where they don't know yet.
    """
    if parcel.content_type != _ORIGINAL:
        raise CopyNotTrustedError(_NOT_THE_ORIGINAL, name=parcel.delivery_id)
    try:
        unverified = read_compact(parcel.body, ALERT)
        owner, key = keys.find(unverified.kid, at=unverified.issued_at) or (None, None)
        document = parse_json(verify(unverified, key))
    except (MalformedJwsError, JsonError) as error:
        raise CopyNotTrustedError(error.reason, name=parcel.delivery_id) from None
    except SignatureNotTrustedError:
        raise CopyNotTrustedError(_NOT_SIGNED, name=parcel.delivery_id) from None
    return ConsumedAlert(
        delivery_id=parcel.delivery_id,
        alert_id=parcel.alert_id,
        thread=parcel.thread,
        sender=parcel.sender,
        alert_type=parcel.alert_type,
        lane=parcel.lane,
        under=parcel.under,
        deadline=parcel.deadline,
        exercise=parcel.exercise,
        document=_its_own(document, parcel, owner),
        submission=parcel.body,
    )


def _its_own(document: JsonValue, parcel: Parcel, owner: ParticipantId | None) -> AlertDocument:
    """Return the document, whose own words about itself must be the headers'."""
    if not isinstance(document, dict) or owner != parcel.sender:
        raise CopyNotTrustedError(_ANOTHER, name=parcel.delivery_id)
    exercise = document.get("status") != "Actual"
    told = (document.get("sender"), document.get("type"), exercise)
    if told != (parcel.sender, parcel.alert_type, parcel.exercise):
        raise CopyNotTrustedError(_ANOTHER, name=parcel.delivery_id)
    return document


_NOT_SIGNED: Final = Bilingual(
    fr="La clé nommée n'a pas signé cette alerte, ou est révoquée : n'y donnez pas suite, et avisez l'exploitant de la "
    "plateforme et l'autorité de l'expéditeur.",
    en="The key that is named did not sign this alert, or is revoked: do not act on it, and tell the exchange's "
    "operator and the sender's authority.",
)
_ANOTHER: Final = Bilingual(
    fr="L'alerte est signée, mais n'est pas celle que l'envoi annonce (expéditeur, type ou statut) : n'y donnez pas "
    "suite et communiquez avec l'exploitant de la plateforme.",
    en="The alert is signed, but is not the one that the parcel announces (sender, type or status): do not act on it, "
    "and contact the exchange's operator.",
)
_NOT_THE_ORIGINAL: Final = Bilingual(
    fr="Cette copie n'est pas l'original signé, et cette version ne sait pas vérifier d'autres copies : mettez lacolle "
    "à jour.",
    en="This copy is not the signed original, and this version can't verify any other: update lacolle.",
)

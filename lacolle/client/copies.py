"""Whether a parcel that a partner took off its own topic is what it says it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lacolle.client.documents import AlertDocument
from lacolle.client.forms import CopyNotTrustedError, ExchangeKeysNow, Handed, VerifiedCopy, verify_copy
from lacolle.client.senders import SenderKeys
from schemas.bilingual import Bilingual
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import Parcel
from schemas.withholding.copies import CopyForm
from schemas.withholding.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ConsumedAlert:
    """An alert, or what this partner may have of it, and what the exchange says of the delivery.

    ``document`` is the alert in its native form, ``submission`` the bytes that were signed: by the sender, or in the
    form ``DERIVED`` by the exchange. ``manifest`` says what of the alert is not here and under which clause, None where
    nothing is lacking; ``manifest_jws`` is its signed form where the bytes don't hold it, "" else. ``undisclosed`` as
    in ``forms.VerifiedCopy``. ``deadline`` is UTC; what is read after it may be out of date. ``exercise`` is true where
    the alert's status is not ``Actual``.
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
    form: CopyForm
    manifest: Manifest | None
    manifest_jws: str
    undisclosed: int


def trusted_copy(parcel: Parcel, keys: SenderKeys, *, exchange: ExchangeKeysNow) -> ConsumedAlert:
    """Return the alert in a parcel, now that it is known who signed it.

    Raises ``CopyNotTrustedError``, and what ``keys`` and ``exchange`` raise where they don't know yet.
    """
    handed = Handed(parcel.delivery_id, parcel.alert_id, parcel.content_type, parcel.body, parcel.manifest)
    copy = verify_copy(handed, senders=keys, exchange=exchange)
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
        document=_its_own(copy, parcel),
        submission=parcel.body,
        form=copy.form,
        manifest=copy.manifest,
        manifest_jws=parcel.manifest,
        undisclosed=copy.undisclosed,
    )


def _its_own(copy: VerifiedCopy, parcel: Parcel) -> AlertDocument:
    """Return the document, whose own words about itself must be the headers'.

    Who sent it, what type it is and whether it is in earnest are never among what is withheld.
    """
    document = copy.document
    signed_by_another = copy.form is not CopyForm.DERIVED and copy.signed_by != parcel.sender
    if not isinstance(document, dict) or signed_by_another:
        raise CopyNotTrustedError(_ANOTHER, name=parcel.delivery_id)
    exercise = document.get("status") != "Actual"
    told = (document.get("sender"), document.get("type"), exercise)
    if told != (parcel.sender, parcel.alert_type, parcel.exercise):
        raise CopyNotTrustedError(_ANOTHER, name=parcel.delivery_id)
    return document


_ANOTHER: Final = Bilingual(
    fr="L'alerte est signée, mais n'est pas celle que l'envoi annonce (expéditeur, type ou statut) : n'y donnez pas "
    "suite et communiquez avec l'exploitant de la plateforme.",
    en="The alert is signed, but is not the one that the parcel announces (sender, type or status): do not act on it, "
    "and contact the exchange's operator.",
)

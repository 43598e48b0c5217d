"""Checks of what happened to the alert: deliveries hang together, and partners' words are theirs and in the log."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from audit.entry import Entry
from audit.evidence.bundle import Bundle, Pins, opened, registry_before, require_signed, word_in
from audit.evidence.document import digest_of
from audit.evidence.findings import WantingError
from audit.kinds import Kind
from schemas.bilingual import Bilingual
from schemas.consents import Consent
from schemas.evidence import Acknowledgement
from schemas.fields import Part
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.jws import ACKNOWLEDGEMENT, CONSENT, Unverified
from schemas.signing.keys import PublicKey
from schemas.timestamps import read_utc

BEGINNINGS: Final = frozenset({Kind.ROUTED, Kind.CONSENT_REQUESTED})
CONSENT_ANSWERS: Final = frozenset({Kind.CONSENT_GIVEN, Kind.CONSENT_REFUSED})


def check_deliveries(bundle: Bundle, _pins: Pins) -> Bilingual:
    """Find each delivery's entries to follow on its routing, for the same recipient, and to hand it over once."""
    recipients: dict[str, str] = {}
    delivered: set[str] = set()
    for entry in bundle.about_the_alert:
        delivery = entry.content.get("delivery_id")
        if not isinstance(delivery, str):
            continue
        recipient = _recipient(entry)
        if entry.kind in BEGINNINGS:
            recipients.setdefault(delivery, recipient)
        if recipients.get(delivery) != recipient or (entry.kind == Kind.DELIVERED and delivery in delivered):
            raise WantingError(_OUT_OF_NOWHERE)
        if entry.kind == Kind.DELIVERED:
            delivered.add(delivery)
    own = bundle.evidence.drawn.view == "own"
    for content in bundle.evidence.contents:
        if not recipients.keys() >= set(content.deliveries) or bool(content.deliveries) is not own:
            raise WantingError(_OUT_OF_NOWHERE)
    return Bilingual(
        fr=f"{len(recipients)} envois, dont {len(delivered)} remis d'après ce que leur transport a répondu.",
        en=f"{len(recipients)} dispatches, {len(delivered)} of them delivered as their transport answered.",
    )


def check_acknowledgements(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find every acknowledgement signed by its recipient's own key, and the one that the log has."""
    logged = [each for each in bundle.about_the_alert if each.kind == Kind.ACKNOWLEDGED]
    words = bundle.evidence.acknowledgements
    if bundle.evidence.missing == "erased":  # a note goes with the alert's content, and with it the word that has it
        kept = {digest_of(each.encode("ascii")) for each in words}
        logged = [each for each in logged if each.content["digest"] in kept]
    _require_paired(words, logged)
    for compact, entry in zip(words, logged, strict=True):
        unverified = opened(compact, ACKNOWLEDGEMENT)
        word = word_in(unverified, Acknowledgement)
        _require_participant(bundle, pins, unverified, word.participant, entry)
        _require_same(word, entry, ("delivery_id", "status", "at"))
        if entry.content["recipient"] != word.participant or entry.content["kid"] != unverified.kid:
            raise WantingError(_OTHER_WORD)
        _require_about(bundle, word.alert_id, compact, entry)
    return Bilingual(
        fr=f"{len(words)} accusés, chacun signé par son destinataire.",
        en=f"{len(words)} acknowledgements, each signed by its recipient.",
    )


def check_consents(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find every answer signed by whoever was asked, about these very bytes, and the one that the log has."""
    logged = [each for each in bundle.about_the_alert if each.kind in CONSENT_ANSWERS]
    words = bundle.evidence.consents
    _require_paired(words, logged)
    for compact, entry in zip(words, logged, strict=True):
        unverified = opened(compact, CONSENT)
        word = word_in(unverified, Consent)
        if "." in word.by:
            _require_participant(bundle, pins, unverified, word.by, entry)
        else:
            key = _authority(pins, JurisdictionCode(word.by), unverified.kid)
            require_signed(unverified, key, _NOT_ITS_OWN)
        _require_same(word, entry, ("consent_id", "recipient", "by", "at"))
        if word.digest != bundle.acceptance.digest or entry.kind != f"consent-{word.decision}":
            raise WantingError(_OTHER_WORD)
        _require_about(bundle, word.alert_id, compact, entry)
    return Bilingual(
        fr=f"{len(words)} réponses à des demandes de consentement, chacune signée par qui était sollicité.",
        en=f"{len(words)} answers to questions of consent, each signed by whoever was asked.",
    )


def _recipient(entry: Entry) -> str:
    if entry.kind == Kind.WITHHELD:
        withheld: Any = entry.content["withheld"]
        return str(withheld[0]["recipient"]) if withheld and isinstance(withheld[0], dict) else _refuse()
    return str(entry.content.get("recipient", entry.actor))


def _refuse() -> NoReturn:
    raise WantingError(_OUT_OF_NOWHERE)


def _require_paired(words: tuple[str, ...], logged: list[Entry]) -> None:
    """Raise ``WantingError`` unless there is one word for each entry, in the order of the log."""
    if [digest_of(each.encode("ascii")) for each in words] != [each.content["digest"] for each in logged]:
        raise WantingError(_OTHER_WORD)


def _require_participant(bundle: Bundle, pins: Pins, unverified: Unverified, participant: str, entry: Entry) -> None:
    known = registry_before(bundle, pins, entry.index).trusted_key(unverified.kid, read_utc(entry.time))
    require_signed(unverified, None if known is None else known[1], _NOT_ITS_OWN)
    if known is None or known[0].participant != participant or entry.actor != participant:
        raise WantingError(_NOT_ITS_OWN)


def _require_same(word: Part, entry: Entry, members: tuple[str, ...]) -> None:
    said = word.model_dump(mode="json")
    if any(said[member] != entry.content[member] for member in members):
        raise WantingError(_OTHER_WORD)


def _require_about(bundle: Bundle, alert_id: str, compact: str, entry: Entry) -> None:
    if alert_id != bundle.evidence.alert_id or digest_of(compact.encode("ascii")) != entry.content["digest"]:
        raise WantingError(_OTHER_WORD)


def _authority(pins: Pins, jurisdiction: JurisdictionCode, kid: KeyId) -> PublicKey | None:
    pinned = pins.jurisdictions.get(jurisdiction)
    keys = () if pinned is None else pinned.authority_keys
    return next((key for key in keys if key.kid == kid), None)


_OUT_OF_NOWHERE: Final = Bilingual(
    fr="Une remise ne fait suite à aucun envoi autorisé, concerne un autre destinataire, ou finit deux fois.",
    en="A delivery follows on no routing, concerns another recipient, or ends twice.",
)
_NOT_ITS_OWN: Final = Bilingual(
    fr="Une parole n'est pas signée par une clé que son auteur pouvait alors employer.",
    en="A word is not signed by a key that its author could use then.",
)
_OTHER_WORD: Final = Bilingual(
    fr="Une parole signée n'est pas celle que le journal inscrit, ou il en manque une.",
    en="A signed word is not the one that the log records, or one is missing.",
)

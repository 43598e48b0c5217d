"""Checks of what was signed about the alert itself: authority statements, the receipt, the content."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audit.errors import AuditError
from audit.evidence.bundle import (
    NO_RECEIPT,
    Acceptance,
    Bundle,
    Pins,
    opened,
    registry_before,
    require_signed,
    statements_before,
)
from audit.evidence.document import Content, digest_of
from audit.evidence.findings import UncheckableError, WantingError
from audit.evidence.logged import logged_digests, tree_of
from audit.kinds import Kind
from schemas.bilingual import Bilingual
from schemas.ids import AlertType
from schemas.registry import Registry, may_send
from schemas.signing.jws import RECEIPT, REDACTED_ALERT, WITHHOLDING, MalformedJwsError
from schemas.signing.strict_json import JsonError, JsonValue, parse_json
from schemas.statements import Role
from schemas.submission import Form, Submission, read_submission
from schemas.timestamps import read_utc
from schemas.withholding.copies import read_derived, read_manifest
from schemas.withholding.manifest import Manifest

_TOLERANCE: Final = timedelta(seconds=301)
"""How far a signing time may be from acceptance: what the exchange allows, and what is cut off a second."""


def check_statements(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find every statement signed by its own jurisdiction's pinned authority, and those that entries are about."""
    evidence = bundle.evidence
    places = [each.index for each in evidence.statements]
    if places != sorted(set(places)) or max(places, default=0) >= tree_of(bundle).size:
        raise WantingError(_STATEMENTS_OUT_OF_ORDER)
    verified = statements_before(bundle, pins, tree_of(bundle).size)
    registry_before(bundle, pins, tree_of(bundle).size)
    digests = {each.index: digest_of(each.statement.encode("ascii")) for each in evidence.statements}
    logged = logged_digests(bundle, frozenset({Kind.PARTICIPANT_REGISTERED, Kind.KEY_REVOKED}), "statement")
    if any(digests.get(index) != digest for index, digest in logged.items()):
        raise WantingError(_OTHER_STATEMENT)
    authorities = len({each.authority_kid for each in verified})
    return Bilingual(
        fr=f"{len(verified)} attestations, signées par {authorities} clé(s) d'autorité épinglée(s); {len(logged)} ont "
        "aussi leur inscription au journal ici.",
        en=f"{len(verified)} statements, signed by {authorities} pinned authority key(s); {len(logged)} also have "
        "their log entry here.",
    )


def check_receipt(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find it promised by the exchange, signed, that this submission stands in this log at this index."""
    receipt, accepted = bundle.receipt, bundle.accepted
    if receipt is None or bundle.evidence.receipt is None:
        raise _erased_receipt(bundle)
    unverified = opened(bundle.evidence.receipt, RECEIPT)
    require_signed(unverified, bundle.exchange_key(unverified.kid, pins), _RECEIPT_NOT_SIGNED)
    if (receipt.alert_id, receipt.log_origin) != (bundle.evidence.alert_id, bundle.evidence.origin):
        raise WantingError(_OTHER_RECEIPT)
    if accepted is not None:
        said = accepted.content
        logged = (accepted.index, accepted.time, accepted.actor, said["digest"])
        promised = (receipt.log_index, receipt.received, receipt.sender, receipt.digest)
        if logged != promised or said.get("identifier", receipt.identifier) != receipt.identifier:
            raise WantingError(_OTHER_RECEIPT)
    if pins.exchange is None:
        raise UncheckableError(_OWN_KEY)
    return Bilingual(
        fr=f"La plateforme a promis par écrit l'inscription {receipt.log_index}, le {receipt.received}.",
        en=f"The exchange has promised entry {receipt.log_index} in writing, {receipt.received}.",
    )


def _erased_receipt(bundle: Bundle) -> AuditError:
    """Return what is to be said where there is no receipt: that it went with the content, if the log says so."""
    if bundle.erased is None or bundle.evidence.missing != "erased":
        return WantingError(NO_RECEIPT)
    index = bundle.erased.index
    return UncheckableError(
        Bilingual(
            fr=f"Le reçu a été effacé avec le contenu qu'il nomme, comme le dit l'inscription {index} : l'acceptation "
            "est prouvée par le journal seul.",
            en=f"The receipt was erased with the content that it names, as entry {index} says: the acceptance is "
            "proven by the log alone.",
        )
    )


def check_content(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find the submission signed by its sender's registered key, and accepted by the log; a copy, to be one of it."""
    evidence = bundle.evidence
    if not evidence.contents:
        raise UncheckableError(_ERASED if evidence.missing == "erased" else _NO_COPY)
    if evidence.missing is not None:
        raise WantingError(_NOT_MISSING)
    said = [_check_one(bundle, pins, content) for content in evidence.contents]
    return Bilingual(fr=" ".join(each.fr for each in said), en=" ".join(each.en for each in said))


def _check_one(bundle: Bundle, pins: Pins, content: Content) -> Bilingual:
    data = bundle.members[content.file]
    if content.media_type == "application/redacted-alert+jws":
        if content.manifest is not None:
            raise WantingError(_OTHER_FORM)
        return _check_derived(bundle, pins, data)
    submission = _submission(data)
    if submission.form != content.media_type:
        raise WantingError(_OTHER_FORM)
    registry = registry_before(bundle, pins, bundle.acceptance.log_index)
    kid, sender = _check_agency(bundle.acceptance, registry, submission), bundle.acceptance.sender
    if content.manifest is None:
        if digest_of(data) != bundle.acceptance.digest:
            raise WantingError(_OTHER_SUBMISSION)
        return Bilingual(
            fr=f"{sender} a signé ces octets avec {kid}, que son autorité disait alors sienne.",
            en=f"{sender} has signed these bytes with {kid}, which its authority then said was its own.",
        )
    if submission.form is not Form.SD_JWT:
        raise WantingError(_OTHER_FORM)
    unverified = opened(content.manifest, WITHHOLDING)
    require_signed(unverified, bundle.exchange_key(unverified.kid, pins), _COPY_NOT_SIGNED)
    manifest = _of_original(bundle, read_manifest(unverified.payload))
    if manifest.presented != digest_of(data):
        raise WantingError(_OTHER_COPY)
    return Bilingual(
        fr=f"{sender} a signé cette copie avec {kid}; {_places(manifest)} endroits en ont été retirés.",
        en=f"{sender} has signed this copy with {kid}; {_places(manifest)} places were left out of it.",
    )


def _check_derived(bundle: Bundle, pins: Pins, data: bytes) -> Bilingual:
    unverified = opened(data, REDACTED_ALERT)
    require_signed(unverified, bundle.exchange_key(unverified.kid, pins), _COPY_NOT_SIGNED)
    try:
        copy = read_derived(unverified.payload)
    except MalformedJwsError as error:
        raise WantingError(error.reason) from None
    manifest = _of_original(bundle, copy.manifest)
    _require_named(bundle.acceptance, copy.alert)
    if pins.exchange is None:
        raise UncheckableError(_OWN_KEY)
    return Bilingual(
        fr=f"La plateforme a dérivé cette copie de la soumission {manifest.original} et l'a signée elle-même; "
        f"{_places(manifest)} endroits n'y sont pas comme dans l'original.",
        en=f"The exchange has derived this copy from the submission {manifest.original} and signed it itself; "
        f"{_places(manifest)} places are not in it as in the original.",
    )


def _of_original(bundle: Bundle, manifest: Manifest) -> Manifest:
    if (manifest.alert_id, manifest.original) != (bundle.evidence.alert_id, bundle.acceptance.digest):
        raise WantingError(_OTHER_COPY)
    return manifest


def _check_agency(accepted: Acceptance, registry: Registry, submission: Submission) -> str:
    """Return the name of the key that signed. Raises ``WantingError`` unless it was the sender's at acceptance."""
    received = read_utc(accepted.received)
    known = registry.trusted_key(submission.jws.kid, received)
    require_signed(submission.jws, None if known is None else known[1], _AGENCY_NOT_SIGNED)
    if known is None or known[0].participant != accepted.sender or Role.SENDER not in known[0].roles:
        raise WantingError(_AGENCY_NOT_SIGNED)
    if abs(submission.jws.issued_at - received) > _TOLERANCE:
        raise WantingError(_OTHER_TIME)
    document = document_of(submission)
    _require_named(accepted, document)
    if not may_send(known[0].sends, _type_of(document)):
        raise WantingError(_MAY_NOT_SEND)
    return submission.jws.kid


def _type_of(document: JsonValue) -> AlertType:
    return AlertType(str(document.get("type")) if isinstance(document, dict) else "")


def _require_named(accepted: Acceptance, document: JsonValue) -> None:
    if not isinstance(document, dict):
        raise WantingError(_OTHER_SUBMISSION)
    if (document.get("sender"), document.get("identifier")) != (accepted.sender, accepted.identifier):
        raise WantingError(_OTHER_SUBMISSION)


def _submission(data: bytes) -> Submission:
    try:
        return read_submission(data)
    except MalformedJwsError as error:
        raise WantingError(error.reason) from None


def document_of(submission: Submission) -> JsonValue:
    """Return the alert's document. Raises ``WantingError``."""
    try:
        return submission.document()
    except (MalformedJwsError, JsonError) as error:
        raise WantingError(error.reason) from None


def content_document(data: bytes, media_type: str) -> JsonValue:
    """Return the alert that a content shows, whoever signed it. Raises ``WantingError``."""
    if media_type != "application/redacted-alert+jws":
        return document_of(_submission(data))
    try:
        derived = parse_json(opened(data, REDACTED_ALERT).payload, max_depth=33)
    except JsonError as error:
        raise WantingError(error.reason) from None
    return derived.get("alert") if isinstance(derived, dict) else None


def _places(manifest: Manifest) -> int:
    return sum(each.places for each in manifest.withheld)


_STATEMENTS_OUT_OF_ORDER: Final = Bilingual(
    fr="Les attestations ne se suivent pas dans l'ordre du journal.",
    en="The statements do not follow each other in the order of the log.",
)
_OTHER_STATEMENT: Final = Bilingual(
    fr="Une inscription concerne une autre attestation que celle qui est jointe.",
    en="An entry is about another statement than the one that is enclosed.",
)
_RECEIPT_NOT_SIGNED: Final = Bilingual(
    fr="Le reçu n'est pas signé par une clé de la plateforme.",
    en="The receipt is not signed by a key of the exchange.",
)
_OTHER_RECEIPT: Final = Bilingual(
    fr="Le reçu ne dit pas ce que dit le journal de cette alerte.",
    en="The receipt does not say what the log says of this alert.",
)
_OWN_KEY: Final = Bilingual(
    fr="Signé par une clé de la plateforme que le dossier est seul à nommer : donnez les siennes (--exchange-keys).",
    en="Signed by a key of the exchange that the bundle alone names: give the exchange's own (--exchange-keys).",
)
_ERASED: Final = Bilingual(
    fr="Le contenu de l'alerte a été effacé : le dossier prouve qu'elle a existé, non ce qu'elle disait.",
    en="The alert's content has been erased: the bundle proves that it existed, not what it said.",
)
_NO_COPY: Final = Bilingual(
    fr="La plateforme n'a pu refaire la copie de ce lecteur : le dossier ne dit pas ce qu'elle disait.",
    en="The exchange could not make this reader's copy again: the bundle does not say what it said.",
)
_NOT_MISSING: Final = Bilingual(
    fr="Le dossier dit manquer d'un contenu qu'il renferme.", en="The bundle says that it lacks a content that it has."
)
_OTHER_FORM: Final = Bilingual(
    fr="Un contenu n'a pas la forme que le dossier annonce.", en="A content is not of the form that the bundle names."
)
_OTHER_SUBMISSION: Final = Bilingual(
    fr="La soumission jointe n'est pas celle du reçu.", en="The submission enclosed is not the receipt's."
)
_COPY_NOT_SIGNED: Final = Bilingual(
    fr="Une copie n'est pas signée par une clé de la plateforme.",
    en="A copy is not signed by a key of the exchange.",
)
_OTHER_COPY: Final = Bilingual(
    fr="Une copie n'est pas celle de la soumission du reçu.", en="A copy is not of the receipt's submission."
)
_AGENCY_NOT_SIGNED: Final = Bilingual(
    fr="Le contenu n'est pas signé par une clé que l'expéditeur pouvait employer à l'instant de l'acceptation.",
    en="The content is not signed by a key that its sender could use when it was accepted.",
)
_OTHER_TIME: Final = Bilingual(
    fr="La signature est datée d'un autre moment que l'acceptation.",
    en="The signature is dated at another time than the acceptance.",
)
_MAY_NOT_SEND: Final = Bilingual(
    fr="L'attestation de l'expéditeur ne lui permet pas ce type d'alerte.",
    en="The sender's statement does not let it send this type of alert.",
)

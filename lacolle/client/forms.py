"""Verifying a recipient's copy in each of its forms (``schemas.withholding.copies.CopyForm``).

=============  ====================================================================================================
original       the sender's signature is over all of it
derived        the exchange's signature is over what it left, and over the manifest inside; the sender's is nowhere
presented      the sender's own signature is over what is there; the exchange's manifest, beside it, names these bytes
=============  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from lacolle.client.senders import SenderKeys, SenderUnknownError
from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.ids import AlertId, KeyId, ParticipantId
from schemas.signing.jws import (
    ALERT,
    REDACTED_ALERT,
    WITHHOLDING,
    MalformedJwsError,
    SignatureNotTrustedError,
    Unverified,
    read_compact,
    verify,
)
from schemas.signing.keys import PublicKey
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.signing.strict_json import JsonError, JsonValue, parse_json
from schemas.withholding.copies import CopyForm, form_of, verify_derived, verify_manifest
from schemas.withholding.manifest import Manifest, digest_of

ExchangeKeysNow: TypeAlias = Callable[[], Mapping[KeyId, PublicKey]]
"""Returns the exchange's public keys that are believed, by ``kid``. Raises a ``LacolleError`` where it can't."""


class CopyNotTrustedError(LacolleError):
    """The copy is not what its headers say, or nobody who is trusted signed it; ``name`` is its delivery id."""

    def __init__(self, reason: Bilingual, *, name: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class Handed:
    """A copy as it was handed over: ``name`` is its delivery id, ``manifest`` what came beside it, "" for nothing."""

    name: str
    alert_id: AlertId
    content_type: str
    body: bytes
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedCopy:
    """What a copy says, and whose word that is.

    ``signed_by`` is whose key signed the alert itself, None where that was the exchange for want of the sender's
    signature. ``manifest`` says what the copy lacks, None where that is nothing. ``undisclosed`` counts the digests of
    an SD-JWT without a manifest that nothing answers to: decoys of the sender's, or something that was taken out.
    """

    form: CopyForm
    document: JsonValue
    signed_by: ParticipantId | None
    manifest: Manifest | None = None
    undisclosed: int = 0


def verify_copy(handed: Handed, *, senders: SenderKeys, exchange: ExchangeKeysNow) -> VerifiedCopy:
    """Return what a copy says, now that it is known who signed it.

    Raises ``CopyNotTrustedError``, ``SenderUnknownError`` for a key of the sender or of the exchange that is not known
    yet, and what ``senders`` and ``exchange`` raise where they can't be asked.
    """
    try:
        return _verified(handed, senders, exchange)
    except (MalformedJwsError, JsonError) as error:
        raise CopyNotTrustedError(error.reason, name=handed.name) from None
    except SignatureNotTrustedError:
        raise CopyNotTrustedError(_NOT_SIGNED, name=handed.name) from None


def _verified(handed: Handed, senders: SenderKeys, exchange: ExchangeKeysNow) -> VerifiedCopy:
    try:
        form = form_of(handed.content_type)
    except ValueError:
        raise CopyNotTrustedError(_UNKNOWN_FORM, name=handed.name) from None
    if handed.manifest and form is not CopyForm.PRESENTED:
        raise CopyNotTrustedError(_MANIFEST_OF_NOTHING, name=handed.name)
    match form:
        case CopyForm.ORIGINAL:
            return _original(handed, senders)
        case CopyForm.DERIVED:
            return _derived(handed, exchange)
        case CopyForm.PRESENTED:
            return _presented(handed, senders, exchange)
        case _:
            assert_never(form)


def _original(handed: Handed, senders: SenderKeys) -> VerifiedCopy:
    unverified = read_compact(handed.body, ALERT)
    signed_by, key = _sender_of(unverified, senders)
    return VerifiedCopy(CopyForm.ORIGINAL, parse_json(verify(unverified, key)), signed_by)


def _derived(handed: Handed, exchange: ExchangeKeysNow) -> VerifiedCopy:
    unverified = read_compact(handed.body, REDACTED_ALERT)
    copy = verify_derived(unverified, _exchange_key(unverified, exchange))
    _require_about(handed, copy.manifest, presented=None)
    return VerifiedCopy(CopyForm.DERIVED, copy.alert, None, copy.manifest)


def _presented(handed: Handed, senders: SenderKeys, exchange: ExchangeKeysNow) -> VerifiedCopy:
    unverified = read_sd_jwt(handed.body)
    signed_by, key = _sender_of(unverified.jws, senders)
    sd_jwt = verify_sd_jwt(unverified, key)
    if not handed.manifest:
        return VerifiedCopy(CopyForm.PRESENTED, sd_jwt.document, signed_by, undisclosed=sd_jwt.undisclosed)
    signed = read_compact(handed.manifest.encode("ascii", "replace"), WITHHOLDING)
    manifest = verify_manifest(signed, _exchange_key(signed, exchange))
    _require_about(handed, manifest, presented=digest_of(handed.body))
    return VerifiedCopy(CopyForm.PRESENTED, sd_jwt.document, signed_by, manifest)


def _sender_of(unverified: Unverified, senders: SenderKeys) -> tuple[ParticipantId | None, PublicKey | None]:
    return senders.find(unverified.kid, at=unverified.issued_at) or (None, None)


def _exchange_key(unverified: Unverified, exchange: ExchangeKeysNow) -> PublicKey:
    key = exchange().get(unverified.kid)
    if key is None:
        raise SenderUnknownError(_UNKNOWN_EXCHANGE_KEY)
    return key


def _require_about(handed: Handed, manifest: Manifest, *, presented: str | None) -> None:
    """Refuse a manifest that is of another alert, or of other bytes than those that came."""
    if (manifest.alert_id, manifest.presented) != (handed.alert_id, presented):
        raise CopyNotTrustedError(_MANIFEST_OF_ANOTHER, name=handed.name)


_NOT_SIGNED: Final = Bilingual(
    fr="La clé nommée n'a pas signé cette copie, ou est révoquée : n'y donnez pas suite, et avisez l'exploitant de la "
    "plateforme et l'autorité de l'expéditeur.",
    en="The key that is named did not sign this copy, or is revoked: do not act on it, and tell the exchange's "
    "operator and the sender's authority.",
)
_UNKNOWN_FORM: Final = Bilingual(
    fr="Cette version ne sait pas vérifier une copie de cette forme : mettez lacolle à jour.",
    en="This version can't verify a copy of this form: update lacolle.",
)
_UNKNOWN_EXCHANGE_KEY: Final = Bilingual(
    fr="La copie, ou ce qui dit ce qui y manque, est signée d'une clé qui n'est pas parmi celles que l'on connaît de "
    "cette plateforme : n'y donnez pas suite, et demandez à son exploitant si elle a changé; si oui, retirez le "
    "fichier des clés connues et relancez.",
    en="The copy, or what says what it lacks, is signed with a key that is not among those known of this exchange: do "
    "not act on it, and ask its operator whether the key has changed; if so, remove the file of known keys and run "
    "this again.",
)
_MANIFEST_OF_NOTHING: Final = Bilingual(
    fr="Un manifeste accompagne une copie qui n'en a pas : n'y donnez pas suite et communiquez avec l'exploitant de la "
    "plateforme.",
    en="A manifest came beside a copy that has none: do not act on it, and contact the exchange's operator.",
)
_MANIFEST_OF_ANOTHER: Final = Bilingual(
    fr="Le manifeste est authentique, mais porte sur une autre alerte ou sur d'autres octets que ceux reçus : n'y "
    "donnez pas suite et communiquez avec l'exploitant de la plateforme.",
    en="The manifest is genuine, but about another alert or other bytes than those that came: do not act on it, and "
    "contact the exchange's operator.",
)

"""Trusting an exchange's word: which keys are its own, and what a receipt must say.

The exchange's keys are pinned: given by the caller in a JWK Set file, or taken from the exchange the first time they
are needed and held from then on. With a file they are held across runs, so that an exchange that was replaced between
two of them is noticed. A receipt, a copy or a manifest under any other key proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from lacolle.client.answers import AcceptedAnswer, read_answer
from lacolle.client.calls import Call, Caller
from lacolle.errors import ConfigurationError, ReceiptNotTrustedError
from schemas.bilingual import Bilingual
from schemas.evidence import Receipt, ReceiptError, read_receipt
from schemas.ids import KeyId
from schemas.signing.jws import RECEIPT, MalformedJwsError, SignatureNotTrustedError, read_compact
from schemas.signing.keys import KeyMaterialError, PublicKey


class _KeySet(BaseModel):
    """A JWK Set (RFC 7517 section 5)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    keys: tuple[dict[str, Any], ...]


class ExchangeKeys:
    """The keys under which one exchange's receipts, copies and manifests are believed.

    Safe to use from several threads.
    """

    def __init__(self, caller: Caller, *, file: Path | None) -> None:
        self._caller = caller
        self._file = file
        self._lock = Lock()
        self._pinned: Mapping[KeyId, PublicKey] | None = None

    def pinned(self) -> Mapping[KeyId, PublicKey]:
        """Return the keys by ``kid``, pinning them where that was not done yet.

        Raises ``ConfigurationError`` for a file that can't be used, and what a call raises.
        """
        with self._lock:
            if self._pinned is None:
                self._pinned = self._recalled() or self._met()
            return self._pinned

    def _recalled(self) -> Mapping[KeyId, PublicKey]:
        if self._file is None or not self._file.exists():
            return {}
        return read_pinned(self._file)

    def _met(self) -> Mapping[KeyId, PublicKey]:
        answer = self._caller.answer(lambda: Call("GET", "/.well-known/jwks.json"))
        keys = _sound_keys(read_answer(answer, _KeySet))
        if self._file is not None:
            content = {"keys": [dict(key.jwk) for key in keys.values()]}
            try:
                self._file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            except OSError:
                raise ConfigurationError(_no_pins(self._file)) from None
        return keys


def read_pinned(file: Path) -> Mapping[KeyId, PublicKey]:
    """Return the keys in a JWK Set file by ``kid``. Raises ``ConfigurationError`` where none can be used."""
    try:
        keys = _sound_keys(_KeySet.model_validate_json(file.read_bytes()))
    except (OSError, ValidationError):
        keys = {}
    if not keys:
        raise ConfigurationError(_no_pins(file))
    return keys


def verify_receipt(
    answer: AcceptedAnswer,
    submission: bytes,
    *,
    keys: Mapping[KeyId, PublicKey],
    named: tuple[str, str],
    replayed: bool,
) -> Receipt:
    """Return the receipt of an answer, now that it is known to be the exchange's word about this submission.

    ``named`` is the alert's sender and identifier. The digest must be the submission's own; a ``replayed`` answer's
    may be that of an earlier signing of the same alert. Raises ``ReceiptNotTrustedError``.
    """
    compact = answer.receipt.encode("ascii", "replace")
    try:
        key = keys.get(read_compact(compact, RECEIPT).kid)
        if key is None:
            raise _untrusted(answer, _UNKNOWN_KEY)
        receipt = read_receipt(compact, key)
    except (MalformedJwsError, SignatureNotTrustedError, ReceiptError):
        raise _untrusted(answer, _NOT_ITS_OWN) from None
    own = f"sha-256:{hashlib.sha256(submission).hexdigest()}"
    about_this = (receipt.alert_id, receipt.log_index, receipt.sender, receipt.identifier) == (
        answer.alert_id,
        answer.log_index,
        *named,
    )
    if not about_this or (receipt.digest != own and not replayed):
        raise _untrusted(answer, _ABOUT_ANOTHER)
    return receipt


def _sound_keys(key_set: _KeySet) -> dict[KeyId, PublicKey]:
    found = {}
    for jwk in key_set.keys:
        try:
            key = PublicKey.from_jwk(jwk)
        except KeyMaterialError:
            continue  # a set may hold keys of kinds unknown here (RFC 7517 section 5); they verify nothing
        found[key.kid] = key
    return found


def _untrusted(answer: AcceptedAnswer, reason: Bilingual) -> ReceiptNotTrustedError:
    return ReceiptNotTrustedError(reason, alert_id=answer.alert_id, receipt=answer.receipt)


_UNKNOWN_KEY: Final = Bilingual(
    fr="Le reçu est signé d'une clé qui n'est pas parmi celles que l'on connaît de cette plateforme. Demandez à son "
    "exploitant si elle a changé; si oui, retirez le fichier des clés connues et renvoyez les mêmes octets.",
    en="The receipt is signed with a key that is not among those known of this exchange. Ask its operator whether the "
    "key has changed; if so, remove the file of known keys and send the same bytes again.",
)
_NOT_ITS_OWN: Final = Bilingual(
    fr="Le reçu n'est pas signé par cette plateforme. Ne tenez pas l'alerte pour acceptée : conservez la réponse et "
    "communiquez avec l'exploitant.",
    en="The receipt is not signed by this exchange. Do not count the alert as accepted: keep the answer and contact "
    "the operator.",
)
_ABOUT_ANOTHER: Final = Bilingual(
    fr="Le reçu est authentique, mais porte sur une autre alerte que celle qui a été envoyée : conservez la réponse et "
    "communiquez avec l'exploitant.",
    en="The receipt is genuine, but about another alert than the one that was sent: keep the answer and contact the "
    "operator.",
)


def _no_pins(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le fichier des clés connues de la plateforme, {file}, ne peut être lu ou écrit : corrigez-le ou "
        "retirez-le.",
        en=f"The file of the exchange's known keys, {file}, can't be read or written: mend it or remove it.",
    )

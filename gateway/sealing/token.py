"""A key-encryption key that never leaves a PKCS#11 token: an AES key of 256 bits, used with ``CKM_AES_GCM``.

Of the key it needs ``CKA_ENCRYPT`` and ``CKA_DECRYPT`` alone; ``CKA_EXTRACTABLE`` can and should be false. It is used
once for each wrapping key that a process comes to need, a few hundred at most: what those wrap is wrapped in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

from bus.secretfiles import SecretFileError, read_secret
from gateway.sealing.errors import KeyEncryptionKeyError
from gateway.sealing.kek import NONCE_SIZE, Randomness, UnwrapError
from gateway.settings.sealing import TokenSettings
from schemas.bilingual import Bilingual

_TAG_BITS: Final = 128
_PROBE: Final = "lacolle probe"


class TokenKey:
    """A key in a token. Each use has a session of its own, so that a token that was away is found again."""

    def __init__(self, settings: TokenSettings, *, pin: str, randomness: Randomness) -> None:
        """Name the key; nothing is asked of the token yet. Raises ``KeyEncryptionKeyError`` without the extra."""
        try:
            import pkcs11 as library  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise KeyEncryptionKeyError(_MISSING) from error
        self._pkcs11: Any = library
        self._settings = settings
        self._pin = pin
        self._randomness = randomness
        self._turn = Lock()

    @property
    def name(self) -> str:
        """``pkcs11:`` and the beginning of a digest of the labels, which an exchange's keys have for good."""
        labels = f"{self._settings.token_label}\x00{self._settings.key_label}"
        return f"pkcs11:{hashlib.sha256(labels.encode()).hexdigest()[:16]}"

    def wrap(self, key: bytes, *, about: str) -> bytes:
        """Return a key wrapped. Raises ``KeyEncryptionKeyError``."""
        nonce = self._randomness(NONCE_SIZE)
        with self._key() as found:
            try:
                wrapped: bytes = found.encrypt(key, **self._way(nonce, about))
            except self._pkcs11.PKCS11Error as error:
                raise KeyEncryptionKeyError(_away(self._settings, error)) from error
        return nonce + wrapped

    def unwrap(self, wrapped: bytes, *, about: str) -> bytes:
        """Return what was wrapped. Raises ``UnwrapError`` and ``KeyEncryptionKeyError``."""
        with self._key() as found:
            try:
                key: bytes = found.decrypt(wrapped[NONCE_SIZE:], **self._way(wrapped[:NONCE_SIZE], about))
            except self._pkcs11.PKCS11Error:
                pass  # tokens have many words for a wrong tag: whether this one still works tells them from the others
            else:
                return key
        self.wrap(bytes(NONCE_SIZE), about=_PROBE)
        raise UnwrapError

    def _way(self, nonce: bytes, about: str) -> dict[str, Any]:
        parameters = self._pkcs11.GCMParams(nonce, about.encode(), _TAG_BITS)
        return {"mechanism": self._pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}

    @contextmanager
    def _key(self) -> Iterator[Any]:
        settings, library = self._settings, self._pkcs11
        with self._turn:
            try:
                token = library.lib(settings.module).get_token(token_label=settings.token_label)
                session = token.open(user_pin=self._pin)
            except (library.PKCS11Error, OSError, RuntimeError) as error:
                raise KeyEncryptionKeyError(_away(settings, error)) from error
            with session:
                try:
                    found = session.get_key(label=settings.key_label, object_class=library.ObjectClass.SECRET_KEY)
                except library.PKCS11Error as error:
                    raise KeyEncryptionKeyError(_away(settings, error)) from error
                yield found


def open_token_key(settings: TokenSettings, path: Path) -> TokenKey:
    """Return the key that the settings name, once it has answered; ``path`` is what they are relative to.

    Raises ``KeyEncryptionKeyError``.
    """
    try:
        pin = read_secret(path / settings.pin_file)
    except SecretFileError as error:
        raise KeyEncryptionKeyError(error.reason) from error
    key = TokenKey(settings, pin=pin, randomness=os.urandom)
    key.wrap(bytes(NONCE_SIZE), about=_PROBE)
    return key


_MISSING: Final = Bilingual(
    fr="sealing.pkcs11 demande python-pkcs11, qui n'est pas installé : « pip install lacolle[pkcs11] », ou indiquez "
    "sealing.kek_file.",
    en="sealing.pkcs11 needs python-pkcs11, which is not installed: “pip install lacolle[pkcs11]”, or name "
    "sealing.kek_file.",
)


def _away(settings: TokenSettings, error: Exception) -> Bilingual:
    kind, key = type(error).__name__, f"{settings.token_label}/{settings.key_label}"
    return Bilingual(
        fr=f"La clé {key} du module PKCS#11 {settings.module} ne répond pas ({kind}) : vérifiez le module, le jeton, "
        "la clé et le fichier du NIP.",
        en=f"The key {key} of the PKCS#11 module {settings.module} does not answer ({kind}): check the module, the "
        "token, the key and the file of the PIN.",
    )

"""Where a process gets the key-encryption key and the folder of content keys from, as its settings say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from bus.secretfiles import SecretFileError, read_secret
from gateway.clock import Clock
from gateway.sealing.contents import Contents
from gateway.sealing.errors import KeyEncryptionKeyError
from gateway.sealing.folder import KeyFolder
from gateway.sealing.kek import KeyEncryptionKey, LocalKey, read_key
from gateway.settings.exchange import Settings
from schemas.bilingual import Bilingual

log = structlog.get_logger(__name__)

KEK_FILE: Final = "content.kek"
"""The key-encryption key among the exchange's keys, unless the settings name another place."""


def open_contents(settings: Settings, path: Path, *, environment: Mapping[str, str], clock: Clock) -> Contents:
    """Return the door to content of the exchange in a folder; ``path`` is what its settings are relative to.

    A key that is damaged concerns what is under it alone, and is named in the log. Raises ``KeyEncryptionKeyError``
    and ``KeyFolderError``.
    """
    kek = open_kek(settings, path, environment=environment)
    folder = KeyFolder(path / settings.files.content_keys, kek, randomness=os.urandom)
    for name in folder.require_usable():
        log.error("content_key_damaged", key=name)
    return Contents(folder, clock=clock)


def open_kek(settings: Settings, path: Path, *, environment: Mapping[str, str]) -> KeyEncryptionKey:
    """Return the key-encryption key that the settings name. Raises ``KeyEncryptionKeyError``."""
    sealing = settings.sealing
    if sealing.pkcs11 is not None:
        from gateway.sealing.token import open_token_key  # noqa: PLC0415 - an extra

        return open_token_key(sealing.pkcs11, path)
    if sealing.kek_variable is not None:
        text = environment.get(sealing.kek_variable, "")
        if not text:
            raise KeyEncryptionKeyError(_no_variable(sealing.kek_variable))
        return LocalKey(read_key(text), randomness=os.urandom)
    return key_in_file(path / (sealing.kek_file or f"{settings.files.keys}/{KEK_FILE}"))


def key_in_file(file: Path) -> LocalKey:
    """Return the key-encryption key in a file. Raises ``KeyEncryptionKeyError``."""
    try:
        return LocalKey(read_key(read_secret(file)), randomness=os.urandom)
    except SecretFileError as error:
        raise KeyEncryptionKeyError(_no_file(error.reason)) from error


def _no_variable(name: str) -> Bilingual:
    return Bilingual(
        fr=f"La variable d'environnement {name}, que nomme sealing.kek_variable, est vide : sans la clé qu'elle doit "
        "porter, nul ne peut relire les alertes conservées.",
        en=f"The environment variable {name}, which sealing.kek_variable names, is empty: without the key that it is "
        "to hold nobody can read the stored alerts.",
    )


def _no_file(reason: Bilingual) -> Bilingual:
    return Bilingual(
        fr=f"{reason.fr} C'est la clé qui protège les clés du contenu : rétablissez-la d'une copie sûre; une autre ne "
        "relirait rien.",
        en=f"{reason.en} It is the key-encryption key of the content: put it back from a safe copy; another one would "
        "read nothing.",
    )

"""Secrets that are not keys, passwords of a database or a broker, in files of one line each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bus import secretfiles
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

_OWNER_ALONE: Final = 0o600


def write_secret(path: Path, secret: str) -> None:
    """Write a secret to a new file with mode 0600. Raises ``ConfigurationError``, also where the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ALONE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secret}\n")
    except OSError as error:
        raise ConfigurationError(_unwritable(path, error)) from None


def read_secret(path: Path) -> str:
    """Return the secret in a file, as ``bus.secretfiles`` reads it. Raises ``ConfigurationError``."""
    try:
        return secretfiles.read_secret(path)
    except secretfiles.SecretFileError as error:
        raise ConfigurationError(error.reason) from None


def _unwritable(path: Path, error: OSError) -> Bilingual:
    return Bilingual(
        fr=f"Le secret ne peut être écrit dans {path} ({error.strerror}) : choisissez un nouveau fichier.",
        en=f"The secret can't be written to {path} ({error.strerror}): choose a new file.",
    )

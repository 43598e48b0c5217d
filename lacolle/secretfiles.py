"""Secrets that are not keys, passwords of a database or a broker, in files of one line each."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

_LONGEST: Final = 4_096
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
    """Return the secret in a file: its content without the newline at the end.

    Raises ``ConfigurationError`` where the file can't be read, is empty or longer than 4 KiB, or where anybody on the
    machine may read it; its group may, which is how secrets are mounted into a container.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                raise ConfigurationError(_open_to_all(path))
            content = file.read(_LONGEST + 1)
        secret = content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(_unreadable(path, error)) from None
    if not secret or len(content) > _LONGEST or "\n" in secret or "\x00" in secret:
        raise ConfigurationError(_no_secret(path))
    return secret


def _open_to_all(path: Path) -> Bilingual:
    return Bilingual(
        fr=f"N'importe qui sur cette machine peut lire le secret {path} : faites « chmod 600 {path} », et changez-le "
        "si quelqu'un a pu le lire.",
        en=f"Anybody on this machine can read the secret {path}: run “chmod 600 {path}”, and change it if anyone may "
        "have read it.",
    )


def _unreadable(path: Path, error: Exception) -> Bilingual:
    kind = type(error).__name__
    return Bilingual(
        fr=f"Le secret {path} ne peut être lu ({kind}) : vérifiez le chemin et ses droits.",
        en=f"The secret {path} can't be read ({kind}): check the path and its permissions.",
    )


def _unwritable(path: Path, error: OSError) -> Bilingual:
    return Bilingual(
        fr=f"Le secret ne peut être écrit dans {path} ({error.strerror}) : choisissez un nouveau fichier.",
        en=f"The secret can't be written to {path} ({error.strerror}): choose a new file.",
    )


def _no_secret(path: Path) -> Bilingual:
    return Bilingual(
        fr=f"{path} doit contenir un secret sur une seule ligne.",
        en=f"{path} must hold one secret on a single line.",
    )

"""Secrets in files that not everybody on the machine may read: a password in one line, a private key in PEM.

The group may read them, which is how secrets are mounted into a container.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from schemas.bilingual import Bilingual

_LONGEST: Final = 4_096


class SecretFileError(Exception):
    """The file can't be read, holds no secret, or is open to everybody; ``reason`` says which, never the secret."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


def read_secret(path: Path) -> str:
    """Return the secret in a file: its content without the newline at the end.

    Raises ``SecretFileError`` where the file can't be read, is empty or longer than 4 KiB, or where anybody on the
    machine may read it.
    """
    try:
        with path.open("rb") as file:
            _require_private(file.fileno(), path)
            content = file.read(_LONGEST + 1)
        secret = content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileError(_unreadable(path, error)) from None
    if not secret or len(content) > _LONGEST or "\n" in secret or "\x00" in secret:
        raise SecretFileError(_no_secret(path))
    return secret


def require_private(path: Path) -> None:
    """Raise ``SecretFileError`` where a file can't be read, or where anybody on the machine may read it."""
    try:
        with path.open("rb") as file:
            _require_private(file.fileno(), path)
    except OSError as error:
        raise SecretFileError(_unreadable(path, error)) from None


def _require_private(descriptor: int, path: Path) -> None:
    if os.fstat(descriptor).st_mode & stat.S_IRWXO:
        raise SecretFileError(_open_to_all(path))


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


def _no_secret(path: Path) -> Bilingual:
    return Bilingual(
        fr=f"{path} doit contenir un secret sur une seule ligne.",
        en=f"{path} must hold one secret on a single line.",
    )

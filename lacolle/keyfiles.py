"""Private keys in files: one JWK each (RFC 7517), readable by their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import orjson

from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.signing.keys import KeyMaterialError, SigningKey
from schemas.signing.strict_json import JsonError, parse_json

_OWNER_ALONE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_BYTES: Final = 4_096


class KeyFileError(LacolleError):
    """The key file can't be read or written, or others could read it."""


def write_key_file(path: Path, key: SigningKey) -> None:
    """Write a private key to a new file with mode 0600, durably.

    Raises ``KeyFileError``, also where the file exists: a key is never overwritten.
    """
    content = orjson.dumps(key.to_jwk(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ALONE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise KeyFileError(_exists(path)) from None
    except OSError as error:
        raise KeyFileError(_not_written(path, error)) from None


def load_key_file(path: Path) -> SigningKey:
    """Return the private key in a file.

    Raises ``KeyFileError`` where the file can't be read, is open to group or others, or holds no private key.
    """
    try:
        with path.open("rb") as file:
            # The open file is judged, not its name: what is read is what was judged.
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise KeyFileError(_open_to_others(path, mode))
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(_not_read(path, error)) from None
    return _key_in(content, path)


def _key_in(content: bytes, path: Path) -> SigningKey:
    try:
        jwk = parse_json(content) if len(content) <= _MAX_BYTES else None
        if isinstance(jwk, dict):
            return SigningKey.from_jwk(jwk)
    except JsonError as error:
        raise KeyFileError(_no_key(path, error.reason)) from None
    except KeyMaterialError as error:
        raise KeyFileError(_no_key(path, error.reason)) from None
    raise KeyFileError(_no_key(path, _NO_JWK))


_NO_JWK: Final = Bilingual(fr="Il y faut un JWK privé.", en="It must hold one private JWK.")


def _exists(path: Path) -> Bilingual:
    return Bilingual(
        fr=f"{path} existe déjà, et une clé n'est jamais écrasée : choisissez un autre nom.",
        en=f"{path} exists already, and a key is never overwritten: choose another name.",
    )


def _not_written(path: Path, error: OSError) -> Bilingual:
    return Bilingual(
        fr=f"La clé ne peut être écrite dans {path} ({error.strerror}) : choisissez un dossier où vous pouvez écrire.",
        en=f"The key can't be written to {path} ({error.strerror}): choose a folder you may write to.",
    )


def _not_read(path: Path, error: OSError) -> Bilingual:
    return Bilingual(
        fr=f"La clé ne peut être lue dans {path} ({error.strerror}) : vérifiez le chemin et ses droits.",
        en=f"The key can't be read from {path} ({error.strerror}): check the path and its permissions.",
    )


def _open_to_others(path: Path, mode: int) -> Bilingual:
    shown = f"{stat.S_IMODE(mode):04o}"
    return Bilingual(
        fr=f"D'autres que vous peuvent lire la clé privée {path} (mode {shown}) : faites « chmod 600 {path} », et "
        "remplacez la clé si quelqu'un a pu la lire.",
        en=f"Others than you can read the private key {path} (mode {shown}): run “chmod 600 {path}”, and replace the "
        "key if anyone may have read it.",
    )


def _no_key(path: Path, reason: Bilingual) -> Bilingual:
    return Bilingual(
        fr=f"{path} n'est pas une clé privée de Lacolle. {reason.fr} « lacolle keygen » en crée une.",
        en=f"{path} is not a private key of Lacolle. {reason.en} “lacolle keygen” makes one.",
    )

"""Private keys in files: one JWK each (RFC 7517), readable by one user alone.

That user is the owner, or, where somebody else owns the file, whoever is in its group: secrets mounted into a
container belong to root or to the host's user, and reach the process by a group (Kubernetes' ``fsGroup``, Compose's
``group_add``).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import orjson

from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.signing.keys import KeyMaterialError, SigningKey
from schemas.signing.strict_json import JsonError, parse_json

_OWNER_ALONE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BEYOND_READING: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
_MAX_BYTES: Final = 4_096


class KeyFileError(LacolleError):
    """The key file can't be read or written, or others could read it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """As whom files are read: a user, and the groups it is in."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def this_process(cls) -> Self:
        """Return the user and groups that this process acts as."""
        return cls(uid=os.geteuid(), groups=frozenset({os.getegid(), *os.getgroups()}))


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


def load_key_file(path: Path, *, reader: Reader | None = None) -> SigningKey:
    """Return the private key in a file; ``reader`` is this process where it is None.

    Raises ``KeyFileError`` where the file can't be read, holds no private key, or is open to more than one: to others,
    to the group for writing, or to the group at all where ``reader`` owns it or has no need of the group.
    """
    try:
        with path.open("rb") as file:
            # The open file is judged, not its name: what is read is what was judged.
            found = os.fstat(file.fileno())
            if not _is_private(found, reader or Reader.this_process()):
                raise KeyFileError(_open_to_others(path, found.st_mode))
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(_not_read(path, error)) from None
    return _key_in(content, path)


def _is_private(found: os.stat_result, reader: Reader) -> bool:
    """Whether the file's rights let ``reader`` alone read it, or it and whoever mounted the file for it."""
    if not found.st_mode & _OTHERS:
        return True
    mounted = found.st_uid != reader.uid and found.st_gid in reader.groups
    return mounted and not found.st_mode & _BEYOND_READING


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
        "remplacez la clé si quelqu'un a pu la lire. Montée dans un conteneur, elle appartient à un autre compte que "
        "celui du processus, et à l'un de ses groupes (mode 0440).",
        en=f"Others than you can read the private key {path} (mode {shown}): run “chmod 600 {path}”, and replace the "
        "key if anyone may have read it. Mounted into a container, it belongs to another account than the process's, "
        "and to one of its groups (mode 0440).",
    )


def _no_key(path: Path, reason: Bilingual) -> Bilingual:
    return Bilingual(
        fr=f"{path} n'est pas une clé privée de Lacolle. {reason.fr} « lacolle keygen » en crée une.",
        en=f"{path} is not a private key of Lacolle. {reason.en} “lacolle keygen” makes one.",
    )

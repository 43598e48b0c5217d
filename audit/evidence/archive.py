"""The one file that a bundle is: a ZIP that can be written in one way only, so that it can be read in one way only.

Nothing is compressed, so nothing unfolds into more than was sent. Members stand in the order given, under names of
``NAME``, with the oldest date that a ZIP has. Whoever reads one writes it again and compares: a second member of a
name, bytes before, between or after the members, headers that disagree, are other bytes and refused.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from audit.errors import AuditError
from schemas.bilingual import Bilingual

MOST_BYTES: Final = 256 * 1024 * 1024
"""Bytes that a bundle has at most."""
MOST_MEMBERS: Final = 64

MANIFEST: Final = "manifest.jws"
DOCUMENT: Final = "evidence.json"
NARRATIVE: Final = "narrative.html"
VERIFIER: Final = "verify.py"
FIXED: Final = frozenset({MANIFEST, DOCUMENT, NARRATIVE, VERIFIER})
"""The members that every bundle has; the others are contents of the alert, which ``evidence.json`` names."""

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?")
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_ATTRIBUTES: Final = 0o100644 << 16


class MalformedBundleError(AuditError):
    """The file is not an evidence bundle that can be read; ``reason`` says why and repeats nothing of it."""


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return the file of some members, in their order. Raises ``ValueError`` for a name that none can have."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, content in members.items():
            if NAME.fullmatch(name) is None:
                raise ValueError("no member of a bundle has such a name")
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system = _UNIX
            member.external_attr = _ATTRIBUTES
            archive.writestr(member, content)
    return written.getvalue()


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return a file's members, in their order. Raises ``MalformedBundleError`` for all that ``write_archive`` did not.

    No more is held than twice the file's own size.
    """
    if len(data) > MOST_BYTES:
        raise MalformedBundleError(_TOO_LARGE)
    try:
        members = _members(data)
        again = write_archive(members)
    except (zipfile.BadZipFile, struct.error, ValueError, EOFError, RuntimeError, OSError, KeyError, IndexError):
        raise MalformedBundleError(_NO_ARCHIVE) from None
    if again != data or not members.keys() >= FIXED:
        raise MalformedBundleError(_NO_ARCHIVE)
    return members


def _members(data: bytes) -> dict[str, bytes]:
    _require_small_directory(data)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        listed = archive.infolist()
        plain = all(
            each.compress_type == zipfile.ZIP_STORED and each.file_size == each.compress_size for each in listed
        )
        if not plain or len(listed) > MOST_MEMBERS or sum(each.file_size for each in listed) > len(data):
            raise MalformedBundleError(_NO_ARCHIVE)
        return {each.filename: archive.read(each) for each in listed}


def _require_small_directory(data: bytes) -> None:
    """Raise ``MalformedBundleError`` for a directory that lists more than a bundle has: it is not even gone through.

    The end of a ZIP without a comment says how large its directory is, which ends where that begins (APPNOTE 4.3.16).
    """
    end = _END.unpack(data[-_END.size :])
    if end[0] != _END_SIGNATURE or end[5] > MOST_MEMBERS * _LARGEST_LISTED or end[5] + end[6] + _END.size != len(data):
        raise MalformedBundleError(_NO_ARCHIVE)


_END: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\x05\x06"
_LARGEST_LISTED: Final = 46 + 64
"""Bytes of a member's place in the directory, with its name."""

_TOO_LARGE: Final = Bilingual(
    fr="Le fichier est plus gros qu'aucun dossier de preuve ne peut l'être.",
    en="The file is larger than an evidence bundle can be.",
)
_NO_ARCHIVE: Final = Bilingual(
    fr="Le fichier n'est pas un dossier de preuve tel que la plateforme en écrit : ses membres ne se lisent pas d'une "
    "seule manière.",
    en="The file is not an evidence bundle as an exchange writes it: its members can't be read in one way alone.",
)

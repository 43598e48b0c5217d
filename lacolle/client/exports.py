"""Exports of the log as an auditor receives them: the archive is the exchange's own, and whole, or it is refused."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import orjson

from audit.checkpoints import CheckpointBody
from audit.entry import commitment
from audit.errors import AuditError, DisclosureError
from audit.note import Verifier, open_note
from audit.withheld import disclose
from lacolle.errors import ExportNotTrustedError
from schemas.bilingual import Bilingual
from schemas.exports import MANIFEST, ExportManifest, ExportManifestError, read_manifest
from schemas.ids import KeyId
from schemas.signing.jws import EXPORT_MANIFEST, MalformedJwsError, SignatureNotTrustedError, read_compact
from schemas.signing.keys import PublicKey

_PIECE: Final = 1 << 20
_LONGEST_MANIFEST: Final = 131_072
_LONGEST_LINE: Final = 4 * 1024 * 1024

Watch = Callable[[int, int], None]
"""Told how many bytes of how many were looked at."""


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """An export that is what its manifest says; ``held`` is how many entries were held against their commitments."""

    manifest: ExportManifest
    held: int


def verify_export(
    archive: Path, *, keys: Mapping[KeyId, PublicKey], log: Verifier | None, watch: Watch = lambda _done, _total: None
) -> VerifiedExport:
    """Return what an archive holds, verified offline, in memory that does not grow with it.

    The manifest must be signed by one of ``keys``, the exchange's, the data have its digest and its number of entries;
    where the data is entries as NDJSON, each must make its commitment. ``log`` is the verifier of the checkpoint that
    the manifest names, where it is known. Raises ``ExportNotTrustedError``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            manifest = _manifest(opened, keys)
            if log is not None:
                body = CheckpointBody.parse(open_note(manifest.checkpoint.encode(), log))
                if (body.origin, body.size) != (manifest.log_origin, manifest.log_size):
                    raise ExportNotTrustedError(_NOT_ITS_LOG)
            info = _deflated(opened, manifest.file)
            with opened.open(info) as data:
                return VerifiedExport(manifest, _held(data, info.file_size, manifest, watch))
    except AuditError:
        raise ExportNotTrustedError(_NOT_ITS_LOG) from None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        raise ExportNotTrustedError(_NO_ARCHIVE) from None


def _manifest(archive: zipfile.ZipFile, keys: Mapping[KeyId, PublicKey]) -> ExportManifest:
    info = _deflated(archive, MANIFEST)
    if info.file_size > _LONGEST_MANIFEST:
        raise ExportNotTrustedError(_NO_ARCHIVE)
    compact = archive.read(info)
    try:
        key = keys.get(read_compact(compact, EXPORT_MANIFEST).kid)
        if key is None:
            raise ExportNotTrustedError(_UNKNOWN_KEY)
        manifest = read_manifest(compact, key)
    except (MalformedJwsError, SignatureNotTrustedError, ExportManifestError):
        raise ExportNotTrustedError(_UNKNOWN_KEY) from None
    if sorted(archive.namelist()) != sorted((manifest.file, MANIFEST)):
        raise ExportNotTrustedError(_NO_ARCHIVE)
    return manifest


def _deflated(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return where a file is that is compressed as the exchange does it: other methods take memory as they like."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_DEFLATED:
        raise ExportNotTrustedError(_NO_ARCHIVE)
    return info


def _held(data: IO[bytes], size: int, manifest: ExportManifest, watch: Watch) -> int:
    """Return how many entries made their commitments. Raises ``ExportNotTrustedError`` for data of another digest."""
    digest, seen, held = hashlib.sha256(), 0, 0
    lines = manifest.report == "entries" and manifest.format == "ndjson"
    while piece := data.readline(_LONGEST_LINE) if lines else data.read(_PIECE):
        digest.update(piece)
        seen += len(piece)
        if lines:
            _require_committed(piece)
            held += 1
        watch(seen, size)
    if f"sha-256:{digest.hexdigest()}" != manifest.digest or (lines and held != manifest.entries):
        raise ExportNotTrustedError(_ALTERED)
    return held


def _require_committed(line: bytes) -> None:
    """Hold a line's entry against its commitment: what stands in the line is byte for byte what the log commits to.

    What is disclosed of it is held against the entry.
    """
    try:
        row = orjson.loads(line)
        entry = line[line.index(b'"entry":') + len(b'"entry":') : line.rindex(b"}")]
        made = commitment(bytes.fromhex(row["salt"]), entry)
        if made.hex() != row["commitment"] or row["entry"]["index"] != row["index"]:
            raise ExportNotTrustedError(_ALTERED)
        disclose(row["entry"]["content"], row.get("disclosures", ()))
    except (ValueError, KeyError, TypeError, DisclosureError):
        raise ExportNotTrustedError(_ALTERED) from None


_NO_ARCHIVE: Final = Bilingual(
    fr="Ce fichier n'est pas une exportation entière du journal : demandez-la de nouveau.",
    en="This file is no whole export of the log: ask for it again.",
)
_UNKNOWN_KEY: Final = Bilingual(
    fr="Le manifeste de cette exportation n'est pas signé par une clé connue de la plateforme : ne vous y fiez pas.",
    en="The manifest of this export is not signed by a known key of the exchange: do not rely on it.",
)
_ALTERED: Final = Bilingual(
    fr="Les données de cette exportation ne sont pas celles que son manifeste décrit : ne vous y fiez pas.",
    en="The data of this export is not what its manifest describes: do not rely on it.",
)
_NOT_ITS_LOG: Final = Bilingual(
    fr="Le point de contrôle du manifeste n'est pas signé par le journal attendu : ne vous y fiez pas.",
    en="The manifest's checkpoint is not signed by the log that was expected: do not rely on it.",
)

"""Archives of exports as somebody may have made them: one that the exchange did not make so is refused, quickly."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Final

import pytest

from lacolle.client.exports import verify_export
from lacolle.errors import ExportNotTrustedError
from schemas.exports import MANIFEST, ExportManifest
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.signing.jws import EXPORT_MANIFEST, sign_compact
from schemas.signing.keys import SigningKey

KEY: Final = SigningKey.generate(KeyId("exchange"), "Ed25519")
FILE: Final = "entries-7.csv"
DATA: Final = b"index,time\r\n" * 2_000


def manifest_of(data: bytes) -> bytes:
    """Return what the exchange signs of some data."""
    manifest = ExportManifest(
        report="entries",
        format="csv",
        file=FILE,
        digest=f"sha-256:{hashlib.sha256(data).hexdigest()}",
        entries=7,
        rows=7,
        filters={},
        justification="because",
        participant=ParticipantId("ca-qc.cai"),
        jurisdiction=JurisdictionCode("CA-QC"),
        log_origin="lacolle.example/log",
        log_size=7,
        checkpoint="a note",
        begun=7,
        ended=8,
        at="2026-01-17T19:05:09.123Z",
    )
    return sign_compact(manifest.canonical, key=KEY, profile=EXPORT_MANIFEST)


def archive(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive of some files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as made:
        for name, content in files:
            made.writestr(name, content)
    return sink.getvalue()


SIGNED: Final = manifest_of(DATA)
WHOLE: Final = ((FILE, DATA), (MANIFEST, SIGNED))


def verified(content: bytes, at: Path) -> int:
    """Return how many rows an archive says that it has, verified."""
    file = at / "export.zip"
    file.write_bytes(content)
    return verify_export(file, keys={KEY.kid: KEY.public}, log=None).manifest.rows


def test_what_the_exchange_makes_is_believed(tmp_path: Path) -> None:
    """The data and the manifest, compressed as the exchange does it, are an export."""
    assert verified(archive(*WHOLE), tmp_path) == 7


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_other_method_of_compression(tmp_path: Path, method: int) -> None:
    """What the exchange never uses is refused before it is unpacked, whole, damaged or cut short."""
    content = archive(*WHOLE, method=method)
    middle = len(content) // 2
    damaged = content[:60] + bytes(40) + content[100:]
    for each in (content, damaged, content[: middle - 20] + content[middle:]):
        with pytest.raises(ExportNotTrustedError):
            verified(each, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        archive(*WHOLE, ("../../x", b"")),
        archive((FILE, DATA[:-1]), (MANIFEST, SIGNED)),
        archive((FILE, bytes(50_000_000)), (MANIFEST, SIGNED)),
        archive((FILE, DATA), (MANIFEST, b"a" * 10_000_000)),
        archive((FILE, DATA)),
        archive(*WHOLE)[:-40],
        b"",
    ],
    ids=["another file", "cut short", "zeros", "long manifest", "no manifest", "no directory", "nothing"],
)
def test_whatever_else_is_in_it(tmp_path: Path, content: bytes) -> None:
    """Files that do not belong there, data of another digest and pieces of an archive are refused."""
    with pytest.raises(ExportNotTrustedError):
        verified(content, tmp_path)

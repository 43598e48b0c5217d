"""What the exchange says, signed, of an export of its log: a compact JWS of ``typ`` ``export-manifest+jws``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints, ValidationError

from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.fields import Part
from schemas.ids import JurisdictionField, ParticipantField
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import EXPORT_MANIFEST, read_compact, verify
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import UtcText

MANIFEST: Final = "manifest.jws"
"""The manifest's name within an archive."""


class ExportManifestError(Exception):
    """The payload is signed and yet no manifest; ``reason`` says why without repeating it."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class ExportManifest(Part):
    """The members of a manifest.

    ``file`` is the name of the data within the archive and ``digest`` that of its bytes, ``sha-256:<hex>``.
    ``checkpoint`` is the signed note of the ``log_size`` entries that the export was made from, ``begun`` and ``ended``
    the entries of the log that say that it was asked for and what was in it; ``at`` is UTC with milliseconds.
    """

    report: str
    format: str
    file: str
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
    entries: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    filters: dict[str, str]
    justification: str
    participant: ParticipantField
    jurisdiction: JurisdictionField
    log_origin: str
    log_size: Annotated[int, Field(ge=1)]
    checkpoint: str
    begun: Annotated[int, Field(ge=0)]
    ended: Annotated[int, Field(ge=0)]
    at: UtcText

    @property
    def canonical(self) -> bytes:
        """The payload in its RFC 8785 form."""
        return canonical_plain_bytes(self.model_dump(mode="json"))


def read_manifest(compact: bytes, key: PublicKey) -> ExportManifest:
    """Return a manifest, now that it is known to be the exchange's word.

    Raises ``MalformedJwsError``, ``SignatureNotTrustedError`` and ``ExportManifestError``.
    """
    try:
        return ExportManifest.model_validate(parse_json(verify(read_compact(compact, EXPORT_MANIFEST), key)))
    except JsonError as error:
        raise ExportManifestError(error.reason) from None
    except ValidationError as error:
        raise ExportManifestError(first_fault(error)) from None

"""What a bundle holds beside the alert's own contents: ``evidence.json``, form ``lacolle-evidence/v2``.

Of the form v1, which is read as well, entries have no ``disclosures``, and there is always a ``receipt``.

Nothing in it is a conclusion. It holds signed words as they were signed, log entries as the log committed to them with
their salts and proofs, and one checkpoint; who received what, when and why is read from those. What rests on the
exchange's word alone is little, and each member says so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from audit.entry import Entry, commitment, read_entry
from audit.evidence.archive import FIXED, NAME, MalformedBundleError
from audit.withheld import disclose
from schemas.alerts.header import HandlingCode, Tlp
from schemas.bilingual import Bilingual
from schemas.decisions import Onward
from schemas.faults import first_fault
from schemas.fields import Part, PublicKeyField
from schemas.ids import AlertIdField, DeliveryIdField, ParticipantField
from schemas.signing.canonical import canonical_bytes
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import UtcText

FORM: Final = "lacolle-evidence/v2"
MANIFEST_FORM: Final = "lacolle-evidence-manifest/v1"
NARRATIVE_VERSION: Final = 2
"""Of the narrative's words: one evidence has one narrative of each version, byte for byte."""


def _decodable(text: str) -> str:
    decoded(text)
    return text


def decoded(text: str) -> bytes:
    """Return the bytes of base64 (RFC 4648 section 4) in its one spelling. Raises ``ValueError`` for any other text."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if encoded(data) != text:
        raise ValueError("not base64 in its one spelling")
    return data


def encoded(data: bytes) -> str:
    """Return bytes as base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


Compact = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Index = Annotated[int, Field(ge=0, le=(1 << 53) - 1)]
Proof = Annotated[tuple[Annotated[str, AfterValidator(_decodable)], ...], Field(max_length=64)]
DisclosureText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
MemberName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]


class ProvenEntry(Part):
    """An entry of the log: its canonical bytes in base64, its salt, and the audit path to the checkpoint (RFC 6962).

    ``disclosures`` are what it withholds (RFC 9901 section 4.2), none where that is nothing, or was erased.
    """

    index: Index
    salt: Hash
    entry: Annotated[str, AfterValidator(_decodable)]
    disclosures: Annotated[tuple[DisclosureText, ...], Field(max_length=16)] = ()
    proof: Proof

    @cached_property
    def canonical(self) -> bytes:
        """The bytes that the log committed to."""
        return decoded(self.entry)

    @property
    def commitment(self) -> bytes:
        """What stands for it in public."""
        return commitment(bytes.fromhex(self.salt), self.canonical)

    @cached_property
    def read(self) -> Entry:
        """What it says, as the log committed to it. Raises ``MalformedEntryError``."""
        return read_entry(self.canonical)

    @cached_property
    def told(self) -> Entry:
        """What it says, with what is disclosed in its place. Raises ``MalformedEntryError``, ``DisclosureError``."""
        return self.read.model_copy(update={"content": disclose(self.read.content, self.disclosures)})


class SealedEntry(Part):
    """An entry that the reader may not read whole, and of which it is proven all the same that it is in the log."""

    index: Index
    commitment: Hash
    proof: Proof


class Content(Part):
    """What the alert says, as the reader may have it: the member of the bundle that holds it, and its media type.

    ``deliveries`` are those whose copy it is; none where it is the submission for whoever may see it all. ``manifest``
    is what the exchange signed beside an SD-JWT of which it left something out.
    """

    file: MemberName
    media_type: Literal["application/jose", "application/alert+sd-jwt", "application/redacted-alert+jws"]
    deliveries: tuple[DeliveryIdField, ...] = ()
    manifest: Compact | None = None


class StatementAt(Part):
    """An authority statement, and the index of its entry: the exchange's word where that entry is not shown."""

    index: Index
    statement: Compact


class SignedVersion(Part):
    """One version of an agreement as all parties signed it (JWS General JSON), and their steps since, in log order."""

    signed: Annotated[str, StringConstraints(min_length=1)]
    steps: tuple[Compact, ...] = ()


class SourceStated(Part):
    """An alert that this one passes on, and how it was to be handled, None where its sender never received it.

    ``identifier`` is what its sender's reasons call it: the exchange's id of it, "" for one that was not received.
    """

    sender: ParticipantField
    identifier: str
    tlp: Tlp | None = None
    codes: tuple[HandlingCode, ...] = ()
    onward: Annotated[Onward, Field(strict=False)] | None = None
    through: tuple[ParticipantField, ...] = ()


class BasisStated(Part):
    """What the decisions rest on beside the alert and the agreements: nothing but the log's own digest vouches for it.

    ``world`` is ``agreements.replay.world_digest`` at the time, ``reached`` whom the thread had reached, each with its
    clause, ``sources`` what the alert passes on.
    """

    world: Hash
    reached: dict[ParticipantField, str]
    sources: tuple[SourceStated, ...] = ()


class Drawn(Part):
    """When the bundle was drawn, by whom, and what they may see: ``whole``, or what concerns them (``own``)."""

    at: UtcText
    by: ParticipantField
    view: Literal["whole", "own"]


class Evidence(Part):
    """The document. ``missing`` says why there are no ``contents``; None where there are.

    The ``receipt`` names the alert as its sender does: it goes with the content.
    """

    form: Literal["lacolle-evidence/v1", "lacolle-evidence/v2"]
    alert_id: AlertIdField
    origin: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    drawn: Drawn
    narrative: Annotated[int, Field(ge=1)]
    contents: Annotated[tuple[Content, ...], Field(max_length=32)]
    missing: Literal["erased", "no-copy"] | None = None
    receipt: Compact | None
    exchange_keys: Annotated[tuple[PublicKeyField, ...], Field(min_length=1, max_length=16)]
    checkpoint: Annotated[str, StringConstraints(min_length=1, max_length=1 << 20)]
    entries: Annotated[tuple[ProvenEntry, ...], Field(min_length=1)]
    sealed: Annotated[tuple[SealedEntry, ...], Field(max_length=1)] = ()
    statements: tuple[StatementAt, ...]
    agreements: tuple[SignedVersion, ...]
    acknowledgements: tuple[Compact, ...] = ()
    consents: tuple[Compact, ...] = ()
    basis: BasisStated | None = None

    def to_bytes(self) -> bytes:
        """Return the bytes of ``evidence.json``: canonical JSON (RFC 8785)."""
        return canonical_bytes(self.model_dump(mode="json"))

    @classmethod
    def of_bytes(cls, data: bytes) -> Evidence:
        """Read ``evidence.json``. Raises ``MalformedBundleError``."""
        try:
            parse_json(data)
            return cls.model_validate_json(data)
        except JsonError as error:
            raise MalformedBundleError(error.reason) from None
        except ValidationError as error:
            raise MalformedBundleError(_at_fault(first_fault(error))) from None


class ManifestFile(Part):
    """One member of the bundle: its name, and the SHA-256 of its bytes."""

    name: MemberName
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]


class Manifest(Part):
    """What the exchange signs of a bundle: every member but this one, by its bytes."""

    form: Literal["lacolle-evidence-manifest/v1"]
    alert_id: AlertIdField
    files: Annotated[tuple[ManifestFile, ...], Field(strict=False, max_length=64)]


def digest_of(data: bytes) -> str:
    """Return ``sha-256:`` and the hexadecimal SHA-256 of bytes."""
    return f"sha-256:{hashlib.sha256(data).hexdigest()}"


def manifest_bytes(alert_id: str, members: dict[str, bytes]) -> bytes:
    """Return the payload of the manifest of some members, in their order: canonical JSON."""
    return canonical_bytes(
        {
            "form": MANIFEST_FORM,
            "alert_id": alert_id,
            "files": [{"name": name, "digest": digest_of(content)} for name, content in members.items()],
        }
    )


def require_named(evidence: Evidence, members: dict[str, bytes]) -> None:
    """Raise ``MalformedBundleError`` unless the members are the fixed ones and the contents that the document names."""
    named = {content.file for content in evidence.contents}
    if named & FIXED or FIXED | named != members.keys():
        raise MalformedBundleError(_OTHER_MEMBERS)


def _at_fault(reason: Bilingual) -> Bilingual:
    if not reason.en.isprintable():  # a pointer through names that somebody made up for a terminal
        return Bilingual(fr="evidence.json est refusé.", en="evidence.json is refused.")
    return Bilingual(fr=f"evidence.json est refusé. {reason.fr}", en=f"evidence.json is refused. {reason.en}")


_OTHER_MEMBERS: Final = Bilingual(
    fr="Les membres du dossier ne sont pas ceux que nomme evidence.json.",
    en="The bundle's members are not those that evidence.json names.",
)

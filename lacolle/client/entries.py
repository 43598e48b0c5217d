"""Entries of the log as an auditor receives them: nothing in them is believed that can be computed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from audit.checkpoints import CheckpointBody
from audit.entry import commitment
from audit.errors import AuditError
from audit.merkle import leaf_hash, verify_inclusion
from audit.note import Verifier, open_note
from audit.withheld import disclose
from lacolle.errors import EntryNotProvenError
from schemas.bilingual import Bilingual
from schemas.signing.canonical import canonical_bytes

_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ShownEntry(BaseModel):
    """An entry with what proves it: its salt and commitment, and the audit path (RFC 6962), nearest sibling first.

    ``disclosures`` is what it withholds (RFC 9901 section 4.2), and ``withheld`` what can be had of that: ``nothing``,
    ``disclosed``, ``erased`` or ``unreadable``.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    salt: _Hex
    commitment: _Hex
    entry: dict[str, JsonValue]
    withheld: str = "nothing"
    disclosures: tuple[str, ...] = ()
    proof: tuple[str, ...]

    @property
    def told(self) -> Mapping[str, Any]:
        """The entry with what is disclosed in its place; ``_sd`` stays for the rest. Raises ``DisclosureError``."""
        content = self.entry["content"]
        return {**self.entry, "content": disclose(content if isinstance(content, dict) else {}, self.disclosures)}


class EntryPage(BaseModel):
    """What an auditor was shown of a log of ``size`` entries; ``next`` is what the next page comes ``after``.

    ``checkpoint`` is the signed note (C2SP) that every proof leads to; ``log_index`` the entry that says that this was
    asked.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    checkpoint: str
    size: int
    entries: tuple[ShownEntry, ...]
    next: int | None
    log_index: int


def require_proven(page: EntryPage, verifier: Verifier | None) -> None:
    """Hold every entry of a page against its checkpoint, and that against the log's own key where it is known.

    What is disclosed of an entry is held against the entry.

    Raises ``EntryNotProvenError``.
    """
    try:
        text = page.checkpoint.partition("\n\n")[0] + "\n"
        body = CheckpointBody.parse(text if verifier is None else open_note(page.checkpoint.encode(), verifier))
        for shown in page.entries:
            _require_proven(shown, body)
    except (AuditError, ValueError) as error:
        raise EntryNotProvenError(_NOT_PROVEN) from error


def _require_proven(shown: ShownEntry, body: CheckpointBody) -> None:
    committed = commitment(bytes.fromhex(shown.salt), canonical_bytes(shown.entry))
    if committed.hex() != shown.commitment or shown.told.get("index") != shown.index:
        raise EntryNotProvenError(_NOT_PROVEN)
    verify_inclusion(
        leaf=leaf_hash(committed),
        index=shown.index,
        size=body.size,
        proof=[base64.b64decode(each, validate=True) for each in shown.proof],
        root=body.root,
    )


_NOT_PROVEN: Final = Bilingual(
    fr="Une inscription reçue n'est pas celle du journal public : ne vous y fiez pas, et conservez la réponse.",
    en="An entry that was received is not the public log's: do not rely on it, and keep the answer.",
)

"""The watch over proposals: documents that wait for signatures, and the signatures that they have.

A proposal binds nobody, and one that was altered binds nobody either: a complete agreement of the same name goes on.
But who writes to these rows writes to the database, so there is an alarm, an entry for the document's parties, and
another once the rows are again what the log says was handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from agreements.signed import UntrustedAgreementError, read_signed
from audit.entry import Draft, Entry
from audit.kinds import Kind
from gateway.store.agreed import ProposalRow, SignatureRow, read_history
from gateway.store.committer import Batch
from gateway.trust.assay import StoredEntry, committed_entry
from schemas.ids import AgreementId, JurisdictionCode
from schemas.signing.jws import MalformedJwsError, join_signatures
from schemas.statements import Jurisdiction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProposalAlarm:
    """A proposal by its digest, whose it is, and what was found wrong with its rows; None where they are sound."""

    digest: str
    name: AgreementId
    parties: tuple[JurisdictionCode, ...]
    found: str | None


class ProposalAssayer:
    """Holds stored proposals against the log; remembers which signatures it has verified."""

    def __init__(self, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> None:
        self._jurisdictions = jurisdictions
        self._sound: set[tuple[bytes, str, str]] = set()

    def assay(
        self, logged: Iterable[StoredEntry], proposals: Sequence[ProposalRow], signatures: Sequence[SignatureRow]
    ) -> tuple[Sequence[ProposalAlarm], frozenset[AgreementId]]:
        """Return the alarms that are to be raised or lifted, and the agreements with an altered proposal."""
        entries = list(_sound_entries(logged))
        proposed = {str(each.content["digest"]): each for each in entries if each.kind is Kind.AGREEMENT_PROPOSED}
        wrong = dict(self._wrong(entries, proposed, proposals, signatures))
        alarmed = {str(each.content["proposal"]): each for each in entries if "proposal" in each.content}
        raised = {digest: each for digest, each in alarmed.items() if each.kind is Kind.AGREEMENT_ALTERED}
        alarms = [
            ProposalAlarm(digest, _name(proposed[digest]), proposed[digest].jurisdictions, wrong.get(digest))
            for digest in sorted(wrong.keys() ^ raised.keys())
            if digest in proposed and (digest in wrong or self._may_lift(raised[digest]))
        ]
        return alarms, frozenset(_name(proposed[digest]) for digest in wrong)

    def _may_lift(self, alarm: Entry) -> bool:
        """Say whether an alarm ends where nothing is found wrong; who can't tell leaves it to who raised it."""
        return alarm.content["found"] != "signature" or self._has_pinned(alarm)

    def _has_pinned(self, entry: Entry) -> bool:
        return self._jurisdictions.keys() >= set(entry.jurisdictions)

    def _wrong(
        self,
        entries: Iterable[Entry],
        proposed: Mapping[str, Entry],
        proposals: Sequence[ProposalRow],
        signatures: Sequence[SignatureRow],
    ) -> Iterator[tuple[str, str]]:
        """Yield digests of proposals of which a row is missing or another than the log says."""
        documents = {row.log_index: row for row in proposals}
        signed = {row.log_index: row for row in signatures}
        for entry in entries:
            digest = str(entry.content.get("digest"))
            if entry.kind is Kind.AGREEMENT_PROPOSED and not _is_document(documents.get(entry.index), entry):
                yield digest, "document"
            elif (
                entry.kind is Kind.AGREEMENT_SIGNED
                and digest in proposed
                and not self._is_signature(signed.get(entry.index), entry)
            ):
                yield digest, "signature"

    def _is_signature(self, row: SignatureRow | None, entry: Entry) -> bool:
        digest, party = str(entry.content["digest"]), str(entry.content["jurisdiction"])
        if row is None or (f"sha-256:{row.digest.hex()}", row.party) != (digest, party):
            return False
        if (row.compact, digest, party) in self._sound:
            return True
        if not self._has_pinned(entry):
            return True  # of a party that this process has not pinned it can't tell
        try:
            read = read_signed(join_signatures([row.compact]), self._jurisdictions)
        except (UntrustedAgreementError, MalformedJwsError):
            return False
        if (_digest(read.payload), [str(each.party) for each in read.signatures]) != (digest, [party]):
            return False
        self._sound.add((row.compact, digest, party))
        return True


class ProposalAlarmWriter:
    """Logs alarms about proposals and their ends, each once, whichever process is the first to see it."""

    async def write(self, batch: Batch, items: Sequence[ProposalAlarm]) -> Sequence[None]:
        """Append an entry where the log does not say so already."""
        for item in items:
            kinds = [
                each["kind"]
                for each in await read_history(batch.connection, item.name)
                if each["content"].get("proposal") == item.digest
            ]
            if (item.found is not None) == (kinds[-1:] == [Kind.AGREEMENT_ALTERED]):
                continue
            batch.log.append(_entry(item))
            if item.found is None:
                log.warning("proposal_restored", agreement=item.name, digest=item.digest)
            else:
                log.critical("proposal_altered", agreement=item.name, digest=item.digest, found=item.found)
        return [None] * len(items)


def _entry(item: ProposalAlarm) -> Draft:
    altered = item.found is not None
    return Draft(
        kind=Kind.AGREEMENT_ALTERED if altered else Kind.AGREEMENT_RESTORED,
        actor=None,
        jurisdictions=item.parties,
        alert_id=None,
        agreement=item.name,
        content={"proposal": item.digest, **({"found": item.found} if altered else {"digests": [item.digest]})},
    )


def _sound_entries(logged: Iterable[StoredEntry]) -> Iterator[Entry]:
    """Return the entries that are what the log committed to; the agreement's own watch tells of the others."""
    return (entry for entry in map(committed_entry, logged) if entry is not None)


def _is_document(row: ProposalRow | None, entry: Entry) -> bool:
    return row is not None and (f"sha-256:{row.digest.hex()}", _digest(row.payload), row.agreement, row.version) == (
        entry.content["digest"],
        entry.content["digest"],
        entry.agreement,
        entry.content["version"],
    )


def _digest(payload: bytes) -> str:
    return f"sha-256:{hashlib.sha256(payload).hexdigest()}"


def _name(entry: Entry) -> AgreementId:
    return AgreementId(str(entry.agreement))
